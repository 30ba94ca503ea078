"""Tables of text: whole where there is room, fewer columns or stacked rows where there is not."""

import pytest

from litegate.report.columns import columns, narrowed

HEAD = ("verdict", "of", "value", "limit", "evidence")
ROWS = (
    ("PASS", "m/int8_qat", "0.10 points", "<= 0.50 points", "n = 1,000, 0.05 to 0.15 points"),
    ("FAIL", "m/int8_ptq", "0.70 points", "<= 0.50 points", "exact"),
)
WHOLE = 80
"""As wide as its widest row."""


def shown(width, spare=2, rows=ROWS):
    return list(columns(HEAD, rows, width, lead=2, spare=spare))


def test_without_an_end_nothing_is_left_out():
    [head, first, second] = shown(0)
    assert [number for number, _ in (head, first, second)] == [-1, 0, 1]
    assert len(first[1]) == WHOLE
    assert all(line.index("points") == first[1].index("points") for _, line in (first, second))


@pytest.mark.parametrize(("width", "cut"), [(WHOLE, False), (WHOLE - 1, True), (74, True)])
def test_the_last_column_is_cut_where_the_terminal_ends(width, cut):
    _, (_, line), _ = shown(width)
    assert line.endswith(" …") is cut
    assert len(line) == (width if cut else WHOLE)


@pytest.mark.parametrize(
    ("width", "last"), [(73, "limit"), (48, "limit"), (47, "value"), (32, "value")]
)
def test_columns_go_from_the_last_as_far_as_must_be(width, last):
    lines = [line for _, line in shown(width)]
    assert lines[0].split()[-1] == last
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize(("width", "spare"), [(31, 2), (47, 1), (73, 0)])
def test_a_row_is_stacked_where_too_few_columns_fit(width, spare):
    assert (-1, shown(width + 1, spare)[0][1]) == shown(width + 1, spare)[0]
    lines = shown(width, spare)
    assert [number for number, line in lines if not line.startswith(" ")] == [0, 1]
    assert all(len(line) <= width for _, line in lines)
    said = " ".join(" ".join(line for _, line in lines).split())
    for row in ROWS:
        named = list(zip(HEAD[2:], row[2:], strict=True))[: 2 if spare else 3]
        assert ", ".join(f"{name} {cell}" for name, cell in named) in said


def test_a_terminal_of_no_width_to_speak_of_still_gets_its_lines():
    assert shown(1) == shown(20)


def test_no_line_ends_between_a_number_and_its_unit():
    for width in range(20, 74):
        assert not any(line.endswith(("0.10", "<=", "0.50")) for _, line in shown(width, spare=0))


def test_an_empty_cell_is_no_word():
    row = ("PASS", "", "1 B", "", "exact")
    assert [line for _, line in shown(25, 0, [row])] == ["PASS", "  value 1 B,", "  evidence exact"]


def test_hostile_text_stays_in_its_line():
    row = ("PASS", "a\x1b[31m\nb", "1", "2", "3")
    for width in (0, 30, 60):
        assert all(line.isprintable() for _, line in shown(width, rows=[row]))


@pytest.mark.parametrize(
    ("width", "left"),
    [
        (0, "name a b c"),
        (16, "name a b c"),
        (15, "name a c"),
        (12, "name a c"),
        (11, "name c"),
        (1, "name c"),
    ],
)
def test_optional_columns_go_as_far_as_must_be(width, left):
    """The first named go first; an empty column is never shown."""
    head = ("name", "a", "empty", "b", "c")
    rows = [("x", "1", "", "22", "3"), ("y", "11", "", "2", "33")]
    shown_head, cells = narrowed(head, rows, width, ("b", "a"))
    assert " ".join(shown_head) == left
    assert [len(row) for row in cells] == [len(shown_head)] * 2
    assert cells[0][0] == "x"
