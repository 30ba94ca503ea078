"""`litegate compare`: the exit status is the verdict."""

import json
import re
from pathlib import Path

import needs
import numpy as np
import pytest
from recurrent import remembering
from tiny import selector
from typer.testing import CliRunner

from litegate.cli import app
from litegate.cli.common import distinct_names
from litegate.spec import Kind
from litegate.testing import evaluation, float_layer, pad, revalue, tiny
from litegate.tflite.editing.draft import edit

FLOAT, INT8 = tiny(Kind.FLOAT32), tiny(Kind.INT8_QAT)


@pytest.fixture
def compare(tmp_path, monkeypatch):
    """Run the command on two files' bytes; gives what it did."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(a, b, *args):
        (tmp_path / "a.tflite").write_bytes(a)
        (tmp_path / "b.tflite").write_bytes(b)
        return CliRunner().invoke(app, ["compare", "a.tflite", "b.tflite", *args])

    return run


@pytest.fixture
def samples(tmp_path):
    """A file of samples that the tiny network decides clearly, with their labels."""
    split = evaluation()
    np.savez(tmp_path / "data.npz", x=split.x, y=split.y)
    np.savez(tmp_path / "unlabelled.npz", x=split.x)
    return split


def rows(done):
    return {row["what"]: (row["a"], row["b"]) for row in json.loads(done.stdout)["rows"]}


def test_quantizing_keeps_the_limits(compare):
    done = compare(FLOAT, INT8)
    assert done.exit_code == 0
    assert "B keeps the judged limits of a change to A" in done.stdout
    assert "PASS size growth of b.tflite" in done.stdout


def test_what_was_not_judged_is_said(compare, samples):
    done = compare(FLOAT, INT8)
    assert "not judged: accuracy (--data with labels), latency (--latency)\n" in done.stdout
    done = compare(FLOAT, INT8, "--data", "data.npz")
    assert "not judged: latency (--latency)\n" in done.stdout
    named = json.loads(compare(FLOAT, INT8, "--data", "unlabelled.npz", "--json").stdout)
    assert named["not_judged"] == ["accuracy (--data with labels)", "latency (--latency)"]


def test_sequences_are_answered_by_their_last_frame(compare, samples, tmp_path):
    """With lengths, x has frames: the state lasts within a sequence, labels are of sequences."""
    lengths = np.arange(1, 20)
    last = np.cumsum(lengths) - 1
    frames, y = samples.x[: last[-1] + 1], samples.y[last]
    np.savez(tmp_path / "frames.npz", x=frames, y=y, lengths=lengths)
    np.savez(tmp_path / "samples.npz", x=samples.x[last], y=y)
    by_frames, by_samples = (
        rows(compare(FLOAT, INT8, "--data", data, "--json"))
        for data in ("frames.npz", "samples.npz")
    )
    assert by_frames == by_samples
    assert by_frames["accuracy"][0] > 0.9


@pytest.mark.parametrize(("lengths", "spread"), [([3, 3], 0), ([1, 2, 3], 0.8165)])
def test_state_lasts_within_a_sequence(compare, tmp_path, lengths, spread):
    """A layer sums the last three frames, all of 0.5: by its state 1, 2 and 3, or 3 and 3."""
    np.savez(tmp_path / "frames.npz", x=np.full((6, 2), 0.5), lengths=lengths)
    done = compare(remembering(), remembering(), "--data", "frames.npz")
    assert done.exit_code == 0
    (line,) = (line for line in done.stdout.splitlines() if "outputs of" in line)
    assert f"outputs of {len(lengths)} samples differ by 0 in the mean" in line
    assert f"their SD in A is {spread:.4g}" in line


@pytest.mark.parametrize("lengths", [[100, 101], [0, 200], [[200]], [100.0, 100.0], []])
def test_lengths_that_do_not_fit_are_no_verdict(compare, samples, tmp_path, lengths):
    """As of a file of frames that was cut off."""
    np.savez(tmp_path / "frames.npz", x=samples.x, lengths=lengths)
    done = compare(FLOAT, INT8, "--data", "frames.npz")
    assert done.exit_code == 2
    assert "the lengths of frames.npz do not fit its frames" in done.stderr


def test_labels_of_frames_are_no_verdict(compare, samples, tmp_path):
    """A sequence has one answer, and so one label."""
    np.savez(tmp_path / "frames.npz", x=samples.x, y=samples.y, lengths=[150, 50])
    done = compare(FLOAT, INT8, "--data", "frames.npz")
    assert done.exit_code == 2
    assert "y is int64 of shape (200,) beside 2 sequences" in done.stderr


def test_files_of_two_models_are_not_compared(compare):
    done = compare(FLOAT, selector(4, [0, 1]))
    assert done.exit_code == 2
    assert "a.tflite and b.tflite are not versions of one model: their inputs dif" in done.stderr
    done = compare(selector(4, [0, 1]), selector(4, [0, 1, 2]))
    assert done.exit_code == 2
    assert "their outputs differ" in done.stderr
    assert compare(selector(4, [0]), selector(4, [1], free=False)).exit_code == 0


@pytest.mark.parametrize("data", ["data.npz", "unlabelled.npz"])
def test_outputs_that_are_not_finite_are_no_verdict(compare, samples, data):
    broken = revalue(FLOAT, "dense/bias", lambda values: values * np.float32(np.nan))
    done = compare(FLOAT, broken, "--data", data)
    assert done.exit_code == 2
    assert "outputs of b.tflite are NaN or infinite for 200 of 200 samples" in done.stderr


def test_samples_of_another_shape_are_not_blamed_on_their_range(compare, tmp_path):
    np.savez(tmp_path / "flat.npz", x=np.full((20, 28, 28), 255, np.float32))
    done = compare(FLOAT, INT8, "--data", "flat.npz")
    assert done.exit_code == 2
    assert "does not accept these samples" in done.stderr


def test_going_back_to_floats_is_worse(compare):
    done = compare(INT8, FLOAT)
    assert done.exit_code == 1
    assert "FAIL size growth of b.tflite" in done.stdout
    assert "FAIL tensors and operators no longer integer of b.tflite" in done.stdout
    assert done.stdout.rstrip().endswith("B is worse than A")


def test_the_same_file_is_the_same(compare):
    done = compare(INT8, INT8, "--json")
    assert done.exit_code == 0
    assert all(a == b for a, b in rows(done).values())


@pytest.mark.parametrize(("more", "status"), [(0.009, 0), (0.012, 1)])
def test_one_per_cent_of_growth_is_the_limit(compare, more, status):
    assert compare(INT8, pad(INT8, int(len(INT8) * more))).exit_code == status


def test_another_interface_is_shown(compare):
    """And not judged: files of two recipes are compared, too."""
    uint8, int8 = (tiny(Kind.INT8_QAT, input_type=name) for name in ("uint8", "int8"))
    done = compare(uint8, int8, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["notes"][:2] == [
        "interface: input 'input': type uint8 -> int8",
        "interface: input 'input': zero point 0 -> -128",
    ]


def test_json_says_what_the_terminal_says(compare, samples):
    done = compare(FLOAT, INT8, "--data", "data.npz", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0  # 200 samples prove no half point: the gate lets that pass, too
    assert found["verdict"] == "inconclusive"
    assert rows(done)["MACs"] == (5632, 5632)
    assert rows(done)["arena"] == (2064, 528)
    assert rows(done)["types"] == ("float32", "int8")
    (accuracy,) = [one for one in found["verdicts"] if one["measurement"].startswith("accuracy")]
    assert accuracy["n"] == len(samples.y)
    assert accuracy["interval"]["level"] == 0.95
    assert any("outputs of 200 samples differ" in note for note in found["notes"])


def test_labels_judge_accuracy(compare, samples):
    """A network of another seed knows nothing of this one's classes."""
    done = compare(INT8, tiny(Kind.INT8_QAT, seed=8), "--data", "data.npz")
    assert done.exit_code == 1
    assert "FAIL accuracy regression of b.tflite" in done.stdout


