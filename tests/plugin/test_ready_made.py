"""Prebuilt models: files that a user brings, gated like any other, and what may be amiss."""

import hashlib
import json
import shutil
import subprocess
import zlib
from pathlib import Path

import fake_vela
import numpy as np
import pytest

from litegate.data.digests import array_digest
from litegate.runtimes.inference import outputs
from litegate.spec import Kind
from litegate.testing import evaluation, pad, tiny

CHECKS = Path(__file__).resolve().parents[2] / "checks"
FLOAT, INT8 = tiny(Kind.FLOAT32), tiny(Kind.INT8_PTQ)
MODEL = """
import litegate as lg

mine = lg.prebuilt(
    reference="files/float32.tflite",
    candidate={candidate},
    data=lg.datasets.npz(
        "samples.npz", x="x", y={y!r}, digests={digests!r}, domain=(0.0, 1.0), classes={classes!r}
    ),
    budget=lg.Budget({budget}),
    input_type="float32",
    output_type="float32",
)
"""
CANDIDATE = '"files/int8.tflite"'
ONE = ("-k", "accuracy_reaches")
ACCURACY = "accuracy=lg.percent(95), accuracy_drop=lg.points(3)"


@pytest.fixture
def ready(project):
    """A project with a prebuilt model `mine`; what it says can be changed, as can its files."""
    return Ready(project).write()


class Ready:
    """Writes the files, the samples and the declaration."""

    def __init__(self, project):
        self.project, self.path = project, project.path
        for name in ("accuracy", "agreement", "regression", "size", "tensors", "weakened_limits"):
            shutil.copy(CHECKS / f"test_{name}.py", project.path / "checks")
        (self.path / "files").mkdir()
        (self.path / "files" / "float32.tflite").write_bytes(FLOAT)
        (self.path / "files" / "int8.tflite").write_bytes(INT8)
        split = evaluation()
        self.arrays = {"x": split.x, "y": split.y}
        np.savez(self.path / "samples.npz", **self.arrays)
        self.digests = {f"{k}_test": array_digest(each) for k, each in self.arrays.items()}

    def write(self, budget=ACCURACY, *, candidate=CANDIDATE, labels=True):
        text = MODEL.format(
            candidate=candidate,
            budget=budget,
            y="y" if labels else None,
            digests={k: v for k, v in self.digests.items() if labels or k == "x_test"},
            classes=tuple(f"class {i}" for i in range(4)) if labels else (),
        )
        (self.path / "models" / "mine.py").write_text(text)
        return self

    def file(self, **fields):
        """Name the candidate by a `litegate.File`."""
        written = ", ".join(f"{name}={value!r}" for name, value in fields.items())
        return self.write(candidate=f"lg.File({written})")

    def git(self, *args):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        argv = ["git", *identity, *args]
        subprocess.run(argv, cwd=self.path, check=True, capture_output=True)

    def as_base(self):
        """Commit everything on main and go on, on a branch."""
        ignored = self.path / ".gitignore"
        ignored.write_text(".litegate\n__pycache__\nout\n")
        self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("commit", "-qm", "base")
        self.git("checkout", "-qb", "topic")
        return self

    def commit(self):
        self.git("commit", "-qam", "change")
        return self

    def run(self, *args):
        return self.project.run("checks/", "-m", "not latency", *args)

    def against(self):
        return self.run("--against", "main")

    @property
    def report(self):
        return json.loads((self.path / ".litegate" / "report" / "report.json").read_text())

    def measured(self, name):
        return next(row for row in self.report["verdicts"] if row["measurement"] == name)


def said(done, text):
    lines = pytest.LineMatcher([*done.outlines, *done.errlines])
    lines.fnmatch_lines([f"*{text.replace('[', '[[]')}*"])


def test_two_files_are_a_model_like_any_other(ready):
    """Called as its variable, gated by the project's checks; its certificate says prebuilt."""
    assert ready.run().ret == 0
    report = ready.report
    assert {row["model"] for row in report["verdicts"]} == {"mine"}
    assert ready.measured("accuracy")["value"] > 0.95
    sha256 = hashlib.sha256(INT8).hexdigest()
    born = {"prebuilt": {"path": "files/int8.tflite"}, "sha256": sha256}
    assert report["artifacts"][sha256] == born


