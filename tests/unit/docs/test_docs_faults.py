"""Guard docs/reference/faults.md, the list of all faults; run as a script, rewrite it."""

import re
from itertools import groupby
from pathlib import Path

import pytest

from litegate.core.errors import ConfigError
from litegate.mutation.faults import Expect, Family, Fault, fault
from litegate.mutation.faults.catalogue import select_faults, shipped_faults

DOCS = Path(__file__).resolve().parents[3] / "docs" / "reference"
PAGE, MATRIX = DOCS / "faults.md", DOCS / "kill_matrix.md"
OF_THE_WIRING = ("check_requires_nothing", "report_missing")
"""Planted in checks and reports, not in a model."""
INTRODUCTION = """# The faults

What `pytest checks/ --prove` plants ([how it goes](../explanation/prove.md)). "From" is the grade
from which up some check must notice; *refused* means that LiteRT need not load the
file, if the verdict is clear;
*unproven* means that an inconclusive verdict counts. Each measurement that is meant to notice, and
that the model promises, must notice the grossest grade.
"""


def page() -> str:
    """The page as the catalogue has it."""
    parts = [INTRODUCTION]
    for family, faults in groupby(shipped_faults(), key=lambda one: one.family):
        head = (
            "| fault | what is wrong | grades | from | meant to notice |\n|---|---|---|---|---|\n"
        )
        parts.append(f"## {family.value.capitalize()}\n\n{head}{''.join(map(_row, faults))}")
    return "\n".join(parts)


def _row(one: Fault) -> str:
    ladder = one.ladder
    grades = ", ".join(f"{grade:g}" for grade in ladder.grades) if ladder.unit else ""
    must = ladder.text(ladder.must) or "always"
    kind = "" if one.expect is Expect.FAIL else f" ({one.expect.value})"
    cells = (f"`{one.name}`", one.summary, f"{grades} {ladder.unit}".strip(), must + kind)
    return f"| {' | '.join(cells)} | {', '.join((*one.noticed_by, *one.metrics))} |\n"


def test_the_page_lists_every_fault_as_it_is():
    assert PAGE.read_text("utf-8") == page(), f"write it again: python {Path(__file__).name}"


@pytest.mark.parametrize("model", ["digits_cnn", "mnist_cnn"])
def test_the_kill_matrix_has_every_fault_of_either_model(model):
    """One that is added wants a proof anew, of which benchmarks/kill_matrix.py makes the page."""
    section = MATRIX.read_text("utf-8").partition(f"## {model}/int8_qat\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    left_out = re.findall(r"^- Not planted: `(\w+)`", section, re.MULTILINE)
    catalogue = [one.name for one in shipped_faults()]
    assert sorted(rows + left_out) == sorted([*catalogue, *OF_THE_WIRING])
    assert "the gate is proven" in section


def test_every_family_has_faults_and_every_fault_a_name_of_its_own():
    faults = select_faults(shipped_faults(), ())
    assert {one.family for one in faults} == set(Family)
    assert all(one.summary.endswith(".") for one in faults)


def test_one_family_can_be_select_faults():
    assert {one.family for one in select_faults(shipped_faults(), ["size"])} == {Family.SIZE}


def test_two_faults_of_one_name_are_refused():
    @fault(family="size", noticed_by=())
    def padding(scene, _grade):
        """Zeros."""
        return scene

    with pytest.raises(ConfigError, match="two faults are called padding"):
        select_faults((*shipped_faults(), padding), ())


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
