"""A failing verdict of accuracy names the first layer that diverges."""

import json

import numpy as np
import pytest

from litegate.mutation.faults.edits import revalue
from litegate.spec import Kind
from litegate.testing import tiny

HEAD = "from litegate import points\nfrom litegate.measures.accuracy import accuracy_drop"
CHECK = "require(accuracy_drop(reference, candidate) <= points({limit}))"
NAMED = "the first layer that diverges from tiny/float32: depthwise (SQNR "


@pytest.fixture
def faulty(project):
    """A project whose candidate has the weights of one layer in another order."""
    draw = np.random.default_rng(0)
    shuffled = revalue(tiny(Kind.INT8_QAT), "depthwise/weight", draw.permuted)
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": shuffled}
    return project.model(files=files)


def ran(project, limit):
    project.check(CHECK.format(limit=limit), head=HEAD, args="reference, candidate, require")
    done = project.run()
    report = json.loads((project.path / ".litegate/report/report.json").read_text())
    return done, report["verdicts"][0]


def test_the_layer_stands_in_the_sentence_and_in_the_report(faulty):
    done, row = ran(faulty, 1)
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        [
            "FAIL  tiny/int8_qat  accuracy drop *",
            "      the first layer that diverges from tiny/float32: *",
        ]
    )
    assert row["evidence"][-1].startswith(NAMED)
    assert NAMED in row["sentence"]


def test_a_kept_limit_says_nothing_of_layers(faulty):
    done, row = ran(faulty, 100)
    assert done.ret == 0
    assert not any("diverges" in one for one in row["evidence"])
