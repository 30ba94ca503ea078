"""What measurements of a metric are called; one place, for reports, proofs and loosening."""

from __future__ import annotations

from litegate.spec.metric import Better, Metric


def loss_name(metric: Metric) -> str:
    """How it becomes worse: "auc drop", "mse rise"."""
    return f"{metric.name} {'drop' if metric.better is Better.HIGHER else 'rise'}"


def worst_name(noun: str, metric: Metric) -> str:
    """The loss of the part that loses most: "worst slice's auc drop"."""
    return f"worst {noun}'s {loss_name(metric)}"


def regression_name(metric: Metric) -> str:
    """The loss that a change costs: "auc drop against the base"."""
    return f"{loss_name(metric)} against the base"


def bounded_by(metric: Metric, limit: str) -> str:
    """The name of the measurement that one of a metric's limits bounds."""
    return {
        "least": metric.name,
        "most": metric.name,
        "loss": loss_name(metric),
        "class_loss": worst_name("class", metric),
        "slice_loss": worst_name("slice", metric),
        "regression": regression_name(metric),
    }[limit]
