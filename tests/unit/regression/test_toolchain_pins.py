"""Which lines pin the tool chain, and which only mention it."""

import pytest

from litegate.regression.toolchain_pins import pinned_requirements

POETRY = """
[tool.poetry.dependencies]
python = "^3.11"
tf_keras = "^2.20"
requests = "2"
"""
PROJECT = """
[project]
name = "mine"
keywords = ["keras", "tensorflow"]
dependencies = ["tensorflow==2.20.0", "tensorflow-datasets==4.9.9"]
optional-dependencies = { train = ["Keras>=3 ; python_version > '3'"] }
"""
LOCK = """
[[package]]
name = "tensorflow"
version = "2.20.0"
source = { registry = "somewhere" }
wheels = [{ url = "https://a.example/tensorflow-2.20.0.whl" }]

[[package]]
name = "tensorflow-datasets"
version = "4.9.9"
"""


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("requirements.txt", "tensorflow==2.20.0\nrequests==2\n", ["tensorflow==2.20.0"]),
        ("requirements.txt", "TF_Keras == 2.20 # why\n", ["TF_Keras==2.20"]),
        ("requirements-dev.txt", "litegate[train]>=1 --hash=sha256:1\n", ["litegate[train]>=1"]),
        ("constraints.txt", "keras==3.1\n-r other.txt\n", ["keras==3.1"]),
        ("requirements.txt", "tensorflow\n", []),
        ("requirements.txt", "tensorflow-datasets==4.9.9\n", []),
        ("requirements.txt", "# keras==3 is installed elsewhere\n", []),
        ("requirements.txt", "keras-tuner==1\n", []),
        ("notes.txt", "keras==3\n", []),
        (
            "pyproject.toml",
            PROJECT,
            ["tensorflow==2.20.0", 'Keras>=3; python_version > "3"'],
        ),
        ("pyproject.toml", POETRY, ["tf-keras ^2.20"]),
        ("uv.lock", LOCK, ["tensorflow==2.20.0"]),
        ("pyproject.toml", "keras = ", ["keras = "]),
    ],
)
def test_what_states_a_version_of_the_tool_chain(tmp_path, file, text, found):
    (tmp_path / file).write_text(text)
    assert pinned_requirements(tmp_path) == found
