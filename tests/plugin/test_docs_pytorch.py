"""docs/how-to/pytorch.md: its check compares a float file with saved answers of the network."""

import numpy as np
import pytest
from documents import blocks, name

from litegate.runtimes.inference import predict
from litegate.spec import Kind
from litegate.testing import tiny_artifact

PAGE = "docs/how-to/pytorch.md"


@pytest.fixture
def saved(project):
    """Saves the answers of the eager network, and runs the page's check."""
    (check,) = [
        block.text
        for block in blocks("python")
        if name(block.page) == PAGE and "def test_the_float_file" in block.text
    ]
    (project.path / "checks" / "test_exporter.py").write_text(check)
    folder = project.path / "export" / "out"
    folder.mkdir(parents=True)

    def run(eager):
        np.save(folder / "keywords_eager.npy", eager)
        return project.model("size=lg.kib(50)").run("checks/test_exporter.py")

    return run


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (lambda eager: eager, {"passed": 1}),
        (lambda eager: eager * (1 + 1e-6), {"passed": 1}),
        (lambda eager: eager * (1 + 1e-3), {"failed": 1}),
        (lambda eager: eager[::-1], {"failed": 1}),
        (lambda eager: eager[:, :2], {"failed": 1}),
        (lambda eager: eager * np.nan, {"failed": 1}),
    ],
)
def test_the_exporters_agreement_is_judged(saved, change, outcome):
    eager = predict(tiny_artifact(Kind.FLOAT32))[:].real
    done = saved(change(eager))
    done.assert_outcomes(**outcome)