def test_a_floor_that_the_reference_breaks_too_says_so(ready):
    """Quantization is innocent then."""
    assert ready.write("accuracy=lg.percent(100)").run(*ONE).ret == 0
    row = ready.measured("accuracy")
    assert row["verdict"] != "pass"
    [reference] = [it for it in ready.report["recipes"] if it["recipe"] == "float32"]
    value = f"{100 * reference['accuracy']:.2f} %"
    assert row["evidence"][0] == f"the float reference, float32, has {value} on the same samples"


def test_a_changed_file_is_judged_without_ado(ready):
    """The key is the bytes' digest: nothing is left of what the file held before."""
    assert ready.run().ret == 0
    (ready.path / "files" / "int8.tflite").write_bytes(FLOAT)
    done = ready.run()
    assert done.ret == 1
    said(done, "mine/int8_ptq  tensor type violations: ")


@pytest.mark.parametrize(
    ("file", "declared", "change"),
    [
        (tiny(Kind.INT8_PTQ), "", 'input_type="float32", output_type="float32", as the file has'),
        (tiny(Kind.DYNAMIC_RANGE), "", 'kind="dynamic_range", as the file has'),
        (FLOAT, 'kind="float16",', "candidate=...: a float32 file, as reference=... must be"),
    ],
)
def test_a_file_of_another_type_or_kind_gets_the_line_to_write(ready, file, declared, change):
    """With the file and line of the declaration; written so, the file passes."""
    (ready.path / "files" / "int8.tflite").write_bytes(file)
    model = ready.path / "models" / "mine.py"
    ports = '    input_type="float32",\n    output_type="float32",\n'
    text = model.read_text()
    model.write_text(text.replace(ports, f"    {declared}\n"))
    shutil.copy(CHECKS / "test_properties.py", ready.path / "checks")
    done = ready.project.run("checks/", "-k", "keep_their_types or in_range")
    assert done.ret == 1
    failed = [row for row in ready.report["verdicts"] if row["verdict"] == "fail"]
    assert "tensor type violations" in {row["measurement"] for row in failed}
    for row in failed:
        assert row["steps"]["change"].startswith(f"models/mine.py:4 {change}")
    if "as the file has" in change:
        model.write_text(text.replace(ports, f"    {change.removesuffix(', as the file has')},\n"))
        assert ready.project.run("checks/test_tensors.py").ret == 0


@pytest.mark.parametrize("labels", [True, False])
def test_samples_that_lack_their_preprocessing_are_no_basis_for_a_pass(ready, labels):
    """Two int8 files that are fed 0 to 255 agree, and both know next to nothing."""
    ready.arrays["x"] = ready.arrays["x"] * 255
    np.savez(ready.path / "samples.npz", **ready.arrays)
    ready.digests["x_test"] = array_digest(ready.arrays["x"])
    (ready.path / "files" / "float32.tflite").write_bytes(tiny(Kind.INT8_QAT))
    ready.write(
        "accuracy_drop=lg.points(3)" if labels else "agreement=lg.percent(50)", labels=labels
    )
    file = ready.path / "models" / "mine.py"
    file.write_text(file.read_text().replace("(0.0, 1.0)", "(0.0, 255.0)"))
    done = ready.run()
    assert done.ret == 1
    said(done, "the input * of mine/int8_ptq clips too much of the samples for any measurement")
    said(done, "what to do: preprocess the samples as in training")
    assert not ready.report["verdicts"]


SCALE = "def scale(samples):\n    return (samples * {gain}).astype('float32')\n"


@pytest.fixture
def in_src(ready):
    """The preprocessing lies in a folder that pytest puts on the import path."""
    (ready.path / "src").mkdir()
    (ready.path / "src" / "scaling.py").write_text(SCALE.format(gain=1.0))
    ready.project.pytester.makeini("[pytest]\npythonpath = src\n")
    model = ready.path / "models" / "mine.py"
    fed = model.read_text().replace('x="x",', 'x="x", preprocess=scale,')
    model.write_text(f"from scaling import scale\n{fed}")
    return ready


