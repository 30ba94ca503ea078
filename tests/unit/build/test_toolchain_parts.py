"""The parts of the tool chain that need no TensorFlow."""

from __future__ import annotations

import io
import json
import sys
import traceback
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

from litegate.build.toolchain import pins, quantize
from litegate.build.toolchain.calibration import make_calibration
from litegate.build.toolchain.determinism import Frameworks
from litegate.build.toolchain.epoch_order import epoch_order
from litegate.build.toolchain.failures import ToolchainError, failure, is_user_file
from litegate.build.toolchain.keras3 import supported
from litegate.build.toolchain.protocol import (
    Alive,
    Done,
    Failure,
    Progress,
    Ready,
    Report,
    Request,
    Stage,
    decode,
    encode,
)
from litegate.build.toolchain.reporter import Reporter
from litegate.build.toolchain.tensor_samples import TensorSamples
from litegate.core.errors import ConfigError, DataError, DataUnavailable, StoreError
from litegate.spec import DataLocations, Training
from litegate.spec.recipes import int8_ptq

PROGRESS = Progress(
    recipe="r",
    stage="train",
    epoch=1,
    epochs=2,
    step=3,
    steps=4,
    loss=0.5,
    accuracy=0.25,
    eta=6.0,
)


@pytest.mark.parametrize(
    "report",
    [
        Stage(recipe="int8_qat", stage="train", shared=True),
        PROGRESS,
        Ready(recipe="float32+1"),
        Alive(),
        Failure(kind="other", what="one\ntwo", expected="a", got="ü", remedy="c", file="f", line=3),
        Done(),
    ],
)
def test_report_survives_the_pipe(report: Report) -> None:
    """Every report is one line, and comes back as it was."""
    line = encode(report)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == report


@pytest.mark.parametrize("cache", [None, Path("/c")])
def test_request_survives_the_pipe(cache: Path | None) -> None:
    """Every field of a request comes back as it was, a place that is not given included."""
    request = Request(
        file=Path("/p/models/m.py"),
        project=Path("/p"),
        model="m",
        recipes=("float32", "float32+1"),
        locations=DataLocations(directory=Path("/d"), cache=cache),
        staging=Path("/s"),
        device="gpu",
    )
    assert Request.decode(request.encode()) == request


def test_number_that_is_not_finite_is_never_sent() -> None:
    """NaN is no JSON: it must be an error before it is a report."""
    with pytest.raises(ValueError, match="JSON"):
        encode(Progress(**{**_fields(PROGRESS), "loss": float("nan")}))


def _fields(progress: Progress) -> dict[str, object]:
    return {name: getattr(progress, name) for name in progress.__slots__}


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _told(stream: io.BytesIO) -> list[str]:
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(("pause", "told"), [(0.499, 0), (0.5, 1), (0.501, 1)])
def test_reports_in_a_stage_keep_a_pause(pause: float, told: int) -> None:
    """Progress and signs of life wait half a second after what was told last."""
    for report in (lambda r: r.progress(PROGRESS), lambda r: r.alive()):
        stream, clock = io.BytesIO(), Clock()
        reporter = Reporter(stream, clock)
        reporter.stage("r", "train")
        clock.now += pause
        report(reporter)
        assert len(_told(stream)) == 1 + told


def test_end_of_an_epoch_is_always_told() -> None:
    """The last step of an epoch waits for nothing."""
    stream, clock = io.BytesIO(), Clock()
    reporter = Reporter(stream, clock)
    reporter.progress(PROGRESS)
    reporter.progress(Progress(**{**_fields(PROGRESS), "step": 4}))
    assert _told(stream) == ["progress"]


def test_stage_that_is_on_is_not_told_twice() -> None:
    """The same stage of the same recipe begins once."""
    stream = io.BytesIO()
    reporter = Reporter(stream, Clock())
    for stage in ("convert", "convert", "evaluate"):
        reporter.stage("r", stage)
    assert _told(stream) == ["stage", "stage"]


