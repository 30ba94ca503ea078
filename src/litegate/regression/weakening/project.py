"""What the project promises less of: its checks, its settings, its conftests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from litegate.core.options import OPTIONS
from litegate.regression.weakening.addopts import STRICT, asks, weakened_options
from litegate.regression.weakening.types import Change, Weakening, differs

_FREE = frozenset(
    (
        "addopts",
        "litegate_strict",
        "litegate_data",
        "litegate_report",
        "litegate_build_timeout",
        "litegate_models",
        "minversion",
        "cache_dir",
        "junit_family",
        "junit_suite_name",
        "log_cli",
        "log_level",
        "console_output_style",
        "testpaths",
    )
)
"""Settings that decide nothing about a verdict, and the two that are judged by themselves."""
_NARROWING = frozenset({"litegate_model", "litegate_recipe"})
_OFF_BY_DEFAULT = frozenset({"litegate_against", "litegate_anchor"})
"""Settings that compare with something more where they are set."""
_DEFAULTS = {option.name: option.default for option in OPTIONS}


def weakened_checks(base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[Weakening]:
    """Checks that are gone or differ; one that moved to another file as it was is followed."""
    new = {(_function(name), digest) for name, digest in head.items() if name not in base}
    for name, before in base.items():
        after = head.get(name)
        if after is None and (_function(name), before) not in new:
            yield Weakening(kind=Change.CHECK_REMOVED, field=name, before="there", after="gone")
        elif after is not None and after != before:
            yield differs(Change.CHECK_CHANGED, name, before, after)


def _function(node: str) -> str:
    return node.rpartition("::")[2]


def weakened_settings(base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[Weakening]:
    """Settings under which the same checks say less, or say it of less."""
    if _strict(base) and not _strict(head):
        yield Weakening(kind=Change.STRICT, field="litegate_strict", before="true", after="false")
    for before, after in weakened_options(base.get("addopts", ""), head.get("addopts", "")):
        if STRICT not in (before, after):
            yield _other(Change.ADDOPTS, "option", before, after)
    for name in dict.fromkeys((*base, *head)):
        before, after = (_value(settings, name) for settings in (base, head))
        if before != after and name not in _FREE and not _widens(name, before, after):
            kind = Change.DESELECTION if name in _NARROWING else Change.SETTING
            yield _other(kind, name, before, after)


def _strict(settings: Mapping[str, str]) -> bool:
    said = settings.get("litegate_strict", "").strip().lower() in ("1", "true", "yes", "on")
    return said or asks(settings.get("addopts", ""), STRICT)


def _value(settings: Mapping[str, str], name: str) -> str:
    return settings.get(name, "") or _DEFAULTS.get(name, "")


def _widens(name: str, before: str, after: str) -> bool:
    if name in _NARROWING:
        return not after
    return name in _OFF_BY_DEFAULT and before == _DEFAULTS.get(name, "")


def _other(kind: Change, field: str, before: str, after: str) -> Weakening:
    return Weakening(kind=kind, field=field, before=before or "none", after=after or "none")


def weakened_conftests(base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[Weakening]:
    """One that comes, goes or differs: it can drop, silence or replace whatever the checks ask."""
    for path in dict.fromkeys((*base, *head)):
        if base.get(path) != head.get(path):
            yield differs(Change.CONFTEST, path, base.get(path), head.get(path))
