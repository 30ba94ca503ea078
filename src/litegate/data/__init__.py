"""Load, verify, prepare and stream data sets; users import it as `litegate.datasets`."""

from litegate.data.digits import digits
from litegate.data.mnist import mnist
from litegate.data.npz import npz
from litegate.data.prepare import prepare

__all__ = ["digits", "mnist", "npz", "prepare"]
