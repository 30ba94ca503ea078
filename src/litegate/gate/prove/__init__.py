"""`--prove` in pytest: the checks of a run, run again on faults planted in what it accepted."""

from litegate.gate.prove.run import faults_of, prove

__all__ = ["faults_of", "prove"]
