"""Check for drift: many changes within their limits that add up to a worse release."""

from litegate.measures.metrics import metric_regression
from litegate.measures.regression import accuracy_loss, lost_types, since_anchor, size_growth


def test_accuracy_has_not_drifted(candidate, anchor, regression, require):
    """Since the anchor, the model lost at most the accuracy that one change may cost."""
    require(since_anchor(accuracy_loss(anchor, candidate)) <= regression.accuracy)


def test_metric_has_not_drifted(candidate, anchor, metric, require):
    """Since the anchor, the model lost at most as much of a metric as one change may cost."""
    require(since_anchor(metric_regression(anchor, candidate, metric)) <= metric.regression)


def test_size_has_not_drifted(candidate, anchor, regression, require):
    """Since the anchor, the file grew by at most what one change may add."""
    require(since_anchor(size_growth(anchor, candidate)) <= regression.size)


def test_no_integer_type_has_drifted(candidate, anchor, regression, require):
    """Since the anchor, no tensor and no operator became float."""
    require(since_anchor(lost_types(anchor, candidate)) <= regression.lost_types)
