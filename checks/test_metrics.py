"""Check metrics besides top-1, and what quantization costs of them."""

from litegate.measures.metrics import (
    metric_class_loss,
    metric_loss,
    metric_slice_loss,
    metric_value,
)


def test_metric_reaches_its_floor(candidate, metric, require):
    """The file that would ship reaches the metric's minimum."""
    require(metric_value(candidate, metric) >= metric.least)


def test_metric_stays_below_its_ceiling(candidate, metric, require):
    """The file that would ship stays below the metric's maximum."""
    require(metric_value(candidate, metric) <= metric.most)


def test_metric_stays_within_tolerance(candidate, reference, metric, require):
    """Quantization costs at most as much of the metric as the budget allows."""
    require(metric_loss(reference, candidate, metric) <= metric.loss)


def test_no_class_loses_its_metric(candidate, reference, metric, require):
    """Quantization costs no single class more of the metric than the budget allows."""
    require(metric_class_loss(reference, candidate, metric) <= metric.class_loss)


def test_no_slice_loses_its_metric(candidate, reference, metric, require):
    """Quantization costs no slice of the samples more of the metric than the budget allows."""
    require(metric_slice_loss(reference, candidate, metric) <= metric.slice_loss)
