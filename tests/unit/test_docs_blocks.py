"""Every code block of README.md and docs/ is what it says: it runs, parses, or can be typed in."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import commands
import pytest
from documents import PAGES, PROJECT, blocks, name, spans
from ruamel.yaml import YAML

from litegate.targets import load
from litegate.waiverfile import read

KINDS = {"", "json", "python", "sh", "text", "toml", "yaml"}
GATES = ("litegate ", "pytest ", "python ")


def test_blocks_name_their_language():
    """One without is what a program printed, and holds no command."""
    for block in blocks():
        assert block.kind in KINDS, block
        assert block.kind or not block.text.startswith(GATES), f"{block}: label it sh"


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_shell_can_be_typed_in(block, pytester):
    """bash reads it, each program knows its options, and named files are there."""
    subprocess.run(["bash", "-n", "-c", block.text], check=True)
    for words in commands.lines(block.text):
        commands.check(words, pytester.parseconfigure_with(words))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_the_text_can_be_typed_in(page, parse_pytest):
    """Commands between backticks, too."""
    for span in spans(page):
        if span.startswith(GATES):
            for words in commands.lines(span):
                commands.check(words, parse_pytest)