@pytest.mark.parametrize("port", ["float32", "int8"])
def test_samples_that_lack_their_preprocessing_are_an_error(compare, samples, tmp_path, port):
    """0 to 255 for a network of 0 to 1: four in five values may be black, and nothing is left."""
    dark = samples.x * 255 * (samples.x > 0.8)
    np.savez(tmp_path / "raw.npz", x=dark, y=samples.y)
    done = compare(FLOAT, tiny(Kind.INT8_QAT, input_type=port), "--data", "raw.npz")
    assert done.exit_code == 2, done.output
    assert "the input input of b.tflite clips too much of the samples" in done.stderr
    assert "expected: values from 0 to 1" in done.stderr
    assert "the samples are 0 to 252.5, and " in done.stderr
    assert "of 200 samples lose most of their information" in done.stderr
    assert "what to do: preprocess the samples" in done.stderr


def test_a_few_values_that_are_cut_off_are_a_note(compare, samples, tmp_path):
    x = samples.x.copy()
    x[:10, 0, 0] = 3
    np.savez(tmp_path / "far.npz", x=x, y=samples.y)
    done = compare(INT8, INT8, "--data", "far.npz", "--json")
    assert done.exit_code == 0, done.output
    notes = json.loads(done.stdout)["notes"]
    assert [note for note in notes if "clips values" in note] == [
        f"the input input of {name} clips values of the samples: its range is 0 to 1, the samples "
        "are 4.166e-06 to 3, and 0.05 % of their values are outside; what to do: preprocess the "
        "samples as in training"
        for name in ("a.tflite", "b.tflite")
    ]


