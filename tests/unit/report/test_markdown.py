"""The step summary and the comment: what got worse on top, within the budget, nothing but text."""

import re
from functools import cache
from html import escape
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_reports import HOSTILE, error, full, recipe, report, verdict
from markdown_it import MarkdownIt

from litegate.report.markdown import comment, summary

CODE = ("code", "pre")
"""Elements in which GitHub links nothing."""


class Skeleton(HTMLParser):
    """Tags, attributes and the text outside of code; the text inside of it apart."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.shape, self.code, self.depth = [], [], 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.depth += tag in CODE
        self.shape.append((tag, attrs))

    def handle_endtag(self, tag):
        self.depth -= tag in CODE
        self.shape.append(f"/{tag}")

    def handle_data(self, data):
        (self.code if self.depth else self.shape).append(data)

    def handle_comment(self, data):
        self.shape.append(f"comment {data}")

    def handle_decl(self, decl):
        self.shape.append(f"declaration {decl}")


def _read(text):
    """What a browser makes of it: Markdown first, then HTML."""
    return Skeleton(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def _shape(text):
    """The shape, with a text of several lines counted as one."""
    shape = [part for part in _read(text).shape if part != ("br", [])]
    joined = []
    for part in shape:
        if joined[-2:] == [("code", []), "/code"] and part == ("code", []):
            joined = joined[:-2]
        joined.append(part)
    return joined


def test_the_order_is_what_a_reader_needs():
    """What failed, what is unproven, what came to no verdict; what passed is folded at the end."""
    text = summary(full("name"))
    titles = ("## litegate: fail", "Failed (1)", "No verdict", "Not proven", "NOT GATED")
    order = [text.index(title) for title in (*titles, "Recipes", "Passed")]
    assert order == sorted(order)
    assert text.rindex("<details>") > text.index("Recipes")


def test_what_failed_is_a_line_of_a_table_and_a_folded_block():
    """The block has the same words as on the terminal, offenders line by line."""
    row = verdict("fail", offenders=("conv2d is float32", "dense is float32"))
    text = summary(report(row | {"steps": STEPS}))
    assert (
        "<tr><td><code>m/int8_qat</code> <code>accuracy drop</code></td><td>0.70 points</td>"
        "<td>&lt;= 0.50 points, over by 0.20 points</td></tr>"
    ) in text
    details = text.index("<details>\n<summary>Failed: details (1)</summary>\n<pre>")
    assert text.index("<td>0.70 points</td>") < details
    lines = [
        "FAIL  m/int8_qat  accuracy drop 0.70 points  (limit: <= 0.50 points, over by 0.20 points)",
        "      95 % interval 0.60 points to 0.80 points (a method)",
        "      - conv2d is float32",
        "      - dense is float32",
        "      Reproduce: pytest a",
        "      Intended:  litegate accept a",
    ]
    assert "\n".join(lines) in "".join(_read(text).code)


STEPS = {"reproduce": "pytest a", "change": None, "intended": "litegate accept a"}


@pytest.mark.parametrize(
    ("rows", "accept"),
    [
        ([verdict("fail")], None),
        ([verdict("fail") | {"steps": STEPS}], "litegate accept 'a[b]' --reason \"...\""),
        ([verdict("fail") | {"steps": STEPS}] * 4, "litegate accept"),
    ],
)
def test_the_last_lines_are_what_to_do(rows, accept):
    rows = [row | {"id": "a[b]"} for row in rows]
    made = report(*rows) | {"reproduce": "pytest checks/ --against main"}
    *_, last = summary(made, page="https://example.org/?a&b").splitlines()
    lines = ["Reproduce: <code>pytest checks/ --against main</code>"]
    lines += [f"Accept, if intended: <code>{escape(accept)}</code>"] if accept else []
    lines += ['<a href="https://example.org/?a&amp;b">Open the page</a>']
    assert last == f"<p>{'<br>'.join(lines)}</p>"


def test_the_command_of_a_project_in_a_folder_names_the_folder():
    """A reader of a comment stands at the repository's top."""
    made = report(verdict("fail")) | {"reproduce": "pytest checks/", "folder": "ml/<b>/"}
    last = summary(made).splitlines()[-1]
    assert "<p>Reproduce in <code>ml/&lt;b&gt;/</code>: <code>pytest checks/</code>" in last


