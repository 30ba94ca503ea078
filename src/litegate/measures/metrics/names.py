"""Name the measurements of a metric, for reports, proofs and the comparison of limits."""

from __future__ import annotations

from litegate.spec.metric import Better, Metric


def loss_name(metric: Metric) -> str:
    """Return the name of a metric's loss: "auc drop", "mse rise"."""
    return f"{metric.name} {'drop' if metric.better is Better.HIGHER else 'rise'}"


def worst_name(noun: str, metric: Metric) -> str:
    """Return the name of the largest loss of a class or slice: "worst slice's auc drop"."""
    return f"worst {noun}'s {loss_name(metric)}"


def regression_name(metric: Metric) -> str:
    """Return the name of the loss against the base: "auc drop against the base"."""
    return f"{loss_name(metric)} against the base"


def bounded_by(metric: Metric, limit: str) -> str:
    """Return the name of the measurement that one of a metric's limits bounds."""
    return {
        "least": metric.name,
        "most": metric.name,
        "loss": loss_name(metric),
        "class_loss": worst_name("class", metric),
        "slice_loss": worst_name("slice", metric),
        "regression": regression_name(metric),
    }[limit]