def test_samples_that_fit_need_no_note(compare, samples):
    assert "clips" not in compare(FLOAT, INT8, "--data", "data.npz").output


def test_without_labels_agreement_is_told_and_not_judged(compare, samples):
    done = compare(INT8, tiny(Kind.INT8_QAT, seed=8), "--data", "unlabelled.npz", "--json")
    assert done.exit_code == 0
    assert rows(done)["equal decisions"][1] < 0.9
    assert not [
        one for one in json.loads(done.stdout)["verdicts"] if "accuracy" in one["measurement"]
    ]


@pytest.mark.slow
def test_latency_is_judged_where_it_is_asked_for(compare):
    done = compare(INT8, INT8, "--latency")
    assert done.exit_code == 0
    assert "latency growth of b.tflite is 0.00 %" in done.stdout
    timed = compare(INT8, FLOAT, "--latency")
    assert "latency growth of b.tflite" in timed.stdout


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((2, 10, 10, 1)), "y": np.zeros(3, int)}, "y is int64 of shape"),
        ({"x": np.zeros((2, 10, 10, 1)), "y": np.zeros(2)}, "y is float64"),
        ({"x": np.zeros((0, 10, 10, 1))}, "of shape (0,"),
        ({"x": np.array(["a", "b"])}, "x is <U1"),
        ({"images": np.zeros((2, 10, 10, 1))}, "got: images"),
        ({"x": np.array([{}], dtype=object)}, "allow_pickle"),
        ({"x": np.full((2, 10, 10, 1), np.nan)}, "NaN"),
        ({"x": np.zeros((2, 0))}, "does not accept these samples"),
        ({"x": np.zeros((2, 3))}, "does not accept these samples"),
    ],
)
def test_data_that_cannot_be_used_are_an_error(compare, tmp_path, arrays, said):
    np.savez(tmp_path / "data.npz", **arrays)
    done = compare(FLOAT, INT8, "--data", "data.npz")
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_archive_is_an_error(compare, tmp_path, data):
    (tmp_path / "data.npz").write_bytes(data)
    done = compare(FLOAT, INT8, "--data", "data.npz")
    assert done.exit_code == 2
    assert "does not contain samples" in done.stderr


def test_missing_files_are_an_error(compare):
    assert compare(FLOAT, INT8, "--data", "gone.npz").exit_code == 2
    done = CliRunner().invoke(app, ["compare", "gone.tflite", "b.tflite"])
    assert done.exit_code == 2
    assert "gone.tflite cannot be read" in done.stderr


@pytest.mark.parametrize("cut", [0, 10, 1000])
def test_a_truncated_file_is_an_error_that_says_which(compare, cut):
    done = compare(INT8, INT8[:cut])
    assert done.exit_code == 2
    assert "b.tflite is not a valid .tflite file" in done.stderr


