"""Texts for users contain no phrase of `old_phrases.txt`, which says what to write instead."""

import re
from pathlib import Path

import pytest
from documents import PAGES, PROJECT, name

PHRASES = [
    re.compile(line, re.IGNORECASE)
    for line in Path(__file__).with_name("old_phrases.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
TEXTS = [
    *PAGES,
    *(page for page in sorted(PROJECT.glob("*.md")) if page not in PAGES),
    *(file for file in sorted((PROJECT / ".github").rglob("*")) if file.suffix in {".md", ".yml"}),
]


def phrases_in(text):
    """Each old phrase of a text, with the words around it; line breaks do not hide one."""
    plain = " ".join(text.split())
    matches = (match for phrase in PHRASES for match in phrase.finditer(plain))
    return [plain[max(0, match.start() - 30) : match.end() + 30] for match in matches]


@pytest.mark.parametrize("file", TEXTS, ids=name)
def test_a_text_has_no_old_phrase(file):
    assert phrases_in(file.read_text("utf-8")) == []


def test_the_list_is_long_and_has_each_phrase_once():
    assert len({phrase.pattern for phrase in PHRASES}) == len(PHRASES) >= 40


@pytest.mark.parametrize(
    "text",
    [
        "Where it cannot be\nhad, a line says so.",
        "The change is held\n  against its base.",
        "A network that puts every sample into one class is told in a note.",
        "3 loosened promises",
        "the quickest run",
        "number of counterexamples to outputs that a batch leaves alone",
        "| row | What is left out, so that it stays small |\nIt ends. What is left out is named.",
        "Of which none is gated.",
    ],
)
def test_an_old_phrase_is_found(text):
    assert phrases_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "The file is no longer than before, and there is no limit.",
        "Print what it is. Hold the lock. Such a network has a fixed batch.",
        "Of the 383 faults, it found 363.",
    ],
)
def test_plain_words_are_accepted(text):
    assert phrases_in(text) == []
