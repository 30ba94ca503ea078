"""docs/reference/metrics.md: its mean average precision and its error are what they are called."""

import runpy

import numpy as np
import pytest
from documents import PROJECT, blocks
from sklearn.metrics import average_precision_score
from tiny import artifact, rounder, selector

import litegate
from litegate.measures.measurement import Outcome
from litegate.measures.metrics import metric_loss, metric_value

PAGE = PROJECT / "docs" / "reference" / "metrics.md"
RNG = np.random.default_rng(1)
X = RNG.normal(size=(200, 3)).astype(np.float32)
Y = np.where(RNG.random(200) < 0.6, X.argmax(axis=1), RNG.integers(3, size=200))


@pytest.fixture
def page(tmp_path):
    """What the block of functions defines."""
    (block,) = (one for one in blocks("python", pages=[PAGE]) if "mean_average" in one.text)
    file = tmp_path / "block.py"
    file.write_text(block.text)
    return runpy.run_path(str(file), init_globals={"lg": litegate})


def test_the_mean_average_precision_is_that_of_scikit_learn(page):
    (metric,) = page["classifier"].metrics
    found = metric_value(artifact(selector(3, [0, 1, 2]), X, Y), metric)
    expected = average_precision_score(np.eye(3)[Y], X, average="macro")
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high


def test_quantizing_costs_some_of_it(page):
    (metric,) = page["classifier"].metrics
    pair = (artifact(each, X, Y) for each in (selector(3, [0, 1, 2]), rounder(3, scale=1.5)))
    assert metric_loss(*pair, metric).value > 0


def test_the_reconstruction_error_finds_what_is_given_back_badly(page):
    (metric,) = page["detector"].metrics
    x = np.where(np.arange(100)[:, None] < 20, 3.0, 0.3) * np.ones((100, 4))
    x += RNG.normal(size=x.shape) / 100
    odd = artifact(rounder(4, scale=1 / 127), x, (np.arange(100) < 20).astype(int), classes=2)
    assert metric_value(odd, metric).value == 1


def test_misses_and_false_alarms_of_a_wake_word_are_counted(tmp_path):
    """docs/how-to/wake_word.md; no alarm in 295 windows does not prove half a one per hour."""
    (block,) = blocks("python", pages=[PROJECT / "docs" / "how-to" / "wake_word.md"])
    file = tmp_path / "block.py"
    file.write_text(block.text)
    page = runpy.run_path(str(file), init_globals={"lg": litegate})
    misses, false_alarms, _ = page["budget"].metrics
    labels = np.arange(300) < 5
    windows = RNG.normal(size=(300, 2)) / 100
    windows[np.arange(300), np.where(np.arange(300) < 4, 1, 0)] += 1
    detector = artifact(selector(2, [0, 1]), windows, labels.astype(int), classes=2)
    assert metric_value(detector, misses).value == pytest.approx(1 / 5)
    verdict = metric_value(detector, false_alarms) <= 0.5 * page["PER_HOUR"]
    assert verdict.measurement.value == 0
    assert verdict.outcome is Outcome.INCONCLUSIVE