@pytest.mark.parametrize(
    ("a", "b", "names"),
    [
        ("a.tflite", "b.tflite", ("a.tflite", "b.tflite")),
        ("far/a.tflite", "far/b.tflite", ("a.tflite", "b.tflite")),
        ("old/net/m.tflite", "new/net/m.tflite", ("old/net/m.tflite", "new/net/m.tflite")),
        ("m.tflite", "new/m.tflite", ("m.tflite", "new/m.tflite")),
        ("/m.tflite", "./m.tflite", ("/m.tflite", "m.tflite")),
        ("m.tflite", "./m.tflite", ("m.tflite (A)", "m.tflite (B)")),
    ],
)
def test_files_are_called_by_the_shortest_names_that_tell_them_apart(a, b, names):
    assert distinct_names(Path(a), Path(b)) == names


def test_files_of_one_name_are_distinct_names_by_their_folders(compare, tmp_path):
    for folder, tflite in (("old", INT8), ("new", INT8[:1000])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "m.tflite").write_bytes(tflite)
    done = CliRunner().invoke(app, ["compare", "old/m.tflite", "new/m.tflite"])
    assert "new/m.tflite is not a valid .tflite file" in done.stderr


def test_what_changed_is_named_and_hostile_names_stay_text(compare):
    def rename(model):
        model.subgraphs[0].tensors[0].name = "\x1b[31m[bold]red"

    done = compare(INT8, edit(float_layer(INT8, "dense"), rename))
    assert done.exit_code == 1
    assert "DEQUANTIZE came" in done.stdout
    assert "\x1b" not in done.stdout


def test_lines_into_a_pipe_are_not_broken(compare, monkeypatch):
    """A log is searched line by line."""
    monkeypatch.delenv("COLUMNS")
    said = compare(FLOAT, INT8).stdout
    assert any(len(line) > 80 for line in said.splitlines())
    assert "B keeps the judged limits of a change to A" in said


def test_runtimes_are_judged_each_and_against_the_first(compare, samples):
    """The verdicts, the shares and the differences of each; the files themselves once."""
    done = compare(FLOAT, INT8, "--data", "data.npz", "--runtime", "xnnpack,reference", "--json")
    assert done.exit_code == 0, done.output
    verdicts = {row["measurement"]: row for row in json.loads(done.stdout)["verdicts"]}
    here, there = verdicts["accuracy regression"], verdicts["accuracy regression on reference"]
    assert (there["n"], there["limit"]) == (here["n"], here["limit"])
    assert "accuracy regression on reference of b.tflite is" in there["sentence"]
    assert "LiteRT 2." in there["evidence"][-1]
    assert "reference kernels on this machine, not a board" in there["evidence"][-1]
    judged = rows(done)
    assert set(judged["reference decides as xnnpack"]) == {1.0}
    assert judged["accuracy on reference"] == judged["accuracy"]
    assert "equal decisions on reference" in judged


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("--runtime", "reference"), "--runtime needs --data"),
        (("--data", "data.npz", "--runtime", "xnnpack,npu"), "there is no runtime npu"),
    ],
)
def test_runtimes_that_cannot_be_judged_are_an_error(compare, samples, args, part):
    done = compare(FLOAT, INT8, *args)
    assert done.exit_code == 2
    assert part in done.stderr


@needs.tflm
def test_memory_on_tflm_is_recorded_of_both_files(compare, samples):
    """Beside the plan of both; a record and a plan are never compared."""
    judged = rows(compare(FLOAT, INT8, "--data", "data.npz", "--runtime", "tflm", "--json"))
    recorded, planned = judged["arena on tflm"], judged["arena"]
    assert recorded[0] > recorded[1]
    assert all(whole > part for whole, part in zip(recorded, planned, strict=True))


@needs.tflm
def test_a_file_that_a_runtime_refuses_is_not_compared(compare, samples):
    done = compare(INT8, tiny(Kind.DYNAMIC_RANGE), "--data", "data.npz", "--runtime", "tflm")
    assert done.exit_code == 2
    assert re.search(r"tflm \S+ refuses b.tflite\n", done.stderr)
    assert "failed to prepare" in done.stderr
