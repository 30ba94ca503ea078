"""A single check: its fixtures, its verdict, and what is reported beside it."""
