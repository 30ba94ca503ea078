"""Pull requests on a real repository with a bare origin, real training on `digits_cnn`.

Each scenario is a branch of its own off the same base; artifacts are shared through one store.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
IDENTITY = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
WAIVER = """\
[[waiver]]
model = "digits_cnn"
recipe = "int8_qat"
check = "test_file_does_not_grow"
reason = "two more filters were asked for"
expires = {expires}

[waiver.accepts]
measurement = "size growth"
ceiling = "size <= {ceiling} B"
base = "{base}"
"""

pytestmark = pytest.mark.slow


def _git(path, *args):
    done = subprocess.run(
        ["git", *IDENTITY, *args], cwd=path, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


class Checkout:
    """A clone of the origin on a branch of its own."""

    def __init__(self, path, store):
        self.path, self.store = path, store
        self.model = path / "models" / "digits_cnn.py"

    def edit(self, file, *changes):
        """Replace texts in a file; each must be there."""
        place = self.path / file
        text = place.read_text("utf-8")
        for before, after in changes:
            assert before in text, f"{file} has no {before!r}"
            text = text.replace(before, after)
        place.write_text(text, "utf-8")

    def change(self, *changes):
        """Edit the model's file."""
        self.edit("models/digits_cnn.py", *changes)

    def gate(self, *args, against="origin/main"):
        """Commit what was changed and run the gate on it."""
        _git(self.path, "add", "-A")
        _git(self.path, "commit", "-qm", "change", "--allow-empty")
        env = {k: v for k, v in os.environ.items() if k not in ("CI", "LITEGATE_DATA")}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "checks/", f"--against={against}", *args],
            cwd=self.path,
            env=env | {"LITEGATE_STORE": str(self.store), "COLUMNS": "220"},
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, self._failed(), done.stdout + done.stderr)

    def _failed(self):
        """The checks that failed; none if the run ended before its first check."""
        file = self.path / ".litegate" / "report" / "report.json"
        if not file.exists():
            return set()
        report = json.loads(file.read_text())
        rows = [row for row in report["verdicts"] if row["verdict"] == "fail" and not row["waived"]]
        return {row["check"] for row in rows + report["errors"]}


class Result:
    """What a run of the gate gave."""

    def __init__(self, status, failed, said):
        self.status, self.failed, self.said = status, failed, said


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A bare origin whose main holds this project's digits model and checks, and a warm store."""
    root = tmp_path_factory.mktemp("scenarios")
    seed = root / "seed"
    (seed / "models").mkdir(parents=True)
    shutil.copy(PROJECT / "models" / "digits_cnn.py", seed / "models")
    shutil.copytree(PROJECT / "checks", seed / "checks", ignore=shutil.ignore_patterns("__*"))
    (seed / ".gitignore").write_text(".litegate\n__pycache__\n.hypothesis\n")
    _git(root, "init", "-q", "-b", "main", str(seed))
    _git(seed, "add", "-A")
    _git(seed, "commit", "-qm", "base")
    _git(root, "clone", "-q", "--bare", str(seed), str(root / "origin.git"))
    return root


@pytest.fixture
def pull_request(origin, tmp_path):
    """A fresh clone on a branch off main."""
    _git(tmp_path, "clone", "-q", str(origin / "origin.git"), "clone")
    clone = tmp_path / "clone"
    _git(clone, "checkout", "-qb", "topic")
    return Checkout(clone, origin / "store")


QUICK = ("-m", "not latency", "-k", "not property")


def test_documentation_only(pull_request):
    """Nothing is built, nothing is lost, every comparison is exact."""
    (pull_request.path / "notes.md").write_text("words\n")
    done = pull_request.gate()
    assert (done.status, done.failed) == (0, set()), done.said
    assert "accuracy regression" in done.said


def test_a_wider_layer(pull_request):
    """The growth is said in per cent, with the tensors that account for it."""
    pull_request.change(("filters=16", "filters=18"))
    done = pull_request.gate(*QUICK)
    assert "test_file_does_not_grow" in done.failed, done.said
    assert "digits_cnn/int8_qat  size growth" in done.said
    assert "conv2d" in done.said


LEFT_FLOAT = '''

def all_but_dense(network, tfmot):
    """Leave the dense layer in float."""
    import tf_keras

    def annotated(layer):
        keep = isinstance(layer, tf_keras.layers.Dense)
        return layer if keep else tfmot.quantization.keras.quantize_annotate_layer(layer)

    return tf_keras.models.clone_model(network, clone_function=annotated)
'''


