"""Render a run as terminal output, JSON, Markdown, HTML, annotations and badge; runs nothing."""