def test_a_pass_needs_no_last_lines():
    made = report(verdict()) | {"reproduce": "pytest checks/"}
    assert "Reproduce" not in summary(made)
    assert summary(made, page="https://example.org").endswith("Open the page</a></p>\n")


def test_no_sentence_stands_in_a_code_span():
    """Code is for names and commands; sentences are in preformatted blocks."""
    made = report(verdict("fail"), errors=[error("a sentence of words")], notes=["a note of words"])
    spans = re.findall("<code>(.*?)</code>", summary(made))
    assert not any(" of words" in span for span in spans)


def test_the_worst_stands_first():
    """By how far the limit is overstepped."""
    text = summary(report(verdict("fail", value=0.006), verdict("fail", value=0.06)))
    assert text.index("6.00 points") < text.index("0.60 points")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (report(verdict()), "## litegate: pass"),
        (report(verdict("inconclusive")), "## litegate: inconclusive"),
        (report(verdict("fail")), "## litegate: fail"),
        (report(verdict(), errors=[error()]), "## litegate: error"),
        (report(), "## litegate: nothing gated"),
        (report(verdict(), exit_status=2), "## litegate: error"),
    ],
)
def test_the_headline_is_the_runs_word(made, said):
    """An interrupted run is no pass, whatever its rows say."""
    assert summary(made).startswith(f"{said}\n")


def test_the_base_is_named_where_there_is_one():
    """Since which commit, and only where the report knows it."""
    base = {"commit": "abc123", "ref": "main", "note": ""}
    assert "<code>abc123</code> <code>main</code>" in summary(report(verdict(), base=base))
    assert "Compared with" not in summary(report(verdict(), base=None))


def test_a_base_that_is_named_by_its_hash_is_named_once():
    """GitHub's event of a pull request has no name of the base's branch."""
    sha = "0123456789abcdef" * 2 + "01234567"
    base = {"commit": sha, "ref": f"auto: {sha}", "note": ""}
    text = summary(report(verdict(), base=base))
    assert "<p>Compared with <code>0123456789ab</code></p>" in text


def test_an_empty_section_is_left_out():
    """No heading without a row."""
    text = summary(report(verdict()))
    assert "Failed" not in text
    assert "Waived" not in text


@pytest.mark.parametrize(("write", "most"), [(summary, 1024 * 1024), (comment, 65536)])
def test_the_budget_is_kept_by_dropping_what_passed_first(write, most):
    """Each section counts all its rows, and says how many it left out."""
    made = report(verdict("fail"), *[verdict()] * 6000, recipes=[recipe()])
    text = write(made)
    assert most * 0.9 < len(text.encode()) < most
    assert "Passed (6000)" in text
    shown = text.count("<td><code>accuracy drop</code></td>")
    assert f"{6000 - shown} more left out here" in text
    assert "Failed (1)" in text
    assert "<td><code>25,144 B</code></td>" in text


def test_the_budget_is_kept_where_even_the_failures_do_not_fit():
    """The worst of them stay."""
    rows = [verdict("fail", value=0.01, offenders=("<" * 900,) * 8) for _ in range(400)]
    text = comment(report(verdict("fail", value=0.5, model="worst"), *rows))
    assert len(text.encode()) < 65536
    assert "worst/int8_qat" in text
    assert "more left out here" in text


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("write", [summary, comment])
def test_a_hostile_report_is_nothing_but_text(write, name):
    """Every name, label, path and message is hostile; the page keeps the shape of a plain one."""
    text = write(full(name))
    assert _shape(text) == _shape(write(full("name")))
    assert all(char.isprintable() or char == "\n" for char in text)


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1).filter(str.strip))
def test_any_text_is_nothing_but_text(name):
    """As above, for whatever hypothesis finds."""
    assert _shape(comment(full(name))) == _plain_shape()


@cache
def _plain_shape():
    return _shape(comment(full("name")))


def test_text_is_still_readable():
    """It is kept as it is, not dropped."""
    assert "**bold** <b> @octocat | #1" in _read(summary(full("**bold** <b> @octocat | #1"))).code