def test_lost_quantization_of_one_layer(pull_request):
    """The layer that fell back to float is named, by its recipe's promise and against the base."""
    pull_request.change(
        ("import litegate as lg\n", "import litegate as lg\n" + LEFT_FLOAT),
        ("fine_tune_epochs=5,", "fine_tune_epochs=5, annotate=all_but_dense,"),
    )
    done = pull_request.gate(*QUICK)
    expected = {"test_tensors_keep_their_types", "test_no_integer_type_is_lost"}
    assert expected <= done.failed, done.said
    assert "dense" in done.said


SHUFFLED = '''
import dataclasses

def shuffled(locations):
    """Labels that belong to other samples."""
    import numpy as np

    raw = lg.datasets.digits().load(locations)
    order = np.random.RandomState(1).permutation(len(raw.y_train))
    return dataclasses.replace(raw, y_train=raw.y_train[order])


def with_shuffled_labels():
    """The digits with those labels."""
    data = lg.datasets.digits()
    digests = dict(data.digests, y_train="{digest}")
    return dataclasses.replace(data, load=shuffled, digests=digests)
'''


def test_shuffled_labels(pull_request):
    """The candidate learnt nothing, as its floor and its base both show."""
    pull_request.change(
        ("import litegate as lg\n", "import litegate as lg\n" + SHUFFLED.format(digest=_labels())),
        ("data=lg.datasets.digits(),", "data=with_shuffled_labels(),"),
    )
    done = pull_request.gate(*QUICK)
    expected = {"test_accuracy_reaches_its_floor", "test_accuracy_is_not_lost"}
    assert expected <= done.failed, done.said


def _labels():
    import numpy as np

    from litegate.data import digits
    from litegate.data.digests import array_digest
    from litegate.spec import DataLocations

    labels = digits().load(DataLocations()).y_train
    return array_digest(labels[np.random.RandomState(1).permutation(len(labels))])


PREPROCESSING = '''

def darker(samples):
    """A quarter of the brightness, in training and evaluation."""
    return samples.astype("float32") / 64
'''


def test_preprocessing_changed(pull_request):
    """The base was trained on other inputs; the change of preprocessing is a verdict of its own."""
    pull_request.change(
        (
            "import litegate as lg\n",
            "import dataclasses\n\nimport litegate as lg\n" + PREPROCESSING,
        ),
        (
            "data=lg.datasets.digits(),",
            "data=dataclasses.replace(lg.datasets.digits(), preprocess=darker),",
        ),
    )
    done = pull_request.gate(*QUICK)
    assert "test_model_promises_no_less_than_its_base" in done.failed, done.said
    assert "preprocessing" in done.said


def test_a_slower_operator(pull_request):
    """Real added work: two convolutions. A latency budget that is kept would make it a note.

    So would growth below `latency_floor`, 1 us: a single one of 16 filters took 0.4 us.
    """
    wide, narrow = (
        f'keras.layers.Conv2D(filters={n}, kernel_size=3, padding="same", activation="relu"),'
        for n in (64, 16)
    )
    pooling = "            keras.layers.MaxPooling2D"
    pull_request.change(
        (pooling, f"            {wide}\n            {narrow}\n{pooling}"),
        ("latency=lg.ms(0.05)", "latency=lg.ms(0.001)"),
    )
    done = pull_request.gate("-m", "latency")
    assert {"test_latency_does_not_grow", "test_latency_stays_within_budget"} == done.failed, (
        done.said
    )


def test_a_budget_loosened(pull_request):
    """Before and after are said."""
    pull_request.change(("size=lg.kib(12)", "size=lg.kib(13)"))
    done = pull_request.gate(*QUICK)
    assert done.failed == {"test_model_promises_no_less_than_its_base"}, done.said
    assert "12288 B" in done.said.replace(",", "")
    assert "13312 B" in done.said.replace(",", "")


def test_a_check_deleted(pull_request):
    """The check is named."""
    (pull_request.path / "checks" / "test_tensors.py").unlink()
    done = pull_request.gate(*QUICK)
    assert done.failed == {"test_project_promises_no_less_than_its_base"}, done.said
    assert "test_tensors_keep_their_types" in done.said


def test_the_guard_deleted(pull_request):
    """Whoever deletes the check that says what is loosened does not get through."""
    (pull_request.path / "checks" / "test_weakened_limits.py").unlink()
    done = pull_request.gate(*QUICK)
    assert done.status == 4
    assert "weakened_limits" in done.said


