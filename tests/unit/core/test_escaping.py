"""Names stay text on a terminal and in a log; on GitHub, see the tests of each report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_reports import ENVIRONMENT, HOSTILE, error, recipe, verdict

from litegate.core.errors import ConfigError
from litegate.core.escaping import plain, plain_lines, without_commands
from litegate.core.units import Unit
from litegate.measures.measurement import Measurement
from litegate.measures.verdict_text import sentence
from litegate.report.run_record import Run
from litegate.report.terminal import lines


def _is_text(line):
    """Whether a terminal prints it as it stands, and GitHub's runner takes it for no command."""
    return line.isprintable() and not line.lstrip().startswith("::") and "##[" not in line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mnist_cnn/int8_qat", "mnist_cnn/int8_qat"),
        ("Größe → ½ 数字", "Größe → ½ 数字"),
        ("a::b", "a::b"),
        ("::error::x", ": :error::x"),
        (" ::error::x", " : :error::x"),
        ("a ##[error]x", "a ## [error]x"),
        ("\x1b[31mred\n\x00", "\\x1b[31mred\\n\\x00"),
        ("a\tb", "a b"),
    ],
)
def test_plain_changes_what_is_no_text_and_nothing_else(text, shown):
    """It can still be read what was there, and doing it twice changes nothing."""
    assert plain(text) == shown
    assert plain(plain(text)) == shown


@pytest.mark.parametrize("lead", ["", "  ", "\x1b[1m", " \x1b[1;31m "])
def test_a_command_at_the_start_of_a_wrapped_line_is_broken(lead):
    """With a terminal's colours before it, too."""
    wrapped = f"of the layer\n{lead}::error::fake"
    assert without_commands(wrapped) == f"of the layer\n{lead}: :error::fake"


@given(st.text())
def test_any_text_is_plain(text):
    """For whatever hypothesis finds, on one line and on several."""
    assert _is_text(plain(text))
    assert all(_is_text(line) for line in plain_lines(text).split("\n"))
    assert plain_lines(text).count("\n") == text.count("\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_the_closing_table_is_nothing_but_text(name):
    """Every name and text in it is hostile."""
    over = {"model": name, "recipe": name, "id": name}
    run = Run(
        environment=ENVIRONMENT,
        strict=False,
        verdicts=[verdict(o, name=name, **over) for o in ("pass", "fail", "inconclusive")],
        errors=[error(name, **over)],
        recipes=[recipe(name, name)],
        not_gated={name: name},
        not_measured={name: name},
        notes=[name],
    )
    shown = [line for _, line in lines(run, width=0)]
    assert len(shown) >= 12
    assert all(_is_text(line) for line in shown)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sentence_and_an_error_are_nothing_but_text(name):
    """They reach the log as pytest's own output."""
    found = Measurement(
        name=name,
        subject=name,
        value=9,
        unit=Unit.COUNT,
        evidence=(name,),
        offenders=(name,),
    )
    fault = ConfigError(name, expected=name, got=name, remedy=name)
    for text in (sentence(found <= 0), str(fault)):
        assert all(_is_text(line) for line in text.split("\n"))
