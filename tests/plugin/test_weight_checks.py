"""Sparsity and unique weights as promises of a model: collected where set, judged exactly."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from litegate.spec import Kind
from litegate.testing import Draft, edit, tiny

CHECK = Path(__file__).resolve().parents[2] / "checks" / "test_weights.py"


def compressed():
    """The tiny network with half of its weights zero, the others one of two values."""

    def compress(model):
        draft = Draft(model)
        for name in ("conv", "depthwise", "dense"):
            tensor = draft.graph.tensors[draft.index(f"{name}/weight")]
            values = np.arange(draft.values(tensor).size).reshape(tensor.shape)
            draft.store(tensor, np.choose(values % 4, [0, 90, 0, -90]).astype(np.int8))

    return edit(tiny(), compress)


@pytest.fixture
def weights(project):
    """A project with these checks alone; gives a way to run it under a budget."""
    shutil.copy(CHECK, project.path / "checks")

    def run(budget):
        files = {"float32": tiny(Kind.FLOAT32), "int8_qat": compressed()}
        return project.model(budget, files=files).run("checks/")

    return run


@pytest.mark.parametrize(
    ("budget", "status"),
    [
        ("sparsity=lg.percent(49.9)", 0),
        ("sparsity=lg.percent(50)", 0),
        ("sparsity=lg.percent(50.1)", 1),
        ("unique_weights=4", 0),
        ("unique_weights=3", 0),
        ("unique_weights=2", 1),
    ],
)
def test_just_below_at_and_above(weights, budget, status):
    done = weights(budget)
    assert done.ret == status
    done.assert_outcomes(passed=1 - status, failed=status, deselected=1)


def test_each_layer_is_told(weights):
    done = weights("sparsity=lg.percent(60), unique_weights=2")
    done.stdout.fnmatch_lines(
        [
            "FAIL  tiny/int8_qat  sparsity 50.00 % *",
            "      *CONV_2D v3: 50.00 % of * weights are zero*",
            "FAIL  tiny/int8_qat  unique weights: 3 *",
            "      *FULLY_CONNECTED v4: 3 unique among * weights*",
        ]
    )
