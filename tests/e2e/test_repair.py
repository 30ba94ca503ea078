"""`litegate repair` on a network with one planted fragile layer, from the command line."""

import fragile
import pytest
from needs import quantizer
from typer.testing import CliRunner

from litegate.cli import app

pytestmark = [quantizer, pytest.mark.slow]
DROP = "accuracy_drop=lg.points(1)"


@pytest.fixture
def repair(tmp_path, monkeypatch):
    """A function that writes a project and runs the command in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LITEGATE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("CI", raising=False)

    def run(*arguments, limits=DROP, **fields):
        if not (tmp_path / "models").exists():
            fragile.project(tmp_path, limits, **fields)
        return CliRunner().invoke(app, ["repair", "net", "static_wi8_ai8", *arguments])

    return run


def test_the_fragile_layer_alone_is_found_declared_and_then_nothing_is_to_repair(repair, tmp_path):
    result = repair("--write")
    assert result.exit_code == 0, result.output
    assert "depthwise: proven on the samples that judge" in result.output
    assert "+    recipes=[lg.recipes.static_wi8_ai8(" in result.output
    assert 'float_layers=("depthwise",)' in (tmp_path / "models" / "net.py").read_text()
    again = repair()
    assert again.exit_code == 0
    assert again.stdout == "net/static_wi8_ai8: nothing to repair, every limit is kept\n"


def test_a_second_run_takes_all_files_from_the_store(repair, monkeypatch):
    first = repair("--by", "macs")
    assert first.exit_code == 0
    monkeypatch.setattr("litegate.build.process.build", None)
    second = repair("--by", "macs")
    assert second.output == first.output


def test_without_loss_there_is_nothing_to_repair(repair):
    assert "nothing to repair" in repair(factor=1.0).stdout


def test_too_few_samples_are_named_before_any_search(repair):
    result = repair(limits="accuracy_drop=lg.points(0.1)")
    assert result.exit_code == 1
    assert "no search: these limits cannot be proven" in result.stdout
    assert "4,525 samples prove it if no decision changes" in result.stdout
    assert "at most" not in result.stderr


def test_what_blocks_every_set_is_named(repair):
    """The target takes integers alone, so the fragile layer is not proposed."""
    result = repair(limits=f'{DROP}, target="edgetpu"')
    assert result.exit_code == 1
    assert "not proposed: depthwise, " in result.stdout
    assert "no set keeps the limits" in result.stdout


def test_a_size_limit_that_floats_break_is_named(repair):
    result = repair(limits=f"{DROP}, size=lg.byte(100)")
    assert result.exit_code == 1
    assert "blocked by size at most 100 B" in result.stdout


def test_no_time_is_left_for_a_second_set(repair):
    result = repair("--budget", "0.001s")
    assert result.exit_code == 1
