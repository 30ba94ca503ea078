"""Find the checks, settings and conftests that a change weakens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from litegate.core.options import OPTIONS
from litegate.regression.weakening.addopts import STRICT, has_option, weakened_options
from litegate.regression.weakening.types import Change, Weakening, digest_change

_NOT_COMPARED = frozenset(
    (
        "addopts",
        "litegate_strict",
        "litegate_data",
        "litegate_report",
        "litegate_build_timeout",
        "litegate_lock_timeout",
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
"""Settings that cannot change a verdict, and `addopts` and `litegate_strict`, which have rules of
their own. A model that `litegate_models` loses is reported as a removed model."""
_NARROWING = frozenset({"litegate_model", "litegate_recipe"})
"""Settings that select some of the models or recipes, if they are set."""
_ADDING = frozenset({"litegate_against", "litegate_anchor"})
"""Settings that add a comparison, if they are set."""
_DEFAULTS = {option.name: option.default for option in OPTIONS}


def weakened_checks(base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[Weakening]:
    """Yield the checks that are gone or differ, except those moved unchanged to another file."""
    added = {(_function(node), digest) for node, digest in head.items() if node not in base}
    for node, before in base.items():
        after = head.get(node)
        if after is None and (_function(node), before) not in added:
            yield Weakening(kind=Change.CHECK_REMOVED, field=node, before="there", after="gone")
        elif after is not None and after != before:
            yield digest_change(Change.CHECK_CHANGED, node, before, after)


def _function(node: str) -> str:
    return node.rpartition("::")[2]


def weakened_settings(base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[Weakening]:
    """Yield the changed settings with which the same checks may judge less, or less strictly."""
    if _is_strict(base) and not _is_strict(head):
        yield Weakening(kind=Change.STRICT, field="litegate_strict", before="true", after="false")
    for before, after in weakened_options(base.get("addopts", ""), head.get("addopts", "")):
        if STRICT not in (before, after):  # reported above
            yield _setting_change(Change.ADDOPTS, "option", before, after)
    for name in dict.fromkeys((*base, *head)):
        before, after = (_value(settings, name) for settings in (base, head))
        if before != after and name not in _NOT_COMPARED and not _is_wider(name, before, after):
            kind = Change.DESELECTION if name in _NARROWING else Change.SETTING
            yield _setting_change(kind, name, before, after)


def _is_strict(settings: Mapping[str, str]) -> bool:
    setting = settings.get("litegate_strict", "").strip().lower()
    return setting in ("1", "true", "yes", "on") or has_option(settings.get("addopts", ""), STRICT)


def _value(settings: Mapping[str, str], name: str) -> str:
    return settings.get(name, "") or _DEFAULTS.get(name, "")


def _is_wider(name: str, before: str, after: str) -> bool:
    """Return True if a change of a setting can only make the gate judge more."""
    if name in _NARROWING:
        return not after
    return name in _ADDING and before == _DEFAULTS.get(name, "")


def _setting_change(kind: Change, field: str, before: str, after: str) -> Weakening:
    return Weakening(kind=kind, field=field, before=before or "none", after=after or "none")


def weakened_conftests(base: Mapping[str, str], head: Mapping[str, str]) -> Iterator[Weakening]:
    """Yield the conftests that were added, removed or changed.

    A conftest can deselect checks, silence them or replace their fixtures, so a new one counts too.
    """
    for path in dict.fromkeys((*base, *head)):
        if base.get(path) != head.get(path):
            yield digest_change(Change.CONFTEST, path, base.get(path), head.get(path))