def test_seconds_are_booked_on_recipe_and_stage() -> None:
    """A stage that comes back adds up; another recipe's time is its own."""
    clock = Clock()
    reporter = Reporter(io.BytesIO(), clock)
    for recipe, stage, spent in [
        ("a", "train", 2),
        ("a", "evaluate", 1),
        ("b", "train", 4),
        ("a", "train", 8),
    ]:
        reporter.stage(recipe, stage)
        clock.now += spent
    assert reporter.seconds("a") == {"train": 10, "evaluate": 1}
    assert reporter.seconds("b") == {"train": 4}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DataUnavailable("gone"), "data-unavailable"),
        (DataError("wrong"), "data"),
        (ConfigError("odd"), "config"),
        (ToolchainError("keras3", "three"), "keras3"),
        (StoreError("full"), "other"),
        (MemoryError(), "memory"),
        (type("ResourceExhaustedError", (Exception,), {})("OOM"), "memory"),
        (RuntimeError("strange"), "other"),
    ],
)
def test_kind_of_a_failure(error: Exception, kind: str) -> None:
    """Each foreseen exception has its kind, the rest is other."""
    assert failure(error, stage="train", project=Path("/nowhere")).kind == kind


def test_strange_exception_while_converting_has_its_own_kind() -> None:
    """The stage tells a converter's error from another."""
    assert failure(RuntimeError(), stage="convert", project=Path("/nowhere")).kind == "convert"


@pytest.mark.parametrize("stage", ["check layers", "quantize"])
def test_strange_exception_while_quantizing_names_the_way_out(stage: str) -> None:
    """Some errors of tfmot name none of litegate's arguments."""
    error = failure(ValueError("Shape mismatch"), stage=stage, project=Path("/nowhere"))
    assert "tfmot failed" in error.what
    assert "int8_ptq" in error.remedy


def test_foreseen_failure_keeps_its_words() -> None:
    """What, expected, got and remedy are those of the error."""
    error = ToolchainError("config", "what", expected="this", got="that", remedy="so")
    told = failure(error, stage="train", project=Path("/nowhere"))
    assert (told.what, told.expected, told.got, told.remedy) == ("what", "this", "that", "so")


def test_failure_in_the_users_code_has_file_and_line(tmp_path: Path) -> None:
    """The innermost frame of the user's code counts, not the library's below it."""
    file = tmp_path / "mine.py"
    file.write_text("import json\ndef inner():\n    json.loads('x')\ndef outer():\n    inner()\n")
    names: dict[str, object] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)  # noqa: S102 the user's code
    with pytest.raises(json.JSONDecodeError) as caught:
        names["outer"]()
    assert len(traceback.extract_tb(caught.value.__traceback__)) > 3
    told = failure(caught.value, stage="train", project=tmp_path)
    assert (told.kind, told.file, told.line) == ("builder", str(file), 3)
    assert told.got.startswith("JSONDecodeError: ")
    assert told.remedy == "correct mine.py:3"


def test_long_exception_is_cut() -> None:
    """TensorFlow's graphs of many pages are not passed on whole."""
    told = failure(RuntimeError("x" * 9999), stage="train", project=Path("/nowhere"))
    assert len(told.got) == 1500


@pytest.mark.parametrize(
    ("inside", "own"),
    [
        ("models/m.py", True),
        ("layers.py", True),
        (".venv/lib/python3.11/site-packages/tf/core.py", False),
        ("../other/m.py", False),
    ],
)
def test_whose_code_a_file_is(tmp_path: Path, inside: str, own: bool) -> None:  # noqa: FBT001
    """The user's is what lies below the project and is not installed there."""
    assert is_user_file(str(tmp_path / inside), tmp_path) is own


