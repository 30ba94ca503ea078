"""Run `--prove` in pytest: the checks of a run, on faults planted in what they accepted."""

from litegate.gate.prove.run import load_faults, prove

__all__ = ["load_faults", "prove"]
