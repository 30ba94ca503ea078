"""Every code block of README.md and docs/ is what it says: it runs, parses, or can be typed in."""

import re
import runpy
import subprocess
import sys
import tomllib
from datetime import date

import commands
import pytest
from documents import PAGES, PROJECT, blocks, name, spans
from ruamel.yaml import YAML

import litegate
from litegate.regression import waiver_file
from litegate.spec import targets

KINDS = {"", "diff", "python", "sh", "toml", "xml", "yaml"}
COMMAND = re.compile(r"(\w+=\S+ )?(litegate|pytest|python) ")
TOGETHER = "docs/how-to/extending.md"
"""Its blocks are files of one project; test_docs_extending.py runs that."""
IMPORTS = "".join(
    line
    for file in sorted((PROJECT / "checks").glob("test_*.py"))
    for line in (file.read_text("utf-8").partition("\n\n\n")[0].partition('"""\n')[2] + "\n")
)
"""What the project's own checks import; blocks leave it out."""


@pytest.fixture
def parse_pytest(pytester):
    """Hands arguments to pytest, which runs nothing; an unknown option is a UsageError."""
    return lambda arguments: pytester.parseconfig(*arguments)


def runnable(*kinds):
    return [block for block in blocks(*kinds) if not block.not_run]


def test_a_block_names_its_language():
    """One without is what a program printed, and holds no command."""
    for block in blocks():
        assert block.kind in KINDS, block
        assert block.kind or not COMMAND.match(block.text), f"{block}: label it sh"


@pytest.mark.parametrize("block", runnable("sh"), ids=str)
def test_shell_can_be_typed_in(block, parse_pytest):
    """Bash reads it, each program knows its options, and the scripts are there."""
    subprocess.run(["bash", "-n", "-c", block.text], check=True)
    for words in commands.lines(block.text):
        commands.check(words, parse_pytest)


@pytest.mark.parametrize(
    "line",
    [
        "litegate inspcet model.tflite",
        "litegate inspect --targett tflm model.tflite",
        "pytest checks/ --provee",
        "python benchmarks/no_such_file.py",
        'pip install "litegate[none]"',
        "litegatee list",
    ],
)
def test_a_mistyped_command_is_found(line, parse_pytest):
    (words,) = commands.lines(line)
    with pytest.raises((AssertionError, KeyError, pytest.UsageError, commands.UsageError)):
        commands.check(words, parse_pytest)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_the_text_can_be_typed_in(page, parse_pytest):
    """Those between backticks."""
    for span in spans(page):
        if COMMAND.match(span):
            for words in commands.lines(span):
                commands.check(words, parse_pytest)


@pytest.mark.parametrize(
    "block", [block for block in runnable("python") if name(block.page) != TOGETHER], ids=str
)
def test_python_runs(block, project):
    """Declarations as they stand; checks on a tiny model that is sound."""
    checks = block.text.count("def test_")
    file = project.path / ("checks/test_block.py" if checks else "block.py")
    file.write_text(f"{IMPORTS}\n{block.text}" if checks else block.text)
    if not checks:
        runpy.run_path(str(file), init_globals={"lg": litegate})
        return
    done = project.model("size=lg.kib(50), accuracy_drop=lg.points(50)").run()
    done.assert_outcomes(passed=checks)


@pytest.mark.parametrize("block", runnable("toml"), ids=str)
def test_toml_is_what_litegate_reads(block, tmp_path):
    """A file of waivers, a target, or settings."""
    tables = tomllib.loads(block.text)
    if "waiver" in tables:
        assert waiver_file.parse(block.text, today=date(2026, 11, 1))
    elif "operators" in tables:
        (tmp_path / "mine.toml").write_text(block.text)
        assert targets.load("mine.toml", tmp_path).operators


def test_yaml_keeps_its_schema(tmp_path):
    """Workflows of GitHub Actions; pipelines on the page of GitLab."""
    kept = {"vendor.github-workflows": [], "vendor.gitlab-ci": []}
    for number, block in enumerate(runnable("yaml")):
        assert YAML(typ="safe").load(block.text), block
        if block.page.stem == "git":  # pre-commit's, which test_docs_git.py compares with our hook
            continue
        schema = "gitlab-ci" if block.page.stem == "gitlab" else "github-workflows"
        file = tmp_path / f"{block.page.stem}-{number}.yml"
        file.write_text(block.text)
        kept[f"vendor.{schema}"].append(file)
    for schema, files in kept.items():
        assert files
        checker = [sys.executable, "-m", "check_jsonschema"]
        argv = [*checker, "--builtin-schema", schema, *files]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
