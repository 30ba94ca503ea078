"""What pytest's configuration says of the gate."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

import pytest

from litegate.core.options import OPTIONS, GateOptions, parse

LOOKS: Mapping[str, tuple[str, ...]] = {
    "collectonly": ("--collect-only", "--co"),
    "setupplan": ("--setup-plan",),
    "setuponly": ("--setup-only",),
    "showfixtures": ("--fixtures", "--funcargs"),
    "show_fixtures_per_test": ("--fixtures-per-test",),
    "markers": ("--markers",),
    "cacheshow": ("--cache-show",),
    "help": ("--help", "-h"),
    "version": ("--version", "-V"),
}
"""Options of pytest's that end a run without a verdict, by their name in `config.option`."""
_LEAVES_OUT: Mapping[str, str] = {"keyword": "-k", "markexpr": "-m", "deselect": "--deselect"}
"""Those that choose among what was collected."""
_HIDES: Mapping[str, str] = {
    "ignore": "--ignore",
    "ignore_glob": "--ignore-glob",
    "lf": "--lf",
    "stepwise": "--sw",
}
"""Those that keep files from being collected."""


def concerned(config: pytest.Config, checks: Path, args: Iterable[str] | None = None) -> bool:
    """Whether an argument of the command line lies in the folder of checks, or holds it."""
    folder = checks.resolve()
    asked = [_resolved(config, arg) for arg in (config.args if args is None else args)]
    return any(path.is_relative_to(folder) or folder.is_relative_to(path) for path in asked)


def asked_for(config: pytest.Config, path: Path) -> bool:
    """Whether the command line names this path, or a folder that holds it."""
    asked = (_resolved(config, arg) for arg in config.args if "::" not in arg)
    return any(path.resolve().is_relative_to(each) for each in asked)


def whole_folder(config: pytest.Config, checks: Path) -> bool:
    """Whether the command line names the folder of checks, or each of its files."""
    if asked_for(config, checks):
        return True
    patterns = config.getini("python_files")
    files = [
        file for file in checks.rglob("*.py") if any(fnmatch(file.name, one) for one in patterns)
    ]
    return bool(files) and all(asked_for(config, file) for file in files)


def looks(config: pytest.Config) -> str:
    """The option by which this run only looks, as it was written by hand; empty where it judges."""
    on = [flags for name, flags in LOOKS.items() if config.getoption(name, default=None)]
    by_hand = (arg for arg in config.invocation_params.args if any(arg in flags for flags in on))
    return next(by_hand, on[0][0]) if on else ""


def refuse_hidden_look(config: pytest.Config, checks: Path) -> None:
    """UsageError where a setting, not a hand, ends every run of the checks without a verdict."""
    option = looks(config)
    if not option or option in config.invocation_params.args or not checks.is_dir():
        return
    if config.args and not concerned(config, checks):  # with --help no argument is read
        return
    flags = next(flags for flags in LOOKS.values() if option in flags)
    raise pytest.UsageError(
        f"{' or '.join(flags)} stands in addopts or PYTEST_ADDOPTS: no run would judge anything\n"
        "  what to do: take it out there, and give it by hand where you want to look"
    )


def narrowed(config: pytest.Config, checks: Path, *, left_out: bool) -> Iterator[str]:
    """What made a part of the checks: each option with where it was given, and the paths.

    An option that only chooses among what was collected counts where it left something out.
    """
    ways = {**_LEAVES_OUT, **_HIDES} if left_out else _HIDES
    for name, flag in ways.items():
        for value in _values(config, name):
            said = flag if value is True else f"{flag} {value}"
            yield said + _place(config, flag if value is True else str(value))
    if not whole_folder(config, checks):
        yield ", ".join(config.args)


def _values(config: pytest.Config, name: str) -> list[object]:
    found = config.getoption(name, default=None)
    return list(found or ()) if isinstance(found, list | tuple) else [found] if found else []


def _place(config: pytest.Config, said: str) -> str:
    """Where an option was given: nothing where by hand."""
    places = {
        "": config.invocation_params.args,
        " of PYTEST_ADDOPTS": [os.environ.get("PYTEST_ADDOPTS", "")],
        " of addopts": config.getini("addopts"),
    }
    return next((place for place, words in places.items() if said in " ".join(words)), "")


def _resolved(config: pytest.Config, argument: str) -> Path:
    return (config.invocation_params.dir / argument.partition("::")[0]).resolve()


def refuse_to_look(config: pytest.Config) -> None:
    """UsageError where a setting ends every run of the checks without a verdict."""
    refuse_hidden_look(config, options_of(config).checks)


def narrow_times(config: pytest.Config) -> None:
    """Let pytest-benchmark's table fit a terminal, unless --benchmark-columns asks for others."""
    if getattr(config.option, "benchmark_columns", ()) is None:
        config.option.benchmark_columns = ["median", "iqr", "rounds"]


def options_of(config: pytest.Config) -> GateOptions:
    """The options of a run. ConfigError for a value that one cannot have."""
    flags = {option.name: config.getoption(option.name) for option in OPTIONS}
    return parse(
        config.rootpath, flags, {option.name: setting(config, option.name) for option in OPTIONS}
    )


def setting(config: pytest.Config, name: str) -> str:
    """A setting of the project as text; empty where it is not set."""
    value = config.getini(name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)
