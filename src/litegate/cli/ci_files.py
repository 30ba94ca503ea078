"""Write the workflow of `litegate init` for a project at the root or in a folder of a repository.

GitHub and GitLab read workflows at the repository's root alone, and their paths start there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from litegate.cli.new_files import is_taken, left, shown, template, to_do, write
from litegate.core.errors import ConfigError
from litegate.core.git import origin_host

_PLAIN = re.compile(r"[\w.][\w./ +@=-]*")
"""Names of folders without a character that YAML, a shell, a glob or an expression interprets."""
_RUNS_GATE = "litegate"
"""Text of a workflow that litegate wrote, however it was edited since."""
_INSTALLS_TENSORFLOW = 'pip install "litegate[train]"'


def repository_root(project: Path) -> Path:
    """Return the root of a project's repository; outside of git the project itself.

    It needs no git: a new user may not have one, or not own the folder.
    """
    folders = (project, *project.parents)
    return next((folder for folder in folders if (folder / ".git").exists()), project)


def is_on_gitlab(root: Path) -> bool:
    """Return True if the workflows of a repository, or else its remote, are GitLab's alone."""
    has_pipeline, has_github = (root / ".gitlab-ci.yml").exists(), (root / ".github").exists()
    if has_pipeline or has_github:
        return not has_github
    return "gitlab" in origin_host(root).lower()


def folder_in_repository(project: Path, checks: str) -> str:
    """Return a project's folder in its repository; "" is the root.

    Raises ConfigError for a name, also of the folder of checks, that a workflow cannot contain.
    """
    folder = project.relative_to(repository_root(project)).as_posix()
    for name in (folder, checks):
        if not _PLAIN.fullmatch(name):
            raise ConfigError(
                f"the folder {name!r} cannot be named in a workflow",
                expected="letters, digits, spaces and ._/+@=-",
                remedy="rename the folder",
            )
    return "" if folder == "." else folder


def put_workflow(project: Path, checks: str, *, gitlab: bool, trains: bool = True) -> Iterator[str]:
    """Write the workflow of a project and yield a line for each file.

    `checks` is its folder of checks; only a project that `trains` installs TensorFlow. Raises as
    `folder_in_repository`, and ConfigError if a file cannot be written.
    """
    folder = folder_in_repository(project, checks)
    text = gitlab_job(folder, checks) if gitlab else github_workflow(folder, checks)
    if not trains:
        text = text.replace(_INSTALLS_TENSORFLOW, "pip install litegate")
    yield from (_put_gitlab if gitlab else _put_github)(project, folder, text)


def _put_github(project: Path, folder: str, text: str) -> Iterator[str]:
    name = f"gate-{_slug(folder)}.yml" if folder else "gate.yml"
    target = repository_root(project) / ".github" / "workflows" / name
    if is_taken(target) and _RUNS_GATE not in _text(target):
        yield to_do(project, target, "another workflow; rename it and run `litegate init` again")
        return
    yield write(project, target, text)


_ONE_PIPELINE = "it also needs `workflow:`, see docs/how-to/gitlab.md, Make it required"


def _put_gitlab(project: Path, folder: str, job: str) -> Iterator[str]:
    """Write `.gitlab-ci.yml`; if it cannot hold the job alone, a file that it includes."""
    pipeline = repository_root(project) / ".gitlab-ci.yml"
    if not folder and (not is_taken(pipeline) or _RUNS_GATE in _text(pipeline)):
        yield write(project, pipeline, job)
        return
    included = project / "gate.gitlab-ci.yml"
    yield write(project, included, job)
    path = "/".join(("", *filter(None, (folder, included.name))))
    entry = f'include:\n  - local: "{path}"\n'
    if not is_taken(pipeline):
        yield write(project, pipeline, entry)
    elif path in _text(pipeline):
        yield left(project, pipeline, f"it includes {shown(project, included)}")
    else:
        lacks_stage = "stages:" in _text(pipeline) and not re.search(r"\btest\b", _text(pipeline))
        stage = "; the job needs the stage `test`, or a line `stage:`" if lacks_stage else ""
        pipelines = "" if "workflow:" in _text(pipeline) else f"; {_ONE_PIPELINE}"
        what = f"add these lines, or the last one to its list `include:`{stage}{pipelines}"
        yield to_do(project, pipeline, what)
        yield from (f"           {line}" for line in entry.splitlines())


def github_workflow(folder: str, checks: str = "checks") -> str:
    """Return the workflow of a project in `folder` of its repository; "" is the root.

    The job's name is part of the workflow's, since GitHub requires jobs by name alone.
    """
    text = _with_checks(template("gate.yml"), checks)
    if not folder:
        return text
    text = text.replace("name: gate\n", f"name: gate {folder}\n")
    text = text.replace("  model-gate:", f"  model-gate-{_slug(folder)}:")
    place = f'    defaults:\n      run:\n        working-directory: "{folder}"\n    steps:\n'
    text = text.replace("    steps:\n", place)
    return re.sub(r"(?m)^( +path: )\.litegate/", rf"\1{folder}/.litegate/", text)


def gitlab_job(folder: str, checks: str = "checks") -> str:
    """Return the job of a project in `folder` of its repository; "" is the root.

    Caches are found by key alone, so each project has a key of its own.
    """
    text = _with_checks(template("gitlab-ci.yml"), checks)
    if not folder:
        return text
    for name, separator in (("model-gate", "-"), ("litegate-v2", "-"), ("gate report", " ")):
        text = text.replace(name, f"{name}{separator}{_slug(folder)}")
    text = re.sub(r"(?m)^( +(?:- |\w+: ))\.litegate/", rf"\1{folder}/.litegate/", text)
    # The script runs in the shell of before_script, after_script in a shell of its own.
    enter = rf"\1    - cd {shlex.quote(folder)}\n"
    return re.sub(r"(?m)^(  (?:before|after)_script:\n)", enter, text)


def _with_checks(text: str, checks: str) -> str:
    return text.replace("pytest checks/", f"pytest {shlex.quote(f'{checks}/')}")


def _slug(folder: str) -> str:
    """Return a folder's name with the characters that jobs and links of both services take."""
    return re.sub(r"\W+", "-", folder, flags=re.ASCII).strip("-")


def _text(file: Path) -> str:
    return file.read_text("utf-8", "replace") if file.is_file() else ""
