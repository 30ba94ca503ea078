"""Drift: each change within its tolerance, and still the release has become worse."""

from litegate.measures.metrics import metric_regression
from litegate.measures.regression import accuracy_loss, lost_types, since_anchor, size_growth


def test_accuracy_has_not_drifted(candidate, anchor, regression, require):
    """Since the anchor a model lost at most the accuracy that one change may cost."""
    require(since_anchor(accuracy_loss(anchor, candidate)) <= regression.accuracy)


def test_metric_has_not_drifted(candidate, anchor, metric, require):
    """Since the anchor a model lost at most as much of a metric as one change may cost."""
    require(since_anchor(metric_regression(anchor, candidate, metric)) <= metric.regression)


def test_size_has_not_drifted(candidate, anchor, regression, require):
    """Since the anchor a file grew at most by what one change may add."""
    require(since_anchor(size_growth(anchor, candidate)) <= regression.size)


def test_no_integer_type_has_drifted(candidate, anchor, regression, require):
    """Since the anchor no integer type was lost."""
    require(since_anchor(lost_types(anchor, candidate)) <= regression.lost_types)
