"""What used to end in a traceback ends in a sentence, and at the start where it can."""

import hashlib
import json
import shutil

import pytest

from litegate.cli.ci_matrix import model_rows
from litegate.core.options import parse
from litegate.gate.project_settings import settings
from litegate.gate.session import GateSession

SIZE = "from litegate.measures.structure.size import size\nfrom litegate import kib"
KEPT = "require(size(candidate) <= kib(100))"


@pytest.fixture
def passing(project):
    """A project whose one check holds."""
    return project.model().check(KEPT, head=SIZE)


def _no_traceback(done):
    for said in (done.stdout, done.stderr):
        said.no_fnmatch_line("*Traceback*")
        said.no_fnmatch_line("*INTERNALERROR*")
    return done


def test_a_store_that_is_a_file_ends_the_run_at_its_start(passing):
    """Before anything is built."""
    (passing.path / "taken").write_text("a file")
    done = _no_traceback(passing.run("checks/", "--litegate-store=taken"))
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*the store*taken*", "*LITEGATE_STORE*"])


@pytest.mark.parametrize("folder", ["taken", "taken/deeper", "/proc/no/such"])
def test_a_report_folder_that_cannot_be_made_ends_the_run_at_its_start(passing, folder):
    """No check has run by then."""
    (passing.path / "taken").write_text("a file")
    done = _no_traceback(passing.run("checks/", f"--litegate-report={folder}"))
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*the report cannot be written*", "*--litegate-report*"])
    done.stdout.no_fnmatch_line("*test_one*")


def test_a_report_that_cannot_be_written_in_the_end_is_told(passing):
    """The folder went away under way: the run is no success."""
    gone = (
        "import shutil\nshutil.rmtree('.litegate/report')\nopen('.litegate/report', 'w').close()\n"
    )
    passing.check(gone + KEPT, head=SIZE)
    done = _no_traceback(passing.run())
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*the report cannot be written*"])


@pytest.mark.parametrize("where", ["models/other.py", "models/_helper.py"])
def test_a_model_file_that_ends_the_interpreter_is_named(passing, where):
    """sys.exit at the top of a file is a file that does not load."""
    (passing.path / where).write_text("raise SystemExit(0)\n")
    if "_" in where:
        (passing.path / "models" / "other.py").write_text("import _helper\n")
    done = _no_traceback(passing.run())
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*other.py does not load: SystemExit*"])


@pytest.mark.parametrize("options", [[], ["--against=main"], ["--anchor=main"], ["-n1"]])
def test_a_model_file_that_does_not_load_is_an_error_of_four_lines(passing, options):
    """Before the header, which names the base, and once."""
    passing.as_base()
    file = passing.path / "models" / "tiny.py"
    file.write_text(file.read_text() + "\ndef broken(:\n")
    done = _no_traceback(passing.run("checks/", *options))
    assert done.ret == 4
    assert done.outlines == []
    lines = [line for line in done.errlines if line]
    assert lines[0].startswith("ERROR: models/tiny.py does not load: SyntaxError")
    assert len(lines) <= 4
    looked = _no_traceback(passing.run("checks/", "--co", *options))
    assert "models/tiny.py does not load" in looked.stdout.str()


def test_a_missing_file_of_a_model_is_an_error_before_the_header(passing):
    """It is found when the model is described for the comparison with the base."""
    file = passing.path / "models" / "tiny.py"
    file.write_text(file.read_text().replace("budget=", "files=['gone.npy'], budget="))
    passing.as_base()
    done = _no_traceback(passing.run("checks/", "--against=main"))
    assert done.ret == 4
    assert "gone.npy" in done.stderr.str()


def test_a_check_without_a_docstring_is_one_sentence_in_a_worker_too(passing):
    """A worker of pytest-xdist has no way of its own to refuse a run."""
    passing.check(KEPT, head=SIZE, doc="")
    done = _no_traceback(passing.run("checks/", "-n1", apart=True))
    assert done.ret != 0
    said = done.stdout.str() + done.stderr.str()
    assert "has no docstring: its first line is the requirement" in said


