"""The noise of training: its statistics, its record, and the command that measures it."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import chi2
from typer.testing import CliRunner

from litegate import recipes
from litegate.build.pipeline import Pipeline
from litegate.build.toolchain.build import _as_requested
from litegate.build.toolchain.protocol import Request
from litegate.cli import app
from litegate.cli.noise import summary
from litegate.core.errors import BuildError, ConfigError, LitegateError, MeasurementError
from litegate.core.units import points
from litegate.measures.noise import (
    RECORD,
    Noise,
    NoiseRow,
    chi_square_quantile,
    differing,
    read_record,
    recorded_sd,
    write_row,
)
from litegate.spec import Budget, Data, DataLocations, Kind, Model, Training
from litegate.spec.loader import discover
from litegate.testing import artifact, evaluation, tiny

TENTHS = tuple(Fraction(k, 100) for k in (90, 92, 94))


@pytest.mark.parametrize("free", [1, 2, 4, 11, 100, 1000])
@pytest.mark.parametrize("share", [0.001, 0.025, 0.5, 0.975, 0.999])
def test_chi_square_is_that_of_the_tables(share, free):
    """Nine digits, from one degree of freedom to a thousand."""
    assert chi_square_quantile(share, free) == pytest.approx(chi2.ppf(share, free), rel=1e-9)


def test_sd_is_that_of_a_sample():
    """Of 90, 92 and 94 %: mean 92, SD 2 points with n - 1, least limit 4."""
    found = Noise(accuracies=TENTHS)
    assert found.mean == pytest.approx(0.92)
    assert found.sd == pytest.approx(0.02)
    assert found.least_limit.value == pytest.approx(points(4).value)


def test_interval_of_the_sd():
    """Chi-square with n - 1 degrees of freedom, two-sided 95 %."""
    found = Noise(accuracies=TENTHS).interval
    low, high = (0.02 * (2 / chi2.ppf(share, 2)) ** 0.5 for share in (0.975, 0.025))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.method == "chi-square"


def test_interval_holds_what_it_promises():
    """Of 2,000 samples of twelve with a known SD, 95 % have it within their interval."""
    drawn = np.random.default_rng(5).normal(0.9, 0.01, (2000, 12))
    held = 0
    for row in drawn.tolist():
        found = Noise(accuracies=tuple(map(Fraction, row))).interval
        held += found.low <= 0.01 <= found.high
    assert 0.935 < held / 2000 < 0.965


@pytest.mark.parametrize(
    ("limit", "share"), [(1.9, (3, 3)), (2, (1, 3)), (3.9, (1, 3)), (4, (0, 3))]
)
def test_pairs_that_differ_by_more_than_a_limit(limit, share):
    """Two pairs differ by exactly 2 points, one by 4; a limit is inclusive."""
    assert differing(TENTHS, points(limit).value) == Fraction(*share)


def test_equal_accuracies_have_no_spread():
    """Every accuracy the same is an SD of exactly 0."""
    found = Noise(accuracies=TENTHS[:1] * 5)
    assert (found.sd, found.interval.low, found.interval.high) == (0, 0, 0)


@pytest.mark.parametrize("count", [0, 1])
def test_one_seed_has_no_spread(count):
    """No SD where there is nothing to compare: an error, never zero."""
    with pytest.raises(MeasurementError, match="several seeds"):
        Noise(accuracies=TENTHS[:count])


NAMED = {"model": "m", "recipe": "r", "data": "d"}


def row(**fields):
    """Three seeds of one recipe, right for 90, 92 and 94 of 100 samples."""
    given = {"model": "m", "recipe": "int8_qat", "data": "d", "samples": 100, "seeds": (7, 8, 9)}
    return NoiseRow(**(given | {"right": (90, 92, 94)} | fields))


def test_record_gives_back_what_it_was_given(tmp_path):
    """A row is kept beside others, and takes the place of an older one of its own."""
    assert read_record(tmp_path) == ()
    write_row(tmp_path, row())
    write_row(tmp_path, row(recipe="other"))
    write_row(tmp_path, row(right=(91, 92, 94)))
    assert read_record(tmp_path) == (row(recipe="other"), row(right=(91, 92, 94)))


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "[]",
        "{}",
        '{"rows": [{}]}',
        '{"rows": [1]}',
        json.dumps({"rows": [NAMED]}),
        json.dumps({"rows": [NAMED | {"samples": 10, "seeds": [1, 2], "right": [9, 11]}]}),
        json.dumps({"rows": [NAMED | {"samples": 10, "seeds": [1, 2], "right": [-1, 9]}]}),
        json.dumps({"rows": [NAMED | {"samples": 10, "seeds": [1], "right": [9]}]}),
        json.dumps({"rows": [NAMED | {"samples": 10, "seeds": [1, 2], "right": [9]}]}),
        json.dumps({"rows": [NAMED | {"samples": 0, "seeds": [1, 2], "right": [0, 0]}]}),
    ],
)
def test_damaged_record_is_an_error(tmp_path, damage):
    """A record that cannot be read is no record without noise."""
    (tmp_path / RECORD).parent.mkdir(exist_ok=True)
    (tmp_path / RECORD).write_text(damage)
    with pytest.raises(ConfigError, match="is not what `litegate noise` writes") as error:
        read_record(tmp_path)
    assert "measure again" in error.value.remedy


def test_a_request_carries_its_seed():
    """It survives the pipe, and takes the place of the model's own; none leaves it."""
    given = Request(
        file=Path("/m.py"),
        project=Path("/"),
        model="m",
        recipes=("r",),
        locations=DataLocations(),
        staging=Path("/s"),
        seed=0,
    )
    assert Request.decode(given.encode()) == given
    assert b"seed" not in replace(given, seed=None).encode()
    model = declared(Training(seed=7, epochs=3))
    assert _as_requested(model, given).training == Training(seed=0, epochs=3)
    unchanged = _as_requested(model, replace(given, seed=None))
    assert unchanged.training == Training(seed=7, epochs=3)