def test_preprocessing_in_a_src_folder_is_part_of_the_key(in_src):
    assert in_src.project.run("checks/", *ONE, apart=True).ret == 0
    # Of another length: Python takes bytecode of the same second and size for that of this source.
    (in_src.path / "src" / "scaling.py").write_text(SCALE.format(gain="0.00"))
    done = in_src.project.run("checks/", *ONE, apart=True)
    assert done.ret == 1
    said(done, "mine/int8_ptq  accuracy ")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_a_model_file_is_read_in_the_encoding_that_it_states(ready, encoding):
    file = ready.path / "models" / "mine.py"
    stated = "# -*- coding: latin-1 -*-\n" if encoding == "latin-1" else ""
    file.write_text(f"{stated}NAME = 'caf\u00e9'\n{file.read_text()}", encoding)
    assert ready.run(*ONE).ret == 0


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint64", "int64"])
def test_labels_of_any_integer_type_are_classes(ready, dtype):
    """Twenty classes: their products do not fit into a byte, and uint64 with int64 is a float."""
    ready.arrays["y"] = ready.arrays["y"].astype(dtype)
    np.savez(ready.path / "samples.npz", **ready.arrays)
    ready.digests["y_test"] = array_digest(ready.arrays["y"])
    ready.write()
    assert ready.run().ret == 0
    page = (ready.path / ".litegate" / "report" / "report.html").read_text()
    assert "the page cannot be made" not in page
    assert ready.measured("accuracy")["value"] > 0.95


@pytest.mark.parametrize(
    ("there", "status"), [("sampels.npz", 1), ("samples2.npz", 0), ("others.npz", 0)]
)
def test_a_misspelt_data_file_is_no_file_that_cannot_be_had(ready, there, status):
    """Beside a sound model it would be a green run; of another version it may be missing here."""
    model = ready.path / "models" / "mine.py"
    other = model.read_text().replace("mine =", "other =").replace("samples.npz", "gone.npz")
    shutil.copy(ready.path / "samples.npz", ready.path / there)
    wanted = "samples.npz" if there != "others.npz" else "gone.npz"
    (ready.path / "models" / "other.py").write_text(other.replace("gone.npz", wanted))
    shutil.move(ready.path / "samples.npz", ready.path / "mine.npz")
    model.write_text(model.read_text().replace("samples.npz", "mine.npz"))
    done = ready.run(*ONE)
    assert done.ret == status
    said(done, "did you mean 'sampels.npz'" if status else "1 model not gated")


WITH_TRAINING = """
import litegate as lg
from dataclasses import replace


def both(*file, **fields):
    data = lg.datasets.npz(*file, **fields)

    def load(locations):
        raw = data.load(locations)
        return replace(raw, x_train=raw.x_test, y_train=raw.y_test)

    digests = {f"{axis}_train": data.digests[f"{axis}_test"] for axis in "xy"}
    return replace(data, load=load, digests=data.digests | digests)


"""
UNKNOWN = """
from litegate import byte
from litegate.measures.structure.size import size


def test_unknown(candidate, require):
    'Nobody knows.'
    assert candidate.evaluation.leaked_samples is None
    require(size(candidate) >= byte(1))
"""
READS = """from pathlib import Path


def scale(samples):
    return samples * float(Path("models/gain.txt").read_text())


"""


def test_a_file_that_preprocessing_reads_is_part_of_the_key(ready):
    """Its samples would come out of the store as they were, and a change pass unseen."""
    gain, model = ready.path / "models" / "gain.txt", ready.path / "models" / "mine.py"
    gain.write_text("1.0")
    fed = model.read_text().replace(
        'x="x",', 'x="x", preprocess=scale, files=("models/gain.txt",),'
    )
    model.write_text(READS + fed)
    ready.as_base()
    assert ready.run(*ONE).ret == 0
    gain.write_text("0.0")
    ready.commit()
    assert ready.run(*ONE).ret == 1
    done = ready.against()
    assert done.ret == 1
    said(done, "preprocessing")
    gain.unlink()
    done = ready.run(*ONE)
    assert done.ret != 0
    said(done, "a file that the preprocessing of samples reads cannot be read")


def test_a_file_that_preprocessing_reads_must_be_declared(ready):
    """The error has the line to write."""
    (ready.path / "models" / "gain.txt").write_text("1.0")
    model = ready.path / "models" / "mine.py"
    model.write_text(READS + model.read_text().replace('x="x",', 'x="x", preprocess=scale,'))
    done = ready.run(*ONE)
    assert done.ret == 1
    said(done, "the preprocessing of samples reads models/gain.txt, which no files=... names")
    said(done, 'write litegate.Data(..., files=("models/gain.txt",))')


