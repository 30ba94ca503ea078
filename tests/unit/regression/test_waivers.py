"""Waivers cover what they name, up to the value they name, until the day they name."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from litegate.core.errors import ConfigError
from litegate.core.units import Unit, percent, points
from litegate.measures.measurement import Measurement, violations
from litegate.measures.names import OLD_NAMES
from litegate.regression.waiver_file import FILE, MAX_VALIDITY, add, load, parse, to_toml
from litegate.regression.waivers import (
    Waiver,
    covers,
    find_waiver,
    refusal,
    waiver_errors,
    waiver_notes,
)
from litegate.report.run_record import Place, verdict_row

TODAY = date(2026, 6, 1)
DAY = timedelta(days=1)
NODE = "checks/test_accuracy.py::test_accuracy_stays_within_tolerance"
PLACE = Place(
    id=f"{NODE}[digits-int8_qat]",
    model="digits",
    recipe="int8_qat",
    check="test_accuracy_stays_within_tolerance",
    requirement="Quantization costs little.",
    file="models/digits.py",
    line=7,
)
WAIVER = Waiver(
    check=NODE,
    model="digits",
    recipe="int8_qat",
    measurement="accuracy drop",
    value="0.71 points",
    reason="a new class",
    expires=TODAY,
)
TEXT = f"""
# our own words
[[waiver]]
model = "digits"
recipe = "int8_qat"
check = "{NODE}"
reason = "a new class"
expires = 2026-06-01
accepts = {{ measurement = "accuracy drop", value = "0.71 points" }}
"""


def _drop(value, limit=0.5, **changed):
    found = Measurement(
        name="accuracy drop", subject="digits/int8_qat", value=value, unit=Unit.POINTS, n=1000
    )
    return verdict_row(PLACE, found <= points(limit)) | changed


def _offending(*names):
    found = violations("tensor type violations", "digits/int8_qat", names, n=20)
    return verdict_row(PLACE, found <= 0)


@pytest.mark.parametrize(
    ("value", "covered"), [(0.00709, True), (0.0071, True), (0.00711, False), (0.01, False)]
)
def test_a_waiver_covers_no_more_than_its_value(value, covered):
    """Within it and at it; not above."""
    assert covers(WAIVER, _drop(value), TODAY) is covered


@pytest.mark.parametrize(("value", "covered"), [(0.93, True), (0.92, True), (0.91999, False)])
def test_a_floor_is_waived_downward(value, covered):
    """Where the limit is the least, so is the accepted value."""
    found = Measurement(name="accuracy", subject="s", value=value, unit=Unit.PERCENT)
    row = verdict_row(PLACE, found >= percent(94))
    waiver = replace(WAIVER, measurement="accuracy", value="92 %")
    assert covers(waiver, row, TODAY) is covered


@pytest.mark.parametrize(("days", "covered"), [(-1, True), (0, True), (1, False)])
def test_a_waiver_expires_by_itself(days, covered):
    """The day that it names is the last one on which it counts."""
    assert covers(WAIVER, _drop(0.007), TODAY + days * DAY) is covered


@pytest.mark.parametrize(
    "other",
    [
        {"model": "mnist"},
        {"recipe": "int8_ptq"},
        {"recipe": ""},
        {"check": "test_errors", "id": "checks/test_accuracy.py::test_errors[digits-int8_qat]"},
        {"id": f"other/{PLACE.id}"},
        {"measurement": "class drop"},
        {"unit": "%"},
    ],
)
def test_a_waiver_covers_no_other_verdict(other):
    """Another model, recipe, check, file, measurement or unit."""
    assert covers(WAIVER, _drop(0.007), TODAY)
    assert not covers(WAIVER, _drop(0.007) | other, TODAY)


@pytest.mark.parametrize(
    "check", ["test_accuracy_stays_within_tolerance", NODE, f"{NODE}[digits-int8_qat]"]
)
def test_a_check_is_named_in_any_of_three_ways(check):
    """By its function, its node id, and its node id with brackets."""
    assert covers(replace(WAIVER, check=check), _drop(0.007), TODAY)
    assert not covers(replace(WAIVER, check=check + "_2"), _drop(0.007), TODAY)


def test_a_kept_promise_needs_no_waiver():
    """So that one which is no longer needed shows."""
    assert not covers(WAIVER, _drop(0.004), TODAY)


def test_an_unproven_verdict_is_covered_like_a_broken_one():
    """Under strict it fails too; the caller asks only for what failed."""
    assert covers(WAIVER, _drop(0.004, verdict="inconclusive"), TODAY)


@pytest.mark.parametrize(
    ("named", "found", "covered"),
    [
        (("a", "b"), ("a", "b"), True),
        (("a", "b"), ("b",), True),
        (("a", "b"), ("a", "c"), False),
        (("a", "b"), ("a", "b", "c"), False),
    ],
)
def test_offenders_are_covered_by_name(named, found, covered):
    """Not by their number: another tensor in place of an accepted one is another fault."""
    waiver = replace(WAIVER, measurement="tensor type violations", value="", offenders=named)
    assert covers(waiver, _offending(*found), TODAY) is covered


def test_a_number_covers_no_offenders_and_names_cover_no_number():
    """The two kinds of waiver do not stand in for each other."""
    numbered = replace(WAIVER, measurement="tensor type violations", value="9")
    assert not covers(numbered, _offending("a"), TODAY)
    named = replace(WAIVER, value="", offenders=("a",))
    assert not covers(named, _drop(0.007), TODAY)


def test_the_waiver_that_covers_is_found():
    """The first that does."""
    expired = replace(WAIVER, expires=TODAY - DAY)
    assert find_waiver([expired, WAIVER], _drop(0.007), TODAY) is WAIVER
    assert find_waiver([expired], _drop(0.007), TODAY) is None


@pytest.mark.parametrize(
    ("waiver", "rows", "said"),
    [
        (WAIVER, [_drop(0.007)], "accepts 0.71 points until 2026-06-01, because: a new class"),
        (WAIVER, [_drop(0.008)], "it accepts 0.71 points, but this verdict measured 0.8 points"),
        (
            WAIVER,
            [_drop(0.008, waived={"reason": "r"})],
            "is unused, since another waiver covers this verdict: remove it",
        ),
        (WAIVER, [_drop(0.004)], "is unused, since the limit is kept: remove it"),
        (
            WAIVER,
            [_drop(0.004, measurement="class drop")],
            "is unused, since its check does not measure accuracy drop: remove it",
        ),
        (WAIVER, [_drop(0.004, model="mnist")], "was not evaluated in this run"),
        (WAIVER, [], "was not evaluated in this run"),
        (replace(WAIVER, expires=TODAY - DAY), [], "expired on 2026-05-31: remove it"),
        (replace(WAIVER, expires=TODAY - DAY), [_drop(0.007)], "it expired on 2026-05-31"),
    ],
)
def test_every_waiver_is_printed_with_its_state(waiver, rows, said):
    """Used, exceeded, expired, unused, or not looked at."""
    (note,) = waiver_notes([waiver], rows, TODAY)
    assert note.startswith(f"waiver of accuracy drop of digits/int8_qat ({FILE})")
    assert note.endswith(said)


OLD, NEW = "a" * 64, "b" * 64
CEILING = replace(WAIVER, measurement="size growth", value="", ceiling="size <= 8,736 B", base=OLD)


def _growth(own=8736, base=OLD, **changed):
    absolute = {"measurement": "size", "relation": "<=", "value": float(own), "unit": "B"}
    measured = {"measurement": "size growth", "unit": "%", "absolute": absolute, "base": base}
    return _drop(0.18) | measured | changed


@pytest.mark.parametrize(("own", "covered"), [(8735, True), (8736, True), (8737, False)])
def test_a_comparison_is_covered_up_to_a_ceiling(own, covered):
    """In the unit of the file: below it and at it, not above."""
    assert covers(CEILING, _growth(own), TODAY) is covered
    if not covered:
        assert "it accepts size <= 8,736 B, but this verdict measured 8,737 B" in refusal(
            CEILING, _growth(own), TODAY
        )


@pytest.mark.parametrize(("own", "covered"), [(0.932, True), (0.931, True), (0.9309, False)])
def test_the_ceiling_of_accuracy_is_a_floor(own, covered):
    """Its relation is that of the number, not of the loss."""
    absolute = {"measurement": "accuracy", "relation": ">=", "value": own, "unit": "%"}
    waiver = replace(CEILING, ceiling="accuracy >= 93.1 %")
    assert covers(waiver, _growth(absolute=absolute), TODAY) is covered


def test_a_waiver_lapses_with_its_base():
    """Whatever it accepts; the message gives the old base and the new one."""
    for waiver, row in (
        (CEILING, _growth(base=NEW)),
        (replace(CEILING, ceiling="", value="90 %"), _growth(base=NEW, absolute=None)),
        (replace(CEILING, ceiling="", offenders=("t",)), _growth(base=NEW, offenders=["t"])),
    ):
        assert not covers(waiver, row, TODAY)
        assert covers(waiver, {**row, "base": OLD}, TODAY)
        (note,) = waiver_notes([waiver], [row], TODAY)
        assert f"it has lapsed (it was for the base {OLD[:12]}, the base is now {NEW[:12]})" in note
        assert not list(waiver_errors([waiver], [row], RECIPES))


def test_a_lapsed_waiver_whose_limit_is_kept_may_still_be_needed():
    """A run against another commit cannot show that the change needs it no more."""
    (note,) = waiver_notes([CEILING], [_growth(base=NEW, verdict="pass")], TODAY)
    assert note.endswith("remove it once its change is merged")


@pytest.mark.parametrize(
    ("waiver", "row", "reason"),
    [
        (WAIVER, _drop(0.007, base=OLD), f'add base = "{OLD}"'),
        (replace(CEILING, base=""), _growth(), f'"size <= 8,736 B" and base = "{OLD}"'),
        (replace(CEILING, ceiling="", value="18 %"), _growth(), 'write ceiling = "size <= 8,736'),
        (replace(CEILING, ceiling="arena <= 9 B"), _growth(), "this verdict is size <= 8,736 B"),
        (replace(CEILING, ceiling="size >= 9 B"), _growth(), "this verdict is size <= 8,736 B"),
        (replace(CEILING, ceiling="size <= 9 %"), _growth(), "but this verdict is in B"),
        (CEILING, _growth(absolute=None), "has a value and no ceiling"),
        (replace(WAIVER, base=OLD), _drop(0.007), "does not compare with one"),
    ],
)
def test_a_waiver_of_another_form_does_not_cover(waiver, row, reason):
    """Each names what to write instead."""
    assert reason in refusal(waiver, row, TODAY)


RECIPES = {"digits": {"int8_qat"}}


@pytest.mark.parametrize(
    ("verdict", "needed"),
    [
        ("fail", f'write ceiling = "size <= 8,736 B" and base = "{OLD}" instead of value'),
        ("pass", "remove it: the limit is kept"),
    ],
)
def test_a_waiver_from_before_ceilings_is_an_error(verdict, needed):
    """Which prints the line to write."""
    old = replace(CEILING, ceiling="", base="", value="18 %", line=3)
    (error,) = waiver_errors([old], [_growth(verdict=verdict)], RECIPES)
    assert error.startswith(f"waiver of size growth of digits/int8_qat ({FILE}:3)")
    assert error.endswith(needed)
    assert not list(waiver_errors([old, WAIVER], [_drop(0.007)], RECIPES))


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ({"model": "digist"}, "there is no model digist (known: digits)"),
        ({"recipe": "int8"}, "there is no recipe int8 (known: int8_qat)"),
        ({"recipe": ""}, ""),
        ({"model": "", "recipe": ""}, ""),
    ],
)
def test_a_waiver_of_no_model_or_recipe_is_an_error(subject, reason):
    """A verdict on a whole model has no recipe, one on the project has neither."""
    errors = list(waiver_errors([replace(WAIVER, **subject)], [], RECIPES))
    assert [reason in error for error in errors] == [True] * bool(reason)


@pytest.mark.parametrize(("proven", "covered"), [(0.0070, True), (0.0071, True), (0.0072, False)])
def test_a_timing_exceeds_a_waiver_only_where_it_is_proven(proven, covered):
    """The measured value is another one at each repetition."""
    row = _drop(0.009, repeats={"low": proven, "high": 0.01})
    assert covers(WAIVER, row, TODAY) is covered


def test_of_two_waivers_the_newer_one_counts():
    """Whoever accepts more by a second one reads that the first can go."""
    wider = replace(WAIVER, value="0.9 points")
    row = _drop(0.007) | {"waived": wider.to_row()}
    assert find_waiver([WAIVER, wider], row, TODAY) is wider
    older, newer = waiver_notes([WAIVER, wider], [row], TODAY)
    assert "is unused, since another waiver covers this verdict: remove it" in older
    assert "accepts 0.9 points" in newer


def test_a_waiver_stands_in_the_report_as_json():
    """Whose verdict, what it accepts, why and until when."""
    row = json.loads(json.dumps(replace(WAIVER, line=3).to_row()))
    assert row["accepts"] == "0.71 points"
    assert row["expires"] == "2026-06-01"
    assert {row[k] for k in ("model", "recipe", "check")} == {"digits", "int8_qat", NODE}


def test_a_note_is_one_line_of_text():
    """Whatever the reason holds."""
    hostile = replace(WAIVER, reason="x\n::error::no\x1b[31m\u202e")
    (note,) = waiver_notes([hostile], [_drop(0.007)], TODAY)
    assert note.isprintable()


def test_a_file_is_read():
    """As a person writes it, with the line where it stands."""
    assert parse(TEXT, TODAY) == (replace(WAIVER, line=3),)


def test_no_file_is_no_waiver(tmp_path):
    """Most projects need none."""
    assert load(tmp_path, TODAY) == ()


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('reason = "a new class"\n', "", "reason is missing or empty"),
        ('"a new class"', '" "', "reason is missing or empty"),
        ('"a new class"', "7", "reason is missing or empty"),
        ("expires = 2026-06-01\n", "", "expires is missing or not a date"),
        ("2026-06-01", '"2026-06-01"', "expires is missing or not a date"),
        ("2026-06-01", "2026-06-01T00:00:00", "expires is missing or not a date"),
        ("2026-06-01", "2026-13-01", "is not valid TOML"),
        ("2026-06-01", "2027-06-03", "more than a year ahead"),
        ('model = "digits"', 'modell = "digits"', "unknown key 'modell'"),
        ('model = "digits"', 'model = ""', "model is missing or empty"),
        ("check =", "chekc =", "unknown key 'chekc'"),
        ('value = "0.71 points"', "value = 0.71", "value is missing or empty"),
        ("0.71 points", "0.71 furlongs", "the accepted value cannot be read"),
        (', value = "0.71 points"', "", "accepts needs exactly one of"),
        ("value =", 'offenders = ["a"], value =', "accepts needs exactly one of"),
        ('value = "0.71 points"', "offenders = []", "offenders is not a list of names"),
        ('value = "0.71 points"', "offenders = [1]", "offenders is not a list of names"),
        ('measurement = "accuracy drop", ', "", "measurement is missing or empty"),
        ("value =", "limit = 1, value =", "unknown key 'limit'"),
        ("value =", 'ceiling = "size <= 9 B", value =', "accepts needs exactly one of"),
        ('value = "0.71 points"', 'ceiling = "size <= 9 B"', "a ceiling needs the base"),
        ('value = "0.71 points"', 'base = "", ceiling = "size <= 9 B"', "base is missing or empty"),
        ('value = "0.71 points"', 'base = "k", ceiling = "9 B"', "ceiling cannot be read"),
        ('value = "0.71 points"', 'base = "k", ceiling = "size < 9 B"', "ceiling cannot be read"),
        ('value = "0.71 points"', 'base = "k", ceiling = "size <= x"', "ceiling cannot be read"),
        ("[[waiver]]", "[waiver]", "waiver is not a list"),
        ("[[waiver]]", "[[wavier]]", "unknown key 'wavier'"),
        ("# our own words", "strict = true", "unknown key 'strict'"),
    ],
)
def test_a_faulty_file_is_refused(was, becomes, said):
    """Each fault by its own words; nothing is guessed."""
    assert TEXT.count(was) == 1
    with pytest.raises(ConfigError, match=said):
        parse(TEXT.replace(was, becomes), TODAY)


@pytest.mark.parametrize(
    ("old", "new"), [*OLD_NAMES.items(), ("f1 drop against the base", "f1 regression")]
)
def test_a_waiver_of_an_old_name_is_refused_with_the_new_one(old, new):
    """Nothing would be excused by it: no verdict has that name any more."""
    with pytest.raises(ConfigError) as caught:
        parse(TEXT.replace('"accuracy drop"', f'"{old}"'), TODAY)
    assert f"{FILE}:3: the measurement was renamed" in str(caught.value)
    assert repr(old) in str(caught.value)
    assert repr(str(new)) in str(caught.value)


def test_a_fault_names_its_line():
    """The second of two, by the line of its header."""
    faulty = TEXT.replace("a new class", " ")
    with pytest.raises(ConfigError, match=rf"{FILE}:12: reason is missing"):
        parse(TEXT + faulty, TODAY)


@pytest.mark.parametrize(("over", "refused"), [(-DAY, False), (0 * DAY, False), (DAY, True)])
def test_a_waiver_lasts_a_year_at_most(over, refused):
    """The same day next year is the last that may be named."""
    expires = TODAY + MAX_VALIDITY + over
    text = TEXT.replace("2026-06-01", expires.isoformat())
    if refused:
        with pytest.raises(ConfigError, match="more than a year ahead"):
            parse(text, TODAY)
    else:
        assert parse(text, TODAY)[0].expires == expires


def test_an_unreadable_file_is_an_error(tmp_path):
    """Not the same as no file."""
    (tmp_path / FILE).write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, TODAY)


texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


@given(texts, texts, texts, texts)
@example('"""', "\\", "]\n[[waiver]]\n", "'''\x7f\x00\u2028\u202e#")
def test_any_text_survives_the_file(reason, model, check, offender):
    """Hostile names are text, and what was written is what is read."""
    waiver = Waiver(
        check=check,
        model=model,
        measurement="m",
        offenders=(offender, reason),
        reason=reason,
        expires=TODAY,
    )
    (found,) = parse(to_toml(waiver), TODAY)
    assert replace(found, line=0) == waiver
    assert all(line.isprintable() for line in to_toml(waiver).splitlines())


