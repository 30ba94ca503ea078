"""Render what a run found: terminal, JSON, Markdown, HTML, annotations, badge. Runs nothing."""
