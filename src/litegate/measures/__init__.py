"""Measures: artifacts in, a measurement with its evidence out."""
