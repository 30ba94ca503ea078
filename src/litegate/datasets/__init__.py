"""Where bytes come from, their digests and their splits."""

from litegate.datasets.digits import digits
from litegate.datasets.mnist import mnist
from litegate.datasets.npz import npz
from litegate.datasets.prepare import prepare

__all__ = ["digits", "mnist", "npz", "prepare"]
