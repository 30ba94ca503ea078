"""A repository on a disk, what GitHub says of an event, and what a run left behind."""

import json
import os
import subprocess
from pathlib import Path

from harness import ROOT

MODEL = '''
"""A tiny network, planted ready-made."""
import litegate as lg

def _load(locations):
    raise AssertionError("the store holds everything")

def _as_it_is(samples):
    return samples

DATA = lg.Data(
    name="tiny", load=_load, digests={{}}, preprocess=_as_it_is, domain=(0.0, 1.0),
    classes=tuple(f"class {{i}}" for i in range(4)),
)

@lg.model(
    data=DATA,
    recipes=[lg.recipes.int8_qat(name="int8_qat", from_scratch=True)],
    budget=lg.Budget(size=lg.byte({size})),
)
def {name}(keras):
    "Planted."
'''
CHECK = '''
from litegate.measures.structure.size import size

def test_size_stays_within_budget(candidate, budget, require):
    """The file is small enough."""
    require(size(candidate) <= budget.size)
'''


class Repository:
    """A bare origin, and a clone in which changes are made."""

    def __init__(self, folder):
        self.origin, self.work = folder / "origin.git", folder / "author"
        self.project = self.work
        self.git("init", "-q", "--bare", "-b", "main", str(self.origin), cwd=folder)
        self.git("clone", "-q", str(self.origin), str(self.work), cwd=folder)
        self.write("pyproject.toml", "[tool.pytest.ini_options]\n")
        self.write(".gitignore", ".litegate/\n__pycache__/\n")
        self.write("checks/test_size.py", CHECK)
        check = ROOT / "checks" / "test_weakened_limits.py"
        self.write("checks/test_weakened_limits.py", check.read_text("utf-8"))

    def git(self, *args, cwd=None):
        """Run git, as somebody."""
        who = {
            f"GIT_{role}_{part}": "a@b"
            for role in ("AUTHOR", "COMMITTER")
            for part in ("NAME", "EMAIL")
        }
        done = subprocess.run(
            ["git", *args],
            cwd=cwd or self.work,
            env=os.environ | who,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def write(self, name, text):
        """Write a file of the project."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def into(self, folder):
        """Move the project into a folder of the repository."""
        self.project = self.work / folder
        self.project.mkdir()
        for name in ("pyproject.toml", "models", "checks"):
            (self.work / name).rename(self.project / name)

    def model(self, name, size=100_000):
        """Declare a model that may have so many bytes."""
        self.write(f"models/{name}.py", MODEL.format(name=name, size=size))

    def push(self, branch="main"):
        """Commit everything to a branch of the origin; the commit's hash."""
        self.git("checkout", "-q", "-B", branch)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        self.git("push", "-q", "-f", "origin", branch)
        return self.git("rev-parse", "HEAD")


def event(name, repository):
    """What GitHub says of a push, a pull request, one from a fork, and a merge group."""
    common = {"repository": {"default_branch": "main"}}
    base = {"sha": repository.base, "ref": "main"}
    head = {"sha": repository.head, "ref": "change", "repo": {"full_name": "octo/models"}}
    fork = head | {"repo": {"full_name": "stranger/models", "fork": True}}
    return (
        common
        | {
            "push": {"ref": "refs/heads/change", "before": "0" * 40},
            "pull_request": {"pull_request": {"number": 7, "base": base, "head": head}},
            "fork": {"pull_request": {"number": 8, "base": base, "head": fork}},
            "merge_group": {"merge_group": {"base_sha": repository.base}},
            "main": {"ref": "refs/heads/main", "before": repository.base},
        }[name]
    )


def planted(repository):
    """Plant both models' artifacts in the author's store; the rows that list them."""
    from litegate.cli.ci_matrix import model_rows
    from litegate.core.options import parse
    from litegate.gate.session import GateSession
    from litegate.spec import Kind
    from litegate.testing import tiny
    from litegate.testing.store import fill_store

    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": tiny(Kind.INT8_QAT)}
    for name in ("first", "second"):
        fill_store(repository.project, name, files)
    return model_rows(GateSession(parse(repository.project, {}, {}, {}), print, print))


def asked(folder):
    """The `gh` commands so far."""
    return (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []


def given(folder, number=-1):
    """What one of the commands, by default the last, was given."""
    return json.loads((folder / "given").read_text().splitlines()[number])


def put_leg(run, name, report):
    """An artifact as a leg uploads it."""
    folder = Path(run.home) / "artifacts" / name
    folder.mkdir(parents=True)
    if report is not None:
        (folder / "report.json").write_text(json.dumps(report))
    run.artifacts[name] = folder