def test_what_ready_made_files_were_trained_on_is_unknown(ready):
    """Whatever the training split of the data set: no count of leaked samples."""
    model = ready.path / "models" / "mine.py"
    model.write_text(WITH_TRAINING + model.read_text().replace("lg.datasets.npz(", "both("))
    (ready.path / "checks" / "test_leaks.py").write_text(UNKNOWN)
    assert ready.run("-k", "accuracy_reaches or unknown").ret == 0


def test_the_same_files_under_two_names_keep_their_own_data(ready):
    """One key, two models: neither is shown the other's samples."""
    file = ready.path / "models" / "mine.py"
    text = file.read_text()
    half = {k: v[:100] for k, v in ready.arrays.items()}
    np.savez(ready.path / "half.npz", **half)
    other = text.replace("samples.npz", "half.npz").replace("mine =", "other =")
    for name, array in half.items():
        other = other.replace(ready.digests[f"{name}_test"], array_digest(array))
    (ready.path / "models" / "other.py").write_text(other)
    assert ready.run("-k", "accuracy_reaches").ret == 0
    assert {row["model"]: row["n"] for row in ready.report["verdicts"]} == {
        "mine": 200,
        "other": 100,
    }


def test_a_base_is_read_out_of_git(ready):
    """The base's own bytes are the other side, whatever the checkout holds now."""
    ready.as_base()
    (ready.path / "files" / "int8.tflite").write_bytes(pad(INT8, 400))
    done = ready.commit().against()
    assert done.ret == 1
    assert ready.measured("size growth")["value"] == pytest.approx(
        len(pad(INT8, 400)) / len(INT8) - 1
    )
    assert ready.measured("accuracy regression")["value"] == 0
    change = "files/int8.tflite, or set Budget(regression=Regression(size=...)) in models/mine.py:4"
    assert ready.measured("size growth")["steps"]["change"] == change


def test_an_unchanged_file_is_the_base_itself(ready):
    """A change elsewhere makes no difference, and says so."""
    ready.as_base()
    (ready.path / "notes.md").write_text("documentation")
    ready.git("add", "-A")
    assert ready.commit().against().ret == 0
    assert ready.measured("size growth")["evidence"] == ["the same bytes"]


def test_a_lowered_limit_is_a_loosening(ready):
    """As of any model."""
    ready.as_base().write(ACCURACY.replace("95", "90")).commit()
    done = ready.against()
    assert done.ret == 1
    said(done, "budget accuracy: 95 % -> 90 %")


def test_a_base_whose_file_no_commit_holds_is_an_error_of_its_checks(ready):
    """Not a base that cannot be read: the other checks have their verdicts."""
    ready.file(path="out/int8.tflite").as_base()
    ready.write().commit()
    done = ready.against()
    assert done.ret == 1
    said(done, "there is no file *out/int8.tflite")
    assert ready.measured("accuracy")["verdict"] == "pass"


def test_a_base_that_is_pinned_by_its_digest_comes_out_of_the_store(ready):
    """Bytes that were judged once need not be in git."""
    (ready.path / "out").mkdir()
    (ready.path / "out" / "int8.tflite").write_bytes(INT8)
    ready.file(path="out/int8.tflite", sha256=hashlib.sha256(INT8).hexdigest()).as_base()
    assert ready.run().ret == 0
    larger = pad(INT8, 400)
    (ready.path / "out" / "int8.tflite").write_bytes(larger)
    ready.file(path="out/int8.tflite", sha256=hashlib.sha256(larger).hexdigest()).commit()
    assert ready.against().ret == 1
    assert ready.measured("size growth")["verdict"] == "fail"


