"""Confidence intervals and tests, each with its source."""
