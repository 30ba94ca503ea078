"""Measures on samples and outputs that stay on disk: what they say of arrays, to the last bit."""

import gc
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from tiny import artifact, selector

from litegate.core.errors import ArtifactError, MeasurementError, StoreCorrupt
from litegate.data import disk_arrays
from litegate.data.disk_arrays import ArrayWriter, DiskArray
from litegate.data.duplicates import originals
from litegate.measures.accuracy import accuracy, accuracy_drop, class_drop
from litegate.measures.accuracy.agreement import (
    agreement_with_reference,
    keras_difference,
)
from litegate.measures.accuracy.decisions import demand_finite_outputs
from litegate.measures.accuracy.layer_error import layer_errors
from litegate.measures.accuracy.output_error import output_error
from litegate.measures.accuracy.runtime_agreement import runtime_agreement
from litegate.measures.properties import in_range, property_violations
from litegate.runtimes import outputs
from litegate.runtimes.inference import predict
from litegate.runtimes.outputs import Outputs, collect_outputs
from litegate.spec import Kind
from litegate.testing import artifact as tiny_artifact
from litegate.testing import evaluation, tiny
from litegate.tflite.ports import Port

SPLIT = evaluation(240)
"""Of which nine are there twice: 249 samples of 400 bytes."""
SPLIT = replace(SPLIT, x=np.append(SPLIT.x, SPLIT.x[:9], 0), y=np.append(SPLIT.y, SPLIT.y[:9]))
PAIR = Kind.FLOAT32, Kind.INT8_PTQ


@pytest.fixture
def small_parts(monkeypatch):
    """Seven samples at a time, answers on disk: every seam is met."""
    monkeypatch.setattr(disk_arrays, "PART", 7 * 400)
    monkeypatch.setattr(outputs, "IN_MEMORY", 0)


@pytest.fixture
def on_disk(tmp_path):
    np.save(tmp_path / "x.npy", SPLIT.x)
    return replace(SPLIT, x=DiskArray(tmp_path / "x.npy"))


def pair(split):
    answers = np.arange(4 * len(split.x), dtype=np.float32).reshape(-1, 4)
    files = [(tiny(kind), kind) for kind in PAIR]
    return [tiny_artifact(*one, split=split, keras_outputs=answers) for one in files]


def told(found):
    """All that a measurement says but its sentence, which is made when it is asked for."""
    return asdict(replace(found, why=None, rule=None, limits_at=None))


