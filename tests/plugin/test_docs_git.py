"""docs/how-to/git.md: with its settings, git shows what changed in a file."""

import os
import shlex
import subprocess
import sys

import pytest
from documents import PROJECT, blocks
from ruamel.yaml import YAML

from litegate.spec import Kind
from litegate.testing import tiny

PAGE = PROJECT / "docs" / "how-to" / "git.md"
SETTINGS, _, CHECK = blocks("sh", pages=[PAGE])
[HOOK] = blocks("yaml", pages=[PAGE])


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run lines of shell in a repository, with this litegate as the command."""
    program = tmp_path / "bin" / "litegate"
    program.parent.mkdir()
    code = "from litegate.cli import main; main()"
    program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-c", code])} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "a")
        monkeypatch.setenv(f"{name}_EMAIL", "a@example.com")
    (tmp_path / "app").mkdir()

    def run_lines(lines, status=0):
        argv = ["bash", "-euo", "pipefail", "-c", lines]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    run_lines("git init -q .")
    return run_lines


@pytest.mark.slow  # starts litegate for each version of the file
def test_a_diff_names_what_changed_in_a_file(run, tmp_path):
    file = tmp_path / "app" / "model.tflite"
    file.write_bytes(tiny(Kind.FLOAT32))
    run("git add app && git commit -qm first")
    file.write_bytes(tiny(Kind.INT8_QAT))
    assert "Binary files" in run("git diff")
    run(SETTINGS.text)
    lines = [" ".join(line.split()) for line in run("git diff -w").splitlines()]
    assert {"-types float32", "+types int8", "MACs 5,632"} <= set(lines)
    assert "app/model.tflite: supported by tflm" in run(CHECK.text)


def test_the_hook_of_the_page_is_one_of_this_repository():
    yaml = YAML(typ="safe")
    [offered] = yaml.load((PROJECT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    [repository] = yaml.load(HOOK.text)["repos"]
    assert repository["hooks"] == [{"id": offered["id"], "args": offered["args"]}]
