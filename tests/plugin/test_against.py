"""--against: the base's artifacts beside the head's, judged on the head's samples."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from litegate.build.certificate import certify
from litegate.build.store import BUILDS, Store
from litegate.spec import Kind
from litegate.testing import pad, tiny

CHECKS = Path(__file__).resolve().parents[2] / "checks"
SIZE = "from litegate.measures.structure.size import size\nfrom litegate import byte"
SMALLER = "require(size(candidate) <= byte(int(size(base).value)))"


@pytest.fixture
def repository(project):
    """The project as a git repository with a base on main and a branch that is checked out."""

    def git(*args):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        argv = ["git", *identity, *args]
        subprocess.run(argv, cwd=project.path, check=True, capture_output=True)

    def commit(text):
        git("add", "-A")
        git("commit", "-qm", text, "--allow-empty")

    git("init", "-q", "-b", "main")
    shutil.copy(CHECKS / "test_weakened_limits.py", project.path / "checks")
    (project.path / ".gitignore").write_text(".litegate\n__pycache__\n")
    project.git, project.commit = git, commit
    return project


@pytest.fixture
def branched(repository):
    """A base with the model `tiny` and a check against the base; the branch changes nothing yet."""
    repository.model().check(SMALLER, head=SIZE, args="candidate, base, require")
    repository.commit("base")
    repository.git("checkout", "-qb", "topic")
    return repository


def _grown(extra):
    return {"float32": tiny(Kind.FLOAT32), "int8_qat": pad(tiny(Kind.INT8_QAT), extra)}


def test_without_against_nothing_is_compared(branched):
    """No base, no check of one; what is left decides."""
    done = branched.run()
    assert done.ret == 5
    done.stdout.fnmatch_lines(["against none: nothing is compared with a base"])


@pytest.mark.parametrize("where", ["flag", "setting"])
def test_an_empty_ref_ends_the_run(branched, where):
    """An unset variable of CI must not judge against nothing."""
    if where == "setting":
        branched.pytester.makeini("[pytest]\nlitegate_against =\n")
    done = branched.run("checks/", *(["--against", ""] if where == "flag" else []))
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*against is empty", "*expected: a git ref, auto or none"])


def test_a_base_that_is_head_itself_is_said_to_be(branched):
    """As with `auto` on a branch that follows its own upstream, where nothing may be compared."""
    done = branched.run("checks/", "--against", "HEAD")
    done.stdout.fnmatch_lines(["against *, the merge base with HEAD", "the base is HEAD itself: *"])


def test_the_base_is_named_and_the_same_bytes_pass(branched):
    """The header and the report say which commit."""
    (branched.path / "notes.md").write_text("documentation\n")
    branched.commit("docs")
    done = branched.run("checks/", "--against", "main")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["against *, the merge base with main"])
    done.stdout.no_fnmatch_line("the base is HEAD itself*")
    report = json.loads((branched.path / ".litegate/report/report.json").read_text())
    assert report["base"]["ref"] == "main"
    assert len(report["base"]["commit"]) == 40


@pytest.mark.parametrize(("extra", "status"), [(0, 0), (1, 1)])
def test_a_larger_file_fails(branched, extra, status):
    """One byte more than the base is over the limit of this check."""
    branched.model("size=lg.kib(99)", files=_grown(extra), network="changed")
    assert branched.run("checks/", "--against", "main").ret == status


def test_a_new_model_has_no_base(branched):
    """Said as such; the model that was there is still compared."""
    branched.model(name="fresh")
    done = branched.run("checks/", "--against", "main")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*fresh-int8_qat is new*"])
    done.stdout.no_fnmatch_line("PASS*fresh/int8_qat*")


def test_a_base_without_litegate(repository):
    """Budgets still apply; the comparison is said to be missing."""
    repository.commit("nothing yet")
    repository.git("checkout", "-qb", "topic")
    repository.model("size=lg.kib(99)").check(
        "require(size(candidate) <= budget.size)", head=SIZE, args="candidate, budget, require"
    )
    done = repository.run("checks/", "--against", "main")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*tiny-int8_qat is new*"])


def test_an_unknown_ref_ends_the_run(branched):
    """Exit status 4 and the remedy."""
    done = branched.run("checks/", "--against", "nowhere")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*git knows no commit nowhere*"])


def test_the_list_needs_no_base_and_says_so(branched):
    """A list judges nothing: the exit status is the gate's, which fails at the same fault."""
    argv = [Path(sys.executable).with_name("litegate"), "list", "--json", "--against", "nowhere"]
    done = subprocess.run(argv, cwd=branched.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [row["base_key"] for row in json.loads(done.stdout)] == [""]
    assert "listed without the keys of their base: --against nowhere: git knows no" in done.stderr
    assert "`pytest checks/ --against nowhere` fails for the same reason" in done.stderr


def test_a_base_whose_models_do_not_load_ends_the_run(repository):
    """With the base's own file and line."""
    repository.model().check(SMALLER, head=SIZE, args="candidate, base, require")
    (repository.path / "models" / "broken.py").write_text("x = 1 / 0\n")
    repository.commit("base")
    repository.git("checkout", "-qb", "topic")
    (repository.path / "models" / "broken.py").unlink()
    done = repository.run("checks/", "--against", "main")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*models of the base * do not load*"])


def test_a_renamed_model_is_followed(branched):
    """renamed_from names what the base calls it."""
    (branched.path / "models" / "tiny.py").unlink()
    branched.model(name="small", arguments="renamed_from='tiny'", files=_grown(1))
    done = branched.run("checks/", "--against", "main")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*over by 1 B*"])


def test_an_anchor_bounds_slow_drift(branched):
    """Each step is within the limit against its base; both together are not against the anchor."""
    branched.git("tag", "v1")
    drift = "regression=lg.Regression(size=lg.percent(1), accuracy=lg.points(9))"
    shutil.copy(CHECKS / "test_drift.py", branched.path / "checks")
    shutil.copy(CHECKS / "test_regression.py", branched.path / "checks")
    (branched.path / "checks" / "test_one.py").unlink()
    for step in (1, 2):
        branched.model(drift, files=_grown(30 * step), network=f"step {step}")
        branched.commit(f"step {step}")
    steps = ("checks/test_regression.py", "checks/test_drift.py", "-m", "not latency")
    done = branched.run(*steps, "--against", "HEAD~1")
    assert done.ret == 0, done.stdout.str()
    done = branched.run(*steps, "--against", "HEAD~1", "--anchor", "v1")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["and *, the anchor v1", "FAIL*size growth since the anchor*1.39 %*"])


