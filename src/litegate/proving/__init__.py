"""The proof that a gate can fail: its own checks, run on faults planted in what it has accepted."""
