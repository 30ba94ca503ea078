"""The base commit: what it declares, its artifacts, weakened limits, waivers."""