MEASURES = {
    "accuracy": lambda _, candidate: told(accuracy(candidate)),
    "drop": lambda *both: told(accuracy_drop(*both)),
    "class drop": lambda *both: told(class_drop(*both)),
    "agreement": lambda *both: told(agreement_with_reference(*both)),
    "kernels": lambda _, candidate: told(
        runtime_agreement(replace(candidate, runtime="reference"))
    ),
    "keras": lambda _, candidate: told(keras_difference(candidate)),
    "output error": lambda *both: told(output_error(*both)),
    "layers": layer_errors,
    "originals": lambda _, candidate: originals(candidate.evaluation).tolist(),
    "in range": lambda _, candidate: told(property_violations(candidate, in_range, examples=5)),
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_what_is_measured_on_disk_is_what_is_measured_in_memory(measure, on_disk, request):
    in_memory = measure(*pair(SPLIT))
    request.getfixturevalue("small_parts")
    assert measure(*pair(on_disk)) == in_memory


@pytest.mark.parametrize("kind", PAIR)
def test_answers_on_disk_have_the_same_bits(kind, on_disk, small_parts, monkeypatch):
    found = predict(tiny_artifact(tiny(kind), kind, split=on_disk))
    assert isinstance(found.raw, DiskArray)
    monkeypatch.undo()
    held = predict(tiny_artifact(tiny(kind), kind, split=SPLIT))
    np.testing.assert_array_equal(found.raw[:], held.raw)
    np.testing.assert_array_equal(found[3:50].real, held.real[3:50])
    assert found.quantum == held.quantum


def test_the_first_of_two_equal_samples_stands_for_both(on_disk):
    groups = originals(on_disk)
    assert groups[-9:].tolist() == list(range(9))
    assert groups[:-9].tolist() == list(range(240))


def test_nan_in_the_last_sample_is_found_and_counted(tmp_path, small_parts):
    x = np.zeros((30, 3), np.float32)
    x[[11, 29], 1] = np.nan, np.inf
    np.save(tmp_path / "x.npy", x)
    one = artifact(selector(3, [0, 1]), x)
    one = replace(one, evaluation=replace(one.evaluation, x=DiskArray(tmp_path / "x.npy")))
    with pytest.raises(
        MeasurementError,
        match=r"2 of 30 samples of .*\n.*\n.*sample 11 of the evaluation split is the first",
    ):
        predict(one)


@pytest.mark.parametrize(("integer", "sound"), [(1, True), (2, False), (255, False)])
def test_an_integer_that_means_infinity_is_an_error(integer, sound):
    """float32 ends at 3.4e38."""
    port = Port(index=0, name="", dtype=np.dtype("u1"), shape=(-1, 2), scale=3e38, zero_point=0)
    raw = np.array([[0, 1], [0, integer]], np.uint8)
    if sound:
        demand_finite_outputs(Outputs(raw=raw, port=port), "it")
        return
    with pytest.raises(MeasurementError, match=r"NaN or infinite for 1 of 2(?s:.*)sample 1 is"):
        demand_finite_outputs(Outputs(raw=raw, port=port), "it")


@pytest.mark.parametrize("counts", [[2, 2], [3, 3], [1, 1, 1, 1, 1, 1], [6]])
@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_five_answers_are_neither_four_nor_six(counts, limit, monkeypatch):
    monkeypatch.setattr(outputs, "IN_MEMORY", limit)
    parts = ({"": np.zeros((count, 2), np.int8)} for count in counts)
    with pytest.raises(ArtifactError, match=f"(?s)expected: 5.*got: {sum(counts)}"):
        collect_outputs(parts, 5, "it")


@pytest.mark.parametrize("limit", [0, 1 << 20])
@pytest.mark.parametrize(
    ("shapes", "text"),
    [([(2, 2), (3, 4)], r"expected: \(2,\)(?s:.*)got: \(4,\)"), ([()], "(?s)expected: 5.*got: 1")],
)
def test_answers_that_are_not_one_a_sample_are_an_error(shapes, text, limit, monkeypatch):
    monkeypatch.setattr(outputs, "IN_MEMORY", limit)
    with pytest.raises(ArtifactError, match=text):
        collect_outputs(({"": np.zeros(shape, np.int8)} for shape in shapes), 5, "it")


@pytest.mark.parametrize(("limit", "kind"), [(39, DiskArray), (40, np.ndarray), (41, np.ndarray)])
def test_answers_stay_in_memory_up_to_a_limit(limit, kind, monkeypatch):
    monkeypatch.setattr(outputs, "IN_MEMORY", limit)
    values = np.arange(10, dtype=np.float32).reshape(5, 2)
    found = collect_outputs(iter([{"": values[:2]}, {"": values[2:]}]), 5, "it")[""]
    assert type(found) is kind
    np.testing.assert_array_equal(found[:], values)


def test_a_large_output_goes_to_disk_and_a_small_one_beside_it_does_not(monkeypatch):
    monkeypatch.setattr(outputs, "IN_MEMORY", 20)
    wide, narrow = np.arange(10, dtype=np.float32).reshape(5, 2), np.arange(5, dtype=np.int8)
    parts = [{"wide": wide[at], "narrow": narrow[at]} for at in (slice(0, 2), slice(2, 5))]
    found = collect_outputs(iter(parts), 5, "it")
    assert (type(found["wide"]), type(found["narrow"])) == (DiskArray, np.ndarray)
    np.testing.assert_array_equal(found["wide"][:], wide)
    np.testing.assert_array_equal(found["narrow"], narrow)


FLAT = """
import resource, sys
from pathlib import Path
import numpy as np
from litegate.data.disk_arrays import DiskArray
from litegate.measures.accuracy.output_error import output_error
from litegate.spec import Evaluation
from litegate.testing import artifact

def measured(x):
    split = Evaluation(digest=str(len(x)), x=x, y=None, classes=(), domain=(0.0, 1.0))
    both = [artifact(Path(name).read_bytes(), split=split) for name in sys.argv[2:]]
    output_error(*both)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

x = DiskArray(Path(sys.argv[1]))
print(-measured(x[:1000]) + measured(x))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="getrusage is of POSIX")
def test_memory_does_not_grow_with_the_set(tmp_path):
    """200 MB of samples need no 50 MB more than 10 MB of them do, which are in memory."""
    few = np.random.default_rng(0).random((1000, 2500), np.float32)
    with ArrayWriter(tmp_path / "x.npy") as writer:
        for _ in range(20):
            writer.add(few)
            few += np.float32(1e-3)
    argv = [sys.executable, "-c", FLAT, str(tmp_path / "x.npy")]
    for gain in (1.0, 1.01):
        argv.append(str(tmp_path / f"{gain}.tflite"))
        (tmp_path / f"{gain}.tflite").write_bytes(selector(2500, [0, 9], gain=gain))
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 50


def test_rows_close_their_file_when_nobody_needs_them(tmp_path, recwarn):
    np.save(tmp_path / "x.npy", np.zeros((4, 2)))
    disk_arrays = DiskArray(tmp_path / "x.npy")
    file = disk_arrays._file
    del disk_arrays
    gc.collect()
    assert file.closed
    (tmp_path / "x.npy").write_bytes(b"no array")
    with pytest.raises(StoreCorrupt):
        DiskArray(tmp_path / "x.npy")
    gc.collect()
    assert not [one for one in recwarn if one.category is ResourceWarning]
