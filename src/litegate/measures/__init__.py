"""Measure artifacts: each measure returns a number with its evidence."""