def test_an_unknown_anchor_ends_the_run(branched):
    """Exit status 4 and the remedy."""
    done = branched.run("checks/", "--anchor", "v9")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*--anchor v9: git knows no such commit*"])


def test_a_misspelt_branch_is_told_with_the_one_that_is_near(branched):
    done = branched.run("checks/", "--against", "mian")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["*git knows no commit mian", "*did you mean main?"])


def test_the_ref_may_stand_in_the_settings(repository):
    """Reading the base does not go on to read the base's own base."""
    repository.pytester.makeini("[pytest]\nlitegate_against = main\nlitegate_anchor = main\n")
    repository.model().check(SMALLER, head=SIZE, args="candidate, base, require")
    repository.commit("base")
    repository.git("checkout", "-qb", "topic")
    done = repository.run("checks/")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["against *, the merge base with main"])


@pytest.fixture
def repinned(repository):
    """A change that moves the tool chain's pins and nothing else."""
    pins = repository.path / "requirements.txt"
    pins.write_text("tensorflow==2.20.0\nrequests==2\n")
    repository.model().check(SMALLER, head=SIZE, args="candidate, base, require")
    repository.commit("base")
    repository.git("checkout", "-qb", "topic")
    pins.write_text("tensorflow==2.21.0\nrequests==2\n")
    return repository


def test_a_moved_tool_chain_is_not_separated_without_the_old_artifact(repinned):
    """The base was built by the new pins too: what they cost cannot be told from this run."""
    done = repinned.run("checks/test_one.py", "--against", "main")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["INCONCLUSIVE*size*"])
    report = json.loads((repinned.path / ".litegate/report/report.json").read_text())
    (row,) = report["verdicts"]
    assert row["note"] == "the tool chain changed too, and its effect is included"
    assert repinned.run("checks/test_one.py", "--against", "main", "--litegate-strict").ret == 1


def test_a_moved_tool_chain_is_held_against_the_old_artifact(repinned):
    """What the old pins built is in the store: a byte more than that fails."""
    store = Store(repinned.path / ".litegate" / "store")
    manifests = [json.loads(path.read_text()) for path in store.manifest_paths(BUILDS)]
    smallest = min(manifests, key=lambda m: _size(repinned.path, m))
    for key, size in (("older", -1), ("other", None)):
        stem = smallest["stem"] if size else "of another model"
        with store.staging() as folder:
            files = {name: folder / name for name in smallest["files"]}
            for name, content in store.get(BUILDS, smallest["key"]).items():
                files[name].write_bytes(content[:size] if name == "model.tflite" else content)
            certify(files, key, stem)
            store.put(BUILDS, key, files, stem=stem)
    done = repinned.run("checks/test_one.py", "--against", "main")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*over by 1 B*"])


def test_what_is_worse_by_the_same_tool_chain_fails(repinned):
    """Base and change are built by the new pins here: what differs, the change did."""
    repinned.check(
        "require(size(candidate) <= byte(1))", head=SIZE, args="candidate, base, require"
    )
    done = repinned.run("checks/test_one.py", "--against", "main")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["FAIL*size*"])


@pytest.mark.parametrize(
    "line", ["requests==3", "tensorflow-datasets==4.9.9", "# keras is installed elsewhere"]
)
def test_other_requirements_are_no_tool_chain(repinned, line):
    """A pin that builds nothing moves nothing."""
    (repinned.path / "requirements.txt").write_text(f"tensorflow==2.20.0\n{line}\n")
    done = repinned.run("checks/test_one.py", "--against", "main")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["PASS*size*"])


def _stored(project, manifest):
    digest = manifest["files"]["model.tflite"]
    return (project / ".litegate" / "store" / "objects" / digest[:2] / digest).read_bytes()


def _size(project, manifest):
    return len(_stored(project, manifest))


def test_a_file_that_the_models_module_reads_must_be_declared(project):
    """Its change would pass unseen; a base that does not declare it is compared all the same."""
    (project.path / "models" / "seed.txt").write_text("7")
    seed = "int(__import__('pathlib').Path('models/seed.txt').read_text())"
    reads = f"training=lg.Training(seed={seed})"
    project.model("size=lg.kib(99)", arguments=reads).real_checks().as_base()
    done = project.run("checks/test_size.py")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*the file of tiny reads models/seed.txt, which no files=*names*"])
    done.stdout.fnmatch_lines(['*write @litegate.model(..., files=[[]"seed.txt"])*'])
    project.model("size=lg.kib(99)", arguments=f"{reads}, files=['seed.txt']")
    done = project.run("checks/test_size.py", "checks/test_regression.py", "--against", "main")
    assert done.ret == 0, done.stdout.str()
