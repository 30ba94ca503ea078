"""What a model answers does not depend on how many cores share the samples."""

import numpy as np
import pytest
from tiny import artifact, selector

from litegate.core.errors import MeasurementError
from litegate.data.disk_arrays import DiskArray
from litegate.runtimes.batch_sizes import BATCH, batch_of, runner_count
from litegate.runtimes.inference import all_outputs, predict
from litegate.spec import Inputs

X = np.random.default_rng(5).normal(size=(3 * BATCH + 7, 4)).astype(np.float32)


@pytest.fixture(params=[1, 2, 64])
def cores(request, monkeypatch):
    monkeypatch.setattr("litegate.runtimes.batch_sizes.cores", lambda: request.param)


@pytest.mark.parametrize("free", [True, False], ids=["batches", "one by one"])
@pytest.mark.parametrize("n", [1, 2, BATCH - 1, BATCH, BATCH + 1, len(X)])
def test_answers_come_in_the_order_of_the_samples(cores, free, n):
    (found,) = all_outputs(selector(4, [2, 0], gain=3.0, free=free), X[:n]).values()
    assert np.array_equal(found.raw, 3 * X[:n, [2, 0]])


def test_samples_on_disk_are_answered_as_those_in_memory(cores, tmp_path):
    np.save(tmp_path / "x.npy", X)
    (found,) = all_outputs(selector(4, [1]), DiskArray(tmp_path / "x.npy")).values()
    assert np.array_equal(found.raw, X[:, [1]])


def test_the_first_sample_that_is_not_finite_is_named(cores):
    x = X.copy()
    x[[BATCH + 3, 2 * BATCH]] = np.nan
    with pytest.raises(
        MeasurementError, match=rf"sample {BATCH + 3} of the evaluation split is the first"
    ):
        predict(artifact(selector(4, [0, 1]), x))


@pytest.mark.parametrize(
    ("values", "expected"),
    [(1, 100), (2621, 100), (2622, 99), (10_485, 25), (10_486, 25), (10_000_000, 25)],
)
def test_large_samples_are_invoked_a_few_at_a_time(values, expected):
    """A megabyte at once, and never so few that an invocation is not worth its call."""
    samples = np.broadcast_to(np.float32(0), (1, values))
    assert batch_of(samples) == expected
    assert batch_of(Inputs({"a": samples, "b": samples[:, :1]})) == expected


@pytest.mark.parametrize(
    ("cores", "weights", "batches", "expected"),
    [
        (1, 1000, 100, 1),
        (2, 1000, 100, 2),
        (64, 1000, 100, 4),
        (64, 1000, 3, 3),
        (64, 128 << 20, 100, 2),
        (64, (128 << 20) + 1, 100, 1),
        (64, 1 << 30, 100, 1),
    ],
)
def test_large_models_are_held_once_and_small_sets_are_not_split(
    monkeypatch, cores, weights, batches, expected
):
    monkeypatch.setattr("litegate.runtimes.batch_sizes.cores", lambda: cores)
    assert runner_count(weights, batches) == expected


@pytest.mark.parametrize(
    ("count", "values", "cores", "expected"),
    [
        (799, 4, 1, [100] * 7 + [99]),
        (800, 4, 1, [200] * 4),
        (1601, 4, 2, [200] * 8 + [1]),
        (4000, 5242, 1, [200] * 20),  # in batches of 50; 200 of them are 4 MB
        (4000, 10_485, 1, [100] * 40),  # in batches of 25
        (4000, 10_486, 1, [75] * 53 + [25]),
    ],
)
@pytest.mark.parametrize("free", [True, False], ids=["batches", "one by one"])
def test_a_worker_takes_several_small_batches_and_none_waits_for_long(
    monkeypatch, count, values, cores, expected, free
):
    monkeypatch.setattr("litegate.runtimes.batch_sizes.cores", lambda: cores)
    x, taken = np.ones((count, values), np.float32), []
    all_outputs(selector(values, [1], free=free), x, on_part=lambda part: taken.append(len(part)))
    assert sorted(taken) == sorted(expected)
