"""Warn about limits, data and files that cannot show what a check would decide."""