def declared(training):
    """A model that nobody builds."""
    data = Data(
        name="d", load=print, digests={}, preprocess=print, domain=(0.0, 1.0), classes=("a",)
    )
    return Model(
        name="m",
        file=Path("m.py"),
        line=1,
        build=print,
        summary="",
        data=data,
        training=training,
        recipes=(recipes.float32(),),
        budget=Budget(),
    )


MODELS = '''
"""A tiny network that nobody trains."""
import litegate as lg

def _load(locations):
    raise AssertionError("nothing is built here")

def _as_it_is(samples):
    return samples

DATA = lg.Data(
    name="tiny", load=_load, digests={}, preprocess=_as_it_is, domain=(0.0, 1.0),
    classes=("a", "b", "c", "d"),
)

@lg.model(data=DATA, training=lg.Training(seed=40), budget=lg.Budget(),
          recipes=[lg.recipes.float32(), lg.recipes.int8_qat()])
def tiny(keras):
    "Planted."
'''


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose builds are tiny networks, another for each seed, and what was asked for."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    for name in ("CI", "LITEGATE_STORE", "LITEGATE_DATA"):
        monkeypatch.delenv(name, raising=False)
    found = SimpleNamespace(path=tmp_path, asked=[], fixed=False, fails=None)
    split = evaluation(50)

    def ensure(self, model, names):
        (name,) = names
        found.asked.append((name, model.training.seed))
        if model.training.seed == found.fails:
            return {name: BuildError("it broke")}
        data = replace(split, digest=self.split_key(model))
        seed = 7 if found.fixed else model.training.seed - 33
        return {name: artifact(tiny(Kind.INT8_QAT, seed=seed), split=data)}

    monkeypatch.setattr(Pipeline, "ensure", ensure)
    return found


def run(*args):
    return CliRunner().invoke(app, ["noise", *args])


def test_command_trains_from_each_seed_and_keeps_the_record(project):
    """From the model's own seed on; the record knows the SD afterwards."""
    done = run("tiny", "--seeds", "3")
    assert done.exit_code == 0, done.output
    assert project.asked == [("int8_qat", 40), ("int8_qat", 41), ("int8_qat", 42)]
    assert "seed 40: 100.00 %, 50 of 50 samples right" in done.output
    # The first may be in the store already, and the last leaves nothing to wait for.
    assert done.output.count(" s left") == 1
    assert "3 seeds, 50 samples" in done.output
    (kept,) = read_record(project.path)
    assert (kept.seeds, kept.right[0], kept.samples) == ((40, 41, 42), 50, 50)
    model = discover(project.path / "models", project.path)["tiny"]
    assert recorded_sd(project.path, model, "int8_qat") == kept.noise.sd > 0
    assert recorded_sd(project.path, model, "float32") is None
    other = replace(model, data=replace(model.data, classes=("e", "f", "g", "h")))
    assert recorded_sd(project.path, other, "int8_qat") is None


def test_command_takes_another_recipe(project):
    """One that is only shown may be measured too."""
    assert run("tiny", "--seeds", "2", "--recipe", "float32").exit_code == 0
    assert project.asked[0] == ("float32", 40)
    assert read_record(project.path)[0].recipe == "float32"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("tony",), "there is no model tony"),
        (("tiny", "--recipe", "int4"), "tiny has no recipe int4"),
    ],
)
def test_command_refuses_what_it_does_not_know(project, args, said):
    """A misspelt name is an error that lists the known ones, and nothing is trained."""
    done = run(*args, "--seeds", "2")
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)
    assert "tiny" in str(done.exception) or "float32" in str(done.exception)
    assert not project.asked


def test_command_refuses_a_single_seed(project):
    """Two are the least."""
    assert run("tiny", "--seeds", "1").exit_code == 2
    assert not project.asked


def test_seeds_that_change_nothing_are_an_error(project):
    """The same bytes from every seed are no noise of zero."""
    project.fixed = True
    done = run("tiny", "--seeds", "2")
    assert isinstance(done.exception, MeasurementError)
    assert "has the same bytes for every seed" in str(done.exception)
    assert read_record(project.path) == ()


def test_a_build_that_fails_ends_the_command(project):
    """No record of the seeds that were measured before."""
    project.fails = 41
    done = run("tiny", "--seeds", "3")
    assert isinstance(done.exception, LitegateError)
    assert read_record(project.path) == ()


def test_summary_says_where_the_limit_stands():
    """Below two SD, at them, above."""
    (*_, below), (*_, at) = (list(summary(row(), points(limit))) for limit in (3.99, 4.01))
    assert "the lowest limit that harmless changes keep: 4.00 points, 2 SD" in below
    assert below.endswith("Regression(accuracy=...), now 3.99 points, is below it")
    assert at.endswith("Regression(accuracy=...), now 4.01 points, is not below it")


def test_summary_counts_the_pairs():
    """Mean, ends, SD with its interval, and the share of pairs that differ by more."""
    told = "\n".join(summary(row(), points(2)))
    assert "mean 92.00 %, lowest 90.00 %, highest 94.00 %" in told
    assert "SD 2.00 points (95 % interval 1.04 points to 12.57 points, chi-square)" in told
    assert "33 % of all pairs of seeds differ by more than 2.00 points" in told
