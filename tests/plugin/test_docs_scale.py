"""The jobs on the page about other machines build each model that the store lacks, and no other."""

import subprocess

import pytest
from documents import PROJECT, blocks
from ruamel.yaml import YAML
from typer.testing import CliRunner

from litegate.cli import app

PAGE = [PROJECT / "docs" / "how-to" / "scale.md"]
PROGRAMS = {
    "litegate": 'if [ "$1" = list ]; then cat list.json; else echo "$2" >> built; fi',
    "sbatch": """
        for word in "$@"; do
            case "$word" in --array=1-*) last="${word#--array=1-}";; esac
        done
        for index in $(seq 1 "$last"); do SLURM_ARRAY_TASK_ID=$index sh -c "$word"; done
    """,
    "pytest": "echo judged >> built",
}
"""Stand-ins of what the jobs run."""


@pytest.fixture
def job(project, monkeypatch):
    """Run commands of the page in a project with three models, of which the store has `tiny`."""
    for name in ("kws", "ic"):
        project.model("", name=name)
    for path in (project.path / ".litegate" / "store" / "builds").iterdir():
        path.unlink()
    project.model("", name="tiny")
    monkeypatch.chdir(project.path)
    listed = CliRunner().invoke(app, ["list", "--json"])
    (project.path / "list.json").write_text(listed.stdout)
    for name, script in PROGRAMS.items():
        program = project.path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def run(command, **environment):
        path = f"{project.path / 'bin'}:/usr/bin:/bin"
        subprocess.run(["sh", "-ec", command], env={"PATH": path} | environment, check=True)
        return (project.path / "built").read_text().split()

    return run


def test_a_job_array_builds_what_the_store_lacks(job):
    [script] = (block.text for block in blocks("sh", pages=PAGE) if "sbatch" in block.text)
    assert job(script) == ["ic", "kws", "judged"]


def test_an_indexed_job_builds_one_model_for_each_index(job):
    [text] = (block.text for block in blocks("yaml", pages=PAGE) if "kind: Job" in block.text)
    container = YAML(typ="safe", pure=True).load(text)["spec"]["template"]["spec"]["containers"][0]
    shell, option, command = container["command"]
    assert (shell, option) == ("sh", "-c")
    job("printf 'ic\\nkws\\n' > models.txt; touch built")
    assert job(command, JOB_COMPLETION_INDEX="0") == ["ic"]
    assert job(command, JOB_COMPLETION_INDEX="1") == ["ic", "kws"]