def test_litegate_and_its_python_are_never_the_users() -> None:
    """Not even where the project is litegate's own checkout, or all of the disk."""
    root = Path("/")
    assert not is_user_file(pins.__file__, root)
    assert not is_user_file(str(Path(sys.prefix) / "lib" / "x.py"), root)
    assert is_user_file("/home/somebody/x.py", root)


def test_order_is_a_permutation_of_seed_and_epoch() -> None:
    """Every sample once; another order for another epoch or seed, the same for the same."""
    seven, eight = Training(seed=7), Training(seed=8)
    first = epoch_order(seven, 0, 1000)
    assert np.array_equal(np.sort(first), np.arange(1000))
    assert np.array_equal(first, epoch_order(Training(seed=7, epochs=9), 0, 1000))
    assert not np.array_equal(first, epoch_order(seven, 1, 1000))
    assert not np.array_equal(first, epoch_order(eight, 0, 1000))


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (19, 19), (20, 20), (21, 20)])
def test_calibration_takes_as_many_as_there_are(asked: int, given: int) -> None:
    """Different samples of the training split, in a seeded order, each as a batch of one."""
    x = np.arange(20, dtype=np.float32).reshape(20, 1)
    samples = TensorSamples(x_train=x, y_train=x, x_test=x, y_test=x)
    frameworks = Frameworks(tf=_Gather, keras=None)
    alive: list[int] = []
    recipe = int8_ptq(calibration_samples=asked)
    calibration = make_calibration(
        frameworks, samples, recipe, Training(seed=7), lambda: alive.append(1)
    )
    shown = [sample for (sample,) in calibration()]
    assert [sample.shape for sample in shown] == [(1, 1)] * given
    assert len({float(sample[0, 0]) for sample in shown}) == len(alive) == given
    assert [s.item() for s in shown] == [s.item() for (s,) in calibration()]


class _Gather:
    """TensorFlow's `gather`, on NumPy."""

    def __init__(self, picked: np.ndarray) -> None:
        self._picked = picked

    @classmethod
    def gather(cls, array: np.ndarray, indices: np.ndarray) -> _Gather:
        return cls(array[indices])

    def numpy(self) -> np.ndarray:
        return self._picked


def test_tensorflow_cpu_stands_in_for_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Either distribution brings the same package."""
    have = {"tensorflow-cpu": "2.21.0"}

    def version(name: str) -> str:
        if name not in have:
            raise PackageNotFoundError(name)
        return have[name]

    monkeypatch.setattr(pins, "version", version)
    assert pins.installed("tensorflow") == "2.21.0"
    assert pins.installed("tf-keras") == ""


def test_pins_cannot_be_changed() -> None:
    """What keys are made of is read-only."""
    with pytest.raises(TypeError):
        pins.PINS["tensorflow"] = "0"


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("Rescaling", "move Rescaling into preprocess; the application must then scale its input"),
        ("Normalization", "move Normalization into preprocess; the application must then scale"),
        ("RandomFlip", "remove RandomFlip: it has no effect at inference"),
        ("RandAugment", "remove RandAugment: it has no effect at inference"),
    ],
)
def test_a_preprocessing_layer_is_refused_with_one_sentence(kind, remedy):
    """By a network of Keras 3, and by tfmot; no list of other layers."""
    path = f"tf_keras.src.layers.preprocessing.image_preprocessing.{kind}"
    for error in (
        supported.unsupported_error("first", kind, is_operation=False),
        quantize.unsupported_error("first", path),
    ):
        assert error.remedy.startswith(remedy)
        assert not error.expected
        assert "first" in error.what


def test_another_layer_is_refused_with_the_layers_that_are_taken():
    error = supported.unsupported_error("first", "GRU", is_operation=False)
    assert "Conv2D" in error.expected
    assert error.remedy.startswith("rewrite it with other layers")
    assert "float_layers" in quantize.unsupported_error("first", "tf_keras.layers.GRU").remedy