def test_a_file_that_git_ignores_is_refused_with_its_digest(ready):
    """No commit would say what was judged."""
    (ready.path / "out").mkdir()
    (ready.path / "out" / "int8.tflite").write_bytes(INT8)
    done = ready.file(path="out/int8.tflite").as_base().run(*ONE)
    assert done.ret == 1
    said(done, "git ignores out/int8.tflite, so no commit records its contents")
    said(done, f"sha256='{hashlib.sha256(INT8).hexdigest()}'")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (INT8[:1000], "files/int8.tflite is not a valid .tflite file"),
        (b"", "files/int8.tflite is not a valid .tflite file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run `git lfs pull`"),
    ],
)
def test_a_file_that_is_no_model_is_no_pass(ready, data, text):
    """Cut off, empty, or a pointer."""
    (ready.path / "files" / "int8.tflite").write_bytes(data)
    done = ready.run(*ONE)
    assert done.ret == 1
    assert "INTERNALERROR" not in done.stdout.str()
    assert "pass" not in {
        r["verdict"] for r in ready.report["verdicts"] if "accuracy" in r["check"]
    }
    assert text in done.stdout.str()


def test_a_compiled_file_is_gated_by_its_size(ready):
    """What an Ethos-U user ships: LiteRT cannot run it, and its bytes count."""
    compiled = fake_vela.compiled(INT8)
    (ready.path / "files" / "int8.tflite").write_bytes(compiled)
    size, compressed = len(compiled), len(zlib.compress(compiled, 9))
    ready.write(f"size=lg.byte({size}), compressed_size=lg.byte({compressed - 1})")
    done = ready.run("-k", "size_stays")
    assert done.ret == 1
    rows = {row["measurement"]: row["verdict"] for row in ready.report["verdicts"]}
    assert rows == {"size": "pass", "compressed size": "fail"}


def test_a_missing_file_is_told_with_its_place(ready):
    """An error of every check that needs it; the run ends as it should."""
    (ready.path / "files" / "float32.tflite").unlink()
    done = ready.run()
    assert done.ret == 1
    said(done, "there is no file *files/float32.tflite")
    assert ready.measured("accuracy")["verdict"] == "pass"


@pytest.mark.parametrize("ci", [False, True])
def test_a_file_elsewhere_may_be_missing_on_a_laptop_alone(ready, monkeypatch, ci):
    """There, the model is NOT GATED, which with no other model is no pass either."""
    if ci:
        monkeypatch.setenv("CI", "true")
    ready.file(path="$MODELS_OF_MINE/int8.tflite", sha256=hashlib.sha256(INT8).hexdigest())
    done = ready.run(*ONE)
    assert done.ret == 1
    said(done, "MODELS_OF_MINE, which is not set")
    assert bool(ready.report["not_gated"]) is not ci


def test_the_samples_may_be_missing_on_a_laptop_alone(ready):
    """Their place is told."""
    (ready.path / "samples.npz").unlink()
    done = ready.run(*ONE)
    assert done.ret == 1
    said(done, "data not found: samples.npz (models/mine.py:*")
    assert ready.report["not_gated"][0]["model"] == "mine"


def test_samples_that_are_not_the_promised_ones_are_an_error(ready):
    """The error says what to write where the change is meant."""
    np.savez(ready.path / "samples.npz", x=ready.arrays["x"][::-1], y=ready.arrays["y"])
    done = ready.run(*ONE)
    assert done.ret == 1
    said(done, "differs from its digests: x_test")


def test_limits_of_accuracy_need_labels(ready):
    """Refused when the model is read, with what to take instead."""
    done = ready.write(labels=False).run()
    assert done.ret != 0
    said(done, "limits accuracy, accuracy_drop, but its data set samples has no labels")
    said(done, "compare it with its reference instead: agreement=..., output_error=...")


def test_without_labels_agreement_stands_in(ready):
    """The report says that accuracy was not measured; against a base too, nothing asks for it."""
    ready.write("agreement=lg.percent(95)", labels=False).as_base()
    (ready.path / "files" / "int8.tflite").write_bytes(pad(INT8, 8))
    done = ready.commit().against()
    assert done.ret == 0, done.stdout.str()
    measured = {row["measurement"] for row in ready.report["verdicts"]}
    assert "agreement with the reference" in measured
    assert not [name for name in measured if "accuracy" in name]
    said(done, "mine: accuracy was not measured: its evaluation split has no labels")


TARGETS = """
import litegate as lg

def as_float(samples):
    return samples

mine = lg.prebuilt(
    reference="files/float32.tflite",
    candidate="files/int8.tflite",
    data=lg.datasets.npz(
        "targets.npz", x="x", y="wanted", slices={{"dark": "is_dark"}},
        digests={digests!r}, domain=(0.0, 1.0),
    ),
    budget=lg.Budget(metrics=(lg.metrics.mae(most={most}, loss=0.2, slice_loss=0.2),)),
    input_type="float32",
    output_type="float32",
)
"""


