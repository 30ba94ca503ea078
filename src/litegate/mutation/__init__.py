"""Mutation testing of a gate: run its own checks on faults planted in what it has accepted."""
