"""Verdicts to text: pure functions of what a run found."""
