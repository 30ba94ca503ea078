"""What a candidate loses that no longer decides as it should."""

LOSSES = (
    "accuracy drop",
    "number of extra errors",
    "worst class's accuracy drop",
    "agreement with Keras",
    "largest difference from Keras",
    "accuracy lost against the base",
    "agreement with the reference",
    "agreement with the base",
    "output error",
)
"""The measurements that notice a candidate which no longer works."""