@pytest.mark.parametrize("said", [True, False])
def test_a_model_renamed(pull_request, said):
    """With renamed_from it is followed, without it a model has vanished."""
    name = '    renamed_from="digits_cnn",\n' if said else ""
    pull_request.change(
        ("def digits_cnn(keras)", "def handwriting(keras)"),
        ("    data=lg.datasets.digits(),\n", f"    data=lg.datasets.digits(),\n{name}"),
    )
    done = pull_request.gate(*QUICK)
    gone = set() if said else {"test_project_promises_no_less_than_its_base"}
    assert done.failed == gone, done.said
    assert ("accuracy regression" in done.said) is said


def test_a_model_added(pull_request):
    """It has no base; its budget alone holds; the other is compared as ever."""
    text = pull_request.model.read_text("utf-8").replace("def digits_cnn(", "def second(")
    (pull_request.path / "models" / "second.py").write_text(text, "utf-8")
    done = pull_request.gate(*QUICK)
    assert (done.status, done.failed) == (0, set()), done.said
    assert "second-int8_qat is new" in done.said


def test_a_model_deleted(pull_request):
    """One of two models goes: the other cannot pass for it."""
    text = pull_request.model.read_text("utf-8").replace("def digits_cnn(", "def second(")
    pull_request.model.unlink()
    (pull_request.path / "models" / "second.py").write_text(text, "utf-8")
    done = pull_request.gate(*QUICK)
    assert done.failed == {"test_project_promises_no_less_than_its_base"}, done.said
    assert "digits_cnn" in done.said


@pytest.mark.parametrize(
    ("expires", "room", "status"),
    [("in time", 0, 0), ("yesterday", 0, 1), ("in time", -1, 1)],
    ids=["valid", "expired", "exceeded"],
)
def test_a_waiver(pull_request, expires, room, status):
    """It excuses what it names, until it expires, and no more than its ceiling."""
    from datetime import UTC, datetime, timedelta

    days = {"in time": 30, "yesterday": -1}[expires]
    day = (datetime.now(UTC) + timedelta(days=days)).date()
    pull_request.change(("filters=16", "filters=18"))
    assert pull_request.gate(*QUICK).failed == {"test_file_does_not_grow"}
    report = pull_request.path / ".litegate" / "report" / "report.json"
    verdicts = json.loads(report.read_text("utf-8"))["verdicts"]
    (row,) = (row for row in verdicts if row["measurement"] == "size growth")
    ceiling = int(row["absolute"]["value"]) + room
    text = WAIVER.format(expires=day, ceiling=ceiling, base=row["base"])
    (pull_request.path / "litegate-waivers.toml").write_text(text, "utf-8")
    done = pull_request.gate(*QUICK)
    growth = {"test_file_does_not_grow"} & done.failed
    assert bool(growth) is bool(status), done.said
    assert "two more filters were asked for" in done.said or status


def test_main_moved_on_after_the_branch(origin, pull_request):
    """A smaller model on main is not held against a branch that left before it."""
    other = pull_request.path.parent / "other"
    _git(other.parent, "clone", "-q", str(origin / "origin.git"), str(other))
    moved = Checkout(other, pull_request.store)
    moved.change(("filters=16", "filters=8"))
    _git(other, "commit", "-qam", "smaller")
    _git(other, "push", "-q", "origin", "HEAD:refs/heads/moved")
    _git(pull_request.path, "fetch", "-q")
    done = pull_request.gate(*QUICK, against="origin/moved")
    assert (done.status, done.failed) == (0, set()), done.said


def test_a_base_without_litegate(pull_request):
    """Budgets apply, and the missing comparison is said."""
    _git(pull_request.path, "checkout", "-q", "--orphan", "empty")
    _git(pull_request.path, "rm", "-rqf", "--cached", ".")
    _git(pull_request.path, "commit", "-qm", "nothing yet", "--allow-empty")
    _git(pull_request.path, "branch", "before")
    done = pull_request.gate(*QUICK, against="before")
    assert (done.status, done.failed) == (0, set()), done.said
    assert "digits_cnn-int8_qat is new" in done.said


def test_a_shallow_clone(origin, tmp_path):
    """The remedy is told."""
    url = f"file://{origin / 'origin.git'}"
    _git(tmp_path, "clone", "-q", str(origin / "origin.git"), "full")
    _git(tmp_path / "full", "commit", "-qm", "more", "--allow-empty")
    _git(tmp_path / "full", "push", "-q", "origin", "HEAD:refs/heads/shallow")
    _git(tmp_path, "clone", "-q", "--depth=1", "--branch=shallow", url, "clone")
    clone = Checkout(tmp_path / "clone", origin / "store")
    done = clone.gate(*QUICK, against="origin/main")
    assert done.status == 4
    assert "fetch" in done.said