def test_half_a_character_is_refused(tmp_path):
    """TOML cannot hold it; the file stays as it is."""
    with pytest.raises(ConfigError, match="half of a surrogate pair"):
        add(tmp_path, [replace(WAIVER, reason="\ud800")], TODAY)
    assert list(tmp_path.iterdir()) == []


def test_a_ceiling_survives_the_file(tmp_path):
    """With its base."""
    add(tmp_path, [CEILING], TODAY)
    assert [replace(waiver, line=0) for waiver in load(tmp_path, TODAY)] == [CEILING]


@pytest.mark.parametrize("end", ["\n", "", "\r\n"])
def test_what_stands_in_the_file_stays(tmp_path, end):
    """Comments, layout and line ends; the new waiver comes last."""
    before = ("# ours\n" + TEXT.strip() + "  # why\n# the end").encode() + end.encode()
    (tmp_path / FILE).write_bytes(before)
    (tmp_path / FILE).chmod(0o640)
    more = replace(WAIVER, model="mnist")
    path = add(tmp_path, [more, WAIVER], TODAY)
    assert path.read_bytes().startswith(before)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.model for one in load(tmp_path, TODAY)] == ["digits", "mnist", "digits"]
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE]


def test_a_new_file_says_what_it_is_for(tmp_path):
    """Whoever reviews it need not look it up, and everybody may read it."""
    path = add(tmp_path, [WAIVER], TODAY)
    assert path.read_text("utf-8").startswith("# Exceptions to the gate's verdicts")
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("text", ["waiver = []\n", "[[waiver]]\n"])
def test_a_file_that_cannot_take_a_waiver_is_left_alone(tmp_path, text):
    """Nothing is half written."""
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ConfigError):
        add(tmp_path, [WAIVER], TODAY)
    assert (tmp_path / FILE).read_text() == text
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE]


def test_a_linked_file_stays_a_link(tmp_path):
    """What it points at is replaced."""
    (tmp_path / "real.toml").write_text("")
    (tmp_path / FILE).symlink_to("real.toml")
    add(tmp_path, [WAIVER], TODAY)
    assert (tmp_path / FILE).is_symlink()
    assert len(load(tmp_path, TODAY)) == 1
