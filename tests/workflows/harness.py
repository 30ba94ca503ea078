"""Runs workflows and actions here: each `run:` in bash as GitHub's runner starts it.

What stands for what:
- A `uses:` step is emulated: a checkout is a clone of the repository, caches and artifacts are
  folders, setting up Python does nothing.
- A `run:` that starts with `pip install` prepares a machine. The tests' own environment is that
  machine, so such a step is skipped; `pip wheel` leaves an empty file. No other is skipped.
- `litegate` and `pytest` are forks of the tests' process, which has imported all that they need.
- Expressions are evaluated in `if:`, `env:`, `with:`, `outputs:` and matrices; `run:` has none.
"""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
TOOLS = [str(Path(sys.executable).parent)]
"""Folders that come first on the path of a machine."""
SKIPPED = "pip install"
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(r"'[^']*'|&&|\|\||!=|==|!|[()\[\],]|[A-Za-z_][\w.*-]*|\d+|\s+")
_WORDS = {"&&": " and ", "||": " or ", "!": " not ", "true": "True", "false": "False"}
_FUNCTIONS = ("always", "success", "failure", "cancelled", "fromJSON")


def load(path):
    """A YAML file of the project as plain data; YAML 1.2, so that `on` is a name."""
    return YAML(typ="safe", pure=True).load((ROOT / path).read_text("utf-8"))