@pytest.mark.parametrize(("most", "status"), [(0.2, 0), (0.0001, 1)])
def test_targets_and_slices_of_an_npz_are_judged_by_metrics(ready, most, status):
    """What the float network answers is what is wanted of the integer one."""
    x = ready.arrays["x"]
    arrays = {
        "x_test": x,
        "y_test": outputs(FLOAT, x).real,
        "slices.dark": x.mean(axis=(1, 2, 3)) < 0.2,
    }
    names = ("x", "wanted", "is_dark")
    np.savez(ready.path / "targets.npz", **dict(zip(names, arrays.values(), strict=True)))
    digests = {name: array_digest(each) for name, each in arrays.items()}
    file = ready.path / "models" / "mine.py"
    file.write_text(TARGETS.format(digests=digests, most=most))
    shutil.copy(CHECKS / "test_metrics.py", ready.path / "checks")
    done = ready.project.run("checks/test_metrics.py")
    assert done.ret == status, done.stdout.str()
    assert ready.measured("worst slice's mae rise")["n"] == int(arrays["slices.dark"].sum())
    said(done, "mine: accuracy was not measured: its data set names no classes")
    said(done, "mine/int8_ptq*mae 0.0*")


def test_a_candidate_that_decides_otherwise_fails_without_labels(ready):
    """Another network's file is noticed by agreement alone."""
    (ready.path / "files" / "int8.tflite").write_bytes(tiny(Kind.INT8_PTQ, seed=8))
    done = ready.write("agreement=lg.percent(95)", labels=False).run()
    assert done.ret == 1
    assert ready.measured("agreement with the reference")["verdict"] == "fail"


def test_a_command_makes_the_file_in_each_run(ready):
    """What it leaves is judged, not what lay there; a base's command runs in its worktree."""
    make = ready.path / "make.py"
    copy = (
        "import shutil; shutil.os.makedirs('out', exist_ok=True); shutil.copy('files/{}', 'out/m')"
    )
    make.write_text(copy.format("int8.tflite"))
    ready.file(path="out/m", command="python make.py").as_base()
    assert ready.run().ret == 0
    make.write_text(copy.format("float32.tflite"))
    done = ready.commit().against()
    assert done.ret == 1
    assert ready.measured("size growth")["value"] == pytest.approx(len(FLOAT) / len(INT8) - 1)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (
            "python -c 'print(6 * 7); raise SystemExit(3)'",
            "exit status 3, no file; its last output: 42",
        ),
        ("python -c pass", "exit status 0, no file"),
        ("no-such-program-here", "not started"),
        ("python 'unclosed", "not started: No closing quotation"),
    ],
)
def test_a_command_that_makes_nothing_is_told(ready, command, text):
    """Never a pass on what is not there."""
    done = ready.file(path="out/m", command=command).run(*ONE)
    assert done.ret == 1
    said(done, text)


@pytest.mark.slow
def test_xdist_runs_the_command_once_at_a_time(ready):
    """Workers wait for each other."""
    (ready.path / "make.py").write_text(
        "import os, shutil, time\n"
        "os.mkdir('busy')\n"
        "time.sleep(0.3)\n"
        "os.makedirs('out', exist_ok=True)\n"
        "shutil.copy('files/int8.tflite', 'out/m')\n"
        "os.rmdir('busy')\n"
    )
    ready.file(path="out/m", command="python make.py")
    done = ready.project.run("checks/", "-m", "not latency", "-n", "2", apart=True)
    assert done.ret == 0, done.stdout.str()


@pytest.mark.slow
def test_a_proof_without_labels_plants_what_needs_none(ready):
    """Faults in answers need labels, and say so; none is an error."""
    ready.write("agreement=lg.percent(95)", labels=False)
    ready.project.run("checks/", "-m", "not latency", "--prove", "--prove-family", "accuracy")
    [proof] = ready.report["proofs"]
    faults = {row["name"]: row for row in proof["faults"]}
    assert proof["errors"] == []
    assert faults["wrong_answers"]["unplantable"] == "the evaluation split has no labels"
    assert faults["samples_too_small"]["smallest"] is not None
