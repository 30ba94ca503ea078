"""A pin that a checkout changes in one place alone is named with the version that builds."""

import pytest

from litegate.build.toolchain.pins import PINS
from litegate.regression.toolchain_pins import pin_notes

TF = PINS["tensorflow"]
PYPROJECT = '[project]\nname = "p"\nversion = "1"\n{}\n'


@pytest.mark.parametrize(
    ("file", "text", "asked"),
    [
        ("pyproject.toml", 'dependencies = ["tensorflow==2.20.0"]', "tensorflow==2.20.0"),
        ("pyproject.toml", 'dependencies = ["tensorflow-cpu==2.20.0"]', "tensorflow-cpu==2.20.0"),
        (
            "pyproject.toml",
            '[project.optional-dependencies]\ntrain = ["tf_keras<2.21"]',
            "tf_keras<2.21",
        ),
        ("pyproject.toml", '[tool.poetry.dependencies]\nkeras = "3.0.0"', "keras 3.0.0"),
        ("requirements-dev.txt", "keras==3.0.0 --hash=sha256:0", "keras==3.0.0"),
        ("constraints.txt", "tensorflow<2.21  # old", "tensorflow<2.21"),
    ],
)
def test_a_pin_that_excludes_what_builds_is_named_with_it(tmp_path, file, text, asked):
    content = PYPROJECT.format(text) if file == "pyproject.toml" else text
    (tmp_path / file).write_text(content)
    (note,) = pin_notes(tmp_path)
    assert note.startswith(f"{file} asks for {asked}, but artifacts are built with ")
    assert any(f"built with {name} {pin}:" in note for name, pin in PINS.items())


def test_the_quantizers_pin_comes_with_its_own_extra(tmp_path):
    """LiteRT is no pin: litegate itself needs it."""
    (tmp_path / "constraints.txt").write_text("litert-quantizer==0.10.0\nai-edge-litert==2.3.9\n")
    (note,) = pin_notes(tmp_path)
    assert "asks for litert-quantizer==0.10.0, but artifacts are built with litert-quant" in note
    assert 'pip install "litegate[quantizer]"' in note


@pytest.mark.parametrize(
    "text",
    [
        "",
        f'dependencies = ["tensorflow=={TF}"]',
        'dependencies = ["tensorflow>=2.16", "keras"]',
        "dependencies = [\"tensorflow==2.20.0; python_version < '3'\"]",
        '[tool.poetry.dependencies]\nkeras = "^3.0"',
        'dependencies = ["numpy==1.0"]',
        "dependencies = [",
    ],
)
def test_a_pin_that_takes_what_builds_is_not_named(tmp_path, text):
    """Nor one that nobody can compare: a range of Poetry's, a file with an error."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.format(text))
    assert list(pin_notes(tmp_path)) == []


def test_a_project_without_files_of_requirements_has_no_note(tmp_path):
    assert list(pin_notes(tmp_path)) == []