class Run:
    """One run of a workflow: contexts, artifacts, caches, results of the jobs."""

    def __init__(self, home, repository, event_name, event, ref):
        self.home, self.repository, self.ref = home, repository, ref
        self.artifacts, self.caches, self.results = {}, {}, {}
        self.log, self.env, self.outputs = "", {}, {}
        home.mkdir(parents=True, exist_ok=True)
        (home / "event.json").write_text(json.dumps(event))
        self.github = {
            "event_name": event_name,
            "event": event,
            "ref": f"refs/heads/{ref}",
            "ref_name": ref,
            "workflow": "w",
            "run_id": "7",
            "run_attempt": "1",
            "token": "t",
        }

    @property
    def summary(self):
        """The summaries of all steps."""
        path = self.home / "summary.md"
        return path.read_text("utf-8") if path.exists() else ""

    def workflow(self, path, *, skip=()):
        """Run the jobs of a workflow in their order, but those in `skip`; the results by job."""
        jobs = load(path)["jobs"]
        while left := [name for name in jobs if name not in self.results]:
            name = next(n for n in left if self._needs(jobs[n]) <= set(self.results))
            outcome = {"result": "cancelled", "outputs": {}} if name in skip else None
            self.results[name] = outcome or self._job(name, jobs[name])
        return {name: done["result"] for name, done in self.results.items()}

    def _needs(self, job):
        needs = job.get("needs", [])
        return {needs} if isinstance(needs, str) else set(needs)

    def _job(self, name, job):
        context = self._context(needs={n: self.results[n] for n in self._needs(job)})
        good = all(need["result"] == "success" for need in context["needs"].values())
        if not _wanted(job.get("if"), context, good=good):
            return {"result": "skipped", "outputs": {}}
        legs = [{}]
        if "strategy" in job:
            matrix = job["strategy"]["matrix"]
            legs = resolved(matrix.get("include", matrix), context)
        done = [
            self._leg(f"{name}-{i}", job, context | {"matrix": leg, "strategy": {"job-index": i}})
            for i, leg in enumerate(legs)
        ]
        bad = not done or any(result != "success" for result, _ in done)
        return {"result": "failure" if bad else "success", "outputs": done[-1][1] if done else {}}

    def _leg(self, name, job, context):
        context, work, temp = self._machine(name, context)
        defaults = job.get("defaults", {}).get("run", {})
        steps = [defaults | step if "run" in step else step for step in job["steps"]]
        result = self.steps(steps, context, work, temp)
        return result, resolved(job.get("outputs", {}), context)

    def _machine(self, name, context):
        """A fresh machine: empty folders to work in, and a context that names them."""
        work, temp = self.home / name / "work", self.home / name / "temp"
        work.mkdir(parents=True)
        temp.mkdir()
        runner = {"os": "Linux", "arch": "X64", "temp": str(temp)}
        return context | {"runner": runner, "steps": {}}, work, temp

    def use(self, folder, given):
        """Check out, and run a composite action of this project; its result and outputs."""
        context, work, temp = self._machine("job", self._context())
        self._actions_checkout({"persist-credentials": False, "fetch-depth": 0}, work)
        good = self.action(folder, given, context, work, temp)
        return "success" if good else "failure", self.outputs

    def _context(self, **more):
        return {"github": self.github, "inputs": {}, "steps": {}, "matrix": {}} | more

    def steps(self, steps, context, work, temp):
        """Run steps one after another; "success" or "failure"."""
        good = True
        for step in steps:
            if not _wanted(step.get("if"), context, good=good):
                continue
            outputs, ended = self._step(step, context, work, temp)
            if "id" in step:
                context["steps"][step["id"]] = {"outputs": outputs}
            good = good and ended
        return "success" if good else "failure"

    def _step(self, step, context, work, temp):
        if "run" in step:
            return self._bash(step, context, work, temp)
        given = resolved(step.get("with", {}), context)
        name = step["uses"].partition("@")[0]
        if name.startswith("$/"):
            return {}, self.action(name[2:], given, context, work, temp)
        return getattr(self, "_" + re.sub(r"\W", "_", name))(given, work)

    def action(self, folder, given, context, work, temp):
        """Run a composite action of this project; whether it ended well."""
        action = load(Path(folder) / "action.yml")
        defaults = {k: v.get("default", "") for k, v in action["inputs"].items()}
        inner = context | {"inputs": resolved(defaults, context) | given, "steps": {}}
        self.env["GITHUB_ACTION_PATH"] = str(ROOT / folder)
        done = self.steps(action["runs"]["steps"], inner, work, temp)
        self.outputs = {
            k: resolved(v["value"], inner) for k, v in action.get("outputs", {}).items()
        }
        return done == "success"

    def _bash(self, step, context, work, temp):
        if step["run"].startswith(SKIPPED):
            return {}, True
        if step["run"].startswith("pip wheel"):
            (temp / "wheel").mkdir()
            (temp / "wheel" / "litegate.whl").touch()
            return {}, True
        assert "${{" not in step["run"]
        out = temp / "output"
        out.write_text("")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "LITEGATE_"))}
        env = clean | {
            "PATH": os.pathsep.join([*TOOLS, clean["PATH"]]),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(out),
            "GITHUB_STEP_SUMMARY": str(self.home / "summary.md"),
            "GITHUB_EVENT_PATH": str(self.home / "event.json"),
            "GITHUB_EVENT_NAME": self.github["event_name"],
            "GITHUB_REPOSITORY": "octo/models",
            "RUNNER_TEMP": str(temp),
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=work / resolved(step.get("working-directory", "."), context),
            env=env | self.env | resolved(step.get("env", {}), context),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.log += f"$ {step['run']}\n{done.stdout}{done.stderr}"
        pairs = (line.partition("=") for line in out.read_text().splitlines())
        return {name: value for name, _, value in pairs}, done.returncode == 0

    def _actions_checkout(self, given, work):
        assert given["persist-credentials"] is False
        depth = [] if given.get("fetch-depth") == 0 else ["--depth=1"]
        url = f"file://{self.repository}"
        git = ["git", "clone", "-q", *depth, "--no-single-branch", "-b", self.ref, url, str(work)]
        return {}, subprocess.run(git, check=False).returncode == 0

    def _actions_setup_python(self, _given, _work):
        return {}, True

    def _actions_cache_restore(self, given, work):
        """An entry of that key, or else the newest one whose key starts as `restore-keys` says."""
        near = [key for key in self.caches if key.startswith(given.get("restore-keys", "\0"))]
        kept = self.caches.get(given["key"]) or (self.caches[near[-1]] if near else None)
        if kept:
            shutil.copytree(kept, work / given["path"], dirs_exist_ok=True)
        return {"cache-hit": "true" if given["key"] in self.caches else ""}, True

    def _actions_cache_save(self, given, work):
        kept = self.home / "caches" / given["key"]
        shutil.copytree(work / given["path"], kept)
        self.caches[given["key"]] = kept
        return {}, True

    def _actions_upload_artifact(self, given, work):
        folder = work / given["path"]
        if not folder.is_dir():
            return {}, given["if-no-files-found"] != "error"
        self.artifacts[given["name"]] = kept = self.home / "artifacts" / given["name"]
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        return {}, True

    def _actions_download_artifact(self, given, _work):
        to = Path(given["path"])
        if "name" in given:
            if given["name"] not in self.artifacts:
                return {}, False
            shutil.copytree(self.artifacts[given["name"]], to)
            return {}, True
        for name in fnmatch.filter(self.artifacts, given["pattern"]):
            shutil.copytree(self.artifacts[name], to / name)
        return {}, True


def resolved(value, context):
    """A value with its expressions evaluated; one that is nothing else keeps its type."""
    if isinstance(value, dict):
        return {key: resolved(each, context) for key, each in value.items()}
    if not isinstance(value, str):
        return value
    if whole := _EXPRESSION.fullmatch(value.strip()):
        found = evaluate(whole[1], context)
        return "" if found is None else found
    return _EXPRESSION.sub(lambda m: str(evaluate(m[1], context) or ""), value)


def evaluate(expression, context, *, good=True):
    """The value of an expression; what is not there is None, as on GitHub it is empty."""
    names = {
        "always": lambda: True,
        "success": lambda: good,
        "failure": lambda: not good,
        "cancelled": lambda: False,
        "fromJSON": json.loads,
        "lookup": lambda path: _lookup(path, context),
    }
    tokens = _TOKEN.findall(expression)
    assert "".join(tokens) == expression, expression
    python = "".join(map(_python, tokens)).strip()
    return eval(python, {"__builtins__": {}}, names)  # noqa: S307 the project's own workflows


def _python(token):
    if token in _WORDS or token in _FUNCTIONS:
        return _WORDS.get(token, token)
    return f"lookup({token!r})" if token[0].isalpha() else " " if token.isspace() else token


def _lookup(path, context):
    value = context
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else value


def _wanted(condition, context, *, good):
    """Whether a job or step runs: without a status function, only while all is well."""
    text = str(condition) if condition is not None else "success()"
    if not re.search(r"\b(always|success|failure|cancelled)\(\)", text):
        text = f"success() && ({text})"
    return bool(evaluate(re.sub(r"\$\{\{|\}\}", "", text), context, good=good))
