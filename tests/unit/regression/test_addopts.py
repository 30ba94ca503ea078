"""Which options of addopts make the gate promise less."""

import pytest

from litegate.regression.weakening.addopts import has_option, weakened_options


@pytest.mark.parametrize(
    "option",
    [
        "-k digits",
        "-kdigits",
        "-m 'not latency'",
        "--deselect checks/test_size.py::test_size",
        "--deselect=checks/test_size.py",
        "--ignore checks/test_size.py",
        "--ignore-glob=*size*",
        "--litegate-model digits",
        "--litegate-recipe=int8_qat",
        "--benchmark-disable",
        "--collect-only",
        "--noconftest",
    ],
)
def test_what_narrows_a_run_may_go_and_not_come(option):
    """Fewer checks, models or files."""
    assert len(weakened_options("-ra", f"-ra {option}")) == 1
    assert weakened_options(f"-ra {option}", "-ra") == ()


@pytest.mark.parametrize(
    "option",
    ["-q", "-vv", "-x", "-rA", "-n 2", "--tb=short", "--durations 5", "--cov=src", "--color=no"],
)
def test_what_says_nothing_about_verdicts_may_come_and_go(option):
    """How it looks, how fast it is, where it stops."""
    assert weakened_options("", option) == ()
    assert weakened_options(option, "") == ()


@pytest.mark.parametrize("option", ["--strict-markers", "--strict-config", "--against auto"])
def test_what_makes_a_run_stricter_may_come_and_not_go(option):
    """Removed, a fault that it found is found no more."""
    assert weakened_options("", option) == ()
    assert weakened_options(option, "") == ((option, ""),)


@pytest.mark.parametrize(
    "option",
    [
        "-p my_plugin",
        "-o litegate_strict=false",
        "-c other.ini",
        "--override-ini=addopts=",
        "--of-tomorrow",
        "checks/test_size.py",
        "-q checks/test_size.py",
        "-qk digits",
        "'an open quote",
        "--against HEAD",
    ],
)
def test_what_is_not_known_counts_both_ways(option):
    """An option of a plugin can do anything: fail closed."""
    assert weakened_options("", option)
    assert weakened_options(option, "")


def test_no_plugin_of_ours_may_be_switched_off():
    """Without the plugin there is no gate."""
    assert weakened_options("", "-p no:litegate") == (("", "-p no:litegate"),)
    assert weakened_options("", "-p no:cacheprovider") == ()


def test_of_several_expressions_the_last_one_counts():
    """As in pytest: what stands before it changes nothing, and taking it away uncovers another."""
    assert weakened_options("-m fast", "-m slow -m fast") == ()
    assert weakened_options("-m slow -m fast", "-m slow") == (("", "-m slow"),)


def test_another_expression_is_a_weakening():
    """Nobody can tell which of the two selects more."""
    assert weakened_options("-m 'not slow'", "-m 'not latency'") == (("", "-m not latency"),)


def test_the_order_of_options_does_not_matter():
    """Nor how a value is written."""
    assert weakened_options("-q --ignore=a --ignore=b", "--ignore b --ignore a -q") == ()


def test_asking_for_a_flag():
    """A word inside an expression is no flag."""
    assert has_option("-q --litegate-strict", "--litegate-strict")
    assert not has_option("-k '--litegate-strict'", "--litegate-strictly")