@pytest.mark.parametrize("mark", ["fail_at_collect", "xfail", "skip"])
def test_a_check_without_a_case_is_left_out_whatever_pytest_makes_of_empty_sets(passing, mark):
    """A limit that is not set has no check: that is the gate's rule, not pytest's."""
    passing.pytester.makeini(f"[pytest]\nempty_parameter_set_mark = {mark}\n")
    limited = "def test_limited(candidate, budget, require):\n    'Small.'\n"
    (passing.path / "checks" / "test_two.py").write_text(
        f"{SIZE}\n{limited}    require(size(candidate) <= budget.size)\n"
    )
    done = _no_traceback(passing.run())
    assert done.ret == 0
    done.assert_outcomes(passed=1, deselected=1)


@pytest.mark.parametrize("argument", ["checks/", "qa/", "qa/test_one.py", "."])
def test_a_folder_of_checks_that_is_a_link_is_gated(passing, argument):
    """By either name."""
    (passing.path / "checks").rename(passing.path / "qa")
    (passing.path / "checks").symlink_to("qa")
    done = _no_traceback(passing.run(argument))
    assert done.ret == 0
    done.stdout.fnmatch_lines(["PASS*tiny/int8_qat*size*"])


def _manifests(passing, group="builds"):
    return sorted((passing.path / ".litegate" / "store" / group).glob("*.json"))


def _replace(passing, name, data, group="builds"):
    """Another object in every manifest of the store."""
    digest = hashlib.sha256(data).hexdigest()
    place = passing.path / ".litegate" / "store" / "objects" / digest[:2] / digest
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data)
    for path in _manifests(passing, group):
        listed = json.loads(path.read_text())
        listed["files"][name] = digest
        path.write_text(json.dumps(listed))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_certificate_with_a_number_that_json_has_not_is_damage(passing, number):
    """It is built again, and the report is not lost."""
    _replace(passing, "certificate.json", f'{{"seconds": {number}}}'.encode())
    done = _no_traceback(passing.run())
    assert (passing.path / ".litegate/report/report.json").is_file()
    done.stdout.fnmatch_lines(["*certificate.json in the store is not JSON*built again*"])


@pytest.mark.parametrize(("group", "name"), [("builds", "model.tflite"), ("evaluations", "y.npy")])
def test_an_entry_that_misses_a_file_is_built_again(passing, group, name):
    """As one that is not there at all: the manifest gives way to a whole one."""
    for path in _manifests(passing, group):
        listed = json.loads(path.read_text())
        del listed["files"][name]
        path.write_text(json.dumps(listed))
    done = _no_traceback(passing.run())
    done.stdout.fnmatch_lines([f"*does not list {name}*built again*"])
    assert not any(path.exists() for path in _manifests(passing, group))


def test_manifests_that_are_json_and_no_manifest_heal(passing):
    """A list, a folder and brackets without end: built again, as after any damage."""
    candidate, reference = _manifests(passing)
    (split,) = _manifests(passing, "evaluations")
    candidate.write_text("[]")
    reference.unlink()
    reference.mkdir()
    split.write_text("[" * 100_000 + "]" * 100_000)
    done = _no_traceback(passing.run())
    assert all(
        text in done.stdout.str() for text in ("the form of a manifest: tiny", "a folder: tiny")
    )
    assert done.stdout.str().count("is built again") == 2
    assert not any(path.exists() for path in (candidate, reference, split))


def test_an_array_without_samples_is_damage(passing):
    """A lone number in the place of the samples."""
    import io

    import numpy as np

    written = io.BytesIO()
    np.save(written, np.float32(1))
    _replace(passing, "x.npy", written.getvalue(), "evaluations")
    done = _no_traceback(passing.run())
    done.stdout.fnmatch_lines(["*x.npy in the store is not an array*built again*"])


def test_a_copy_of_the_models_without_the_store_says_what_the_loader_says(passing):
    """The control: what is built again is built by the tool chain."""
    shutil.rmtree(passing.path / ".litegate")
    done = _no_traceback(passing.run())
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*the store holds everything*"])


def test_models_outside_the_project_are_listed(passing, tmp_path_factory):
    """Where they are; no repository is needed for that."""
    outside = tmp_path_factory.mktemp("outside") / "models"
    shutil.move(passing.path / "models", outside)
    passing.pytester.makeini(f"[pytest]\nlitegate_models = {outside}\n")
    (row,) = model_rows(GateSession(parse(passing.path, {}, settings(passing.path)), print, print))
    assert (passing.path / row["file"]).resolve() == outside / "tiny.py"
