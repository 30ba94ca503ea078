"""Read pytest's configuration: the gate's options, and what the run was asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from litegate.core.options import OPTIONS, GateOptions, parse
from litegate.core.pytest_options import ENDS_WITHOUT_VERDICT, HIDES, SELECTS


def concerned(config: pytest.Config, checks: Path, args: Iterable[str] | None = None) -> bool:
    """Return True if an argument of the command line is in the folder of checks, or above it."""
    folder = checks.resolve()
    paths = argument_paths(config, args)
    return any(path.is_relative_to(folder) or folder.is_relative_to(path) for path in paths)


def argument_paths(config: pytest.Config, args: Iterable[str] | None = None) -> list[Path]:
    """Return the path of each argument of the command line, or of `args`."""
    return [_resolved(config, arg) for arg in (config.args if args is None else args)]


def asked_for(config: pytest.Config, path: Path) -> bool:
    """Return True if the command line names this path, or a folder above it."""
    folders = (_resolved(config, arg) for arg in config.args if "::" not in arg)
    return any(path.resolve().is_relative_to(folder) for folder in folders)


def collect_arguments(config: pytest.Config, options: GateOptions) -> list[str]:
    """Return the arguments with which another process collects the same checks, all of them."""
    values = {
        "litegate_models": options.models,
        "litegate_checks": options.checks,
        "litegate_store": options.store,
        "litegate_data": options.data,
        "litegate_device": options.device,
    }
    flags = {option.flag: values.get(option.name) for option in OPTIONS}
    return [
        *(("-c", str(config.inipath)) if config.inipath else ()),
        f"--rootdir={config.rootpath}",
        f"--import-mode={config.option.importmode}",
        *(f"--override-ini={setting}" for setting in config.option.override_ini or ()),
        *(f"{flag}={value}" for flag, value in flags.items() if value),
        str(options.checks),
    ]


def whole_folder(config: pytest.Config, checks: Path) -> bool:
    """Return True if the command line names the folder of checks, or each of its files."""
    if asked_for(config, checks):
        return True
    patterns = config.getini("python_files")
    files = [
        file
        for file in checks.rglob("*.py")
        if any(fnmatch(file.name, pattern) for pattern in patterns)
    ]
    return bool(files) and all(asked_for(config, file) for file in files)


def looks(config: pytest.Config) -> str:
    """Return the option by which this run judges nothing, such as --co; empty if it judges."""
    on = [
        flags
        for name, flags in ENDS_WITHOUT_VERDICT.items()
        if config.getoption(name, default=None)
    ]
    by_hand = (arg for arg in config.invocation_params.args if any(arg in flags for flags in on))
    return next(by_hand, on[0][0]) if on else ""


def refuse_hidden_look(config: pytest.Config, checks: Path) -> None:
    """Raise UsageError if a setting, not the command line, keeps every run from judging."""
    option = looks(config)
    if not option or option in config.invocation_params.args or not checks.is_dir():
        return
    if config.args and not concerned(config, checks):  # with --help no argument is read
        return
    flags = next(flags for flags in ENDS_WITHOUT_VERDICT.values() if option in flags)
    raise pytest.UsageError(
        f"{' or '.join(flags)} in addopts or PYTEST_ADDOPTS: no run judges anything\n  what "
        "to do: remove it there, and pass it on the command line when needed"
    )


def narrowed(config: pytest.Config, checks: Path, *, left_out: bool) -> Iterator[str]:
    """List how the run was narrowed: each option with its source, and the paths.

    An option that selects among collected checks counts only if it left something out.
    """
    ways = {**SELECTS, **HIDES} if left_out else HIDES
    for name, flag in ways.items():
        for value in _values(config, name):
            option = flag if value is True else f"{flag} {value}"
            yield option + _source(config, flag if value is True else str(value))
    if not whole_folder(config, checks):
        yield ", ".join(config.args)


def _values(config: pytest.Config, name: str) -> list[object]:
    value = config.getoption(name, default=None)
    return list(value or ()) if isinstance(value, list | tuple) else [value] if value else []


def _source(config: pytest.Config, option: str) -> str:
    """Name the source of an option; empty for the command line."""
    places = {
        "": config.invocation_params.args,
        " of PYTEST_ADDOPTS": [os.environ.get("PYTEST_ADDOPTS", "")],
        " of addopts": config.getini("addopts"),
    }
    return next((place for place, words in places.items() if option in " ".join(words)), "")


def _resolved(config: pytest.Config, argument: str) -> Path:
    return (config.invocation_params.dir / argument.partition("::")[0]).resolve()


def refuse_to_look(config: pytest.Config) -> None:
    """Raise UsageError if a setting ends every run of the checks without a verdict."""
    refuse_hidden_look(config, options_of(config).checks)


def narrow_times(config: pytest.Config) -> None:
    """Let pytest-benchmark's table fit a terminal, unless --benchmark-columns asks for others."""
    if getattr(config.option, "benchmark_columns", ()) is None:
        config.option.benchmark_columns = ["median", "iqr", "rounds"]


def options_of(config: pytest.Config) -> GateOptions:
    """Return the options of a run. Raises ConfigError for a value that is not allowed."""
    flags = {option.name: config.getoption(option.name) for option in OPTIONS}
    names = (option.name for option in OPTIONS if config.getini(option.name) is not None)
    return parse(config.rootpath, flags, {name: setting(config, name) for name in names})


def setting(config: pytest.Config, name: str) -> str:
    """Return a setting of the project as text; empty if it is not set."""
    value = config.getini(name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)
