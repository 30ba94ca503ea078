"""README.md and docs/ name measurements as reports do."""

import re
import tomllib

import pytest
from documents import PAGES, PROJECT, blocks, name

from litegate.measures.names import ALL_NAMES, OLD_NAMES, since_anchor_name
from litegate.mutation.faults import OfMetric

FAULTS = PROJECT / "docs" / "reference" / "faults.md"
NAMES = {*ALL_NAMES, *map(since_anchor_name, ALL_NAMES)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_uses_an_old_name(page):
    text = page.read_text("utf-8").lower()
    assert [old for old in OLD_NAMES if old.lower() in text] == []


def test_the_page_of_faults_names_measurements_that_exist():
    rows = re.findall(r"^\| `\w+` \|.*\| (.+) \|$", FAULTS.read_text("utf-8"), re.MULTILINE)
    named = {each for row in rows for each in row.split(", ")}
    assert len(named) > 20
    assert named <= NAMES | {*OfMetric}


def test_waivers_in_the_documents_name_measurements_that_exist():
    tables = [tomllib.loads(block.text) for block in blocks("toml") if "[[waiver]]" in block.text]
    named = [waiver["accepts"]["measurement"] for table in tables for waiver in table["waiver"]]
    assert named
    assert {*named} <= NAMES


def test_tables_in_the_documents_name_measurements_that_exist():
    """Rows of the closing table and headlines of what failed, as a run prints them."""
    texts = [page.read_text("utf-8") for page in PAGES]
    row = r"^(?:PASS|WAIVED) +[\w/]+  +(.+?)  +"
    headline = r"^(?:FAIL|INCONCLUSIVE)  [\w/]+  (.+?):? -?[\d,.]+(?: [\w%]+)?  \(limit: "
    for pattern, count in ((row, 4), (headline, 4)):
        named = {each for text in texts for each in re.findall(pattern, text, re.MULTILINE)}
        assert len(named) > count
        assert named <= NAMES
