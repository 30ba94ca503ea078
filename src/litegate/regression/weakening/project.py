"""Find the checks, settings, modules and workflows that a change weakens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import unified_diff
from typing import Any

from litegate.core.digests import digest_of
from litegate.core.options import OPTIONS
from litegate.regression.weakening.addopts import STRICT, has_option, weakened_options
from litegate.regression.weakening.types import Change, Weakening, digest_change
from litegate.regression.workflow_files import is_pipeline, runs_gate

Declaration = Mapping[str, Any]
"""Everything that a checkout declares."""
Code = Mapping[str, Any] | None
"""Lines of code and the local modules that it imports; None if there is none."""
_LINES = 6
"""Changed lines that a sentence quotes: an edit of one check rarely has more."""
_LINE_LENGTH = 100
"""Characters quoted of a line, as many as a formatted line of code has."""

_NOT_COMPARED = frozenset(
    (
        "addopts",
        "litegate_strict",
        "litegate_data",
        "litegate_builder",
        "litegate_ray_wait",
        "litegate_store_readonly",
        "litegate_store_required",
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
_NARROWING = frozenset({"litegate_model", "litegate_recipe", "litegate_changed"})
"""Settings that select some of the models or recipes, if they are set."""
_ADDING = frozenset({"litegate_against", "litegate_anchor", "litegate_store_public_key"})
"""Settings that add a comparison or a demand, if they are set."""
_BOUNDS = frozenset({"litegate_runtime_samples"})
"""Settings that bound the samples that are judged; 0 stands for all."""
_DEFAULTS = {option.name: option.default for option in OPTIONS}


def weakened_checks(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """Yield the checks that are gone or differ, except those moved unchanged to another file.

    What the checks of a file share is compared once for the file.
    """
    added = [_moved_code(head, node) for node in head["checks"] if node not in base["checks"]]
    for node, before in base["checks"].items():
        after = head["checks"].get(node)
        if after is None and _moved_code(base, node) not in added:
            yield Weakening(kind=Change.CHECK_REMOVED, field=node, before="there", after="gone")
        elif after is not None:
            yield from _code_change(Change.CHECK_CHANGED, node, before, after)
    for file, before in base["shared"].items():
        if file in head["shared"]:
            yield from _code_change(Change.SHARED_CODE, file, before, head["shared"][file])


def _moved_code(declaration: Declaration, node: str) -> tuple[str, Any, Any]:
    """Return what stays the same if a check moves: its function's name, its code, the shared."""
    file, _, _ = node.partition("::")
    shared = declaration["shared"].get(file)
    return node.rpartition("::")[2], declaration["checks"][node], shared


def weakened_modules(base: Declaration, head: Declaration) -> Iterator[Weakening]:
    """Yield the modules whose change may alter checks.

    A conftest can deselect checks, silence them or replace their fixtures, and so can any code that
    runs in the folder of checks: a new one counts, too. Other modules count if both import them:
    whoever imports another one has changed.
    """
    before, after = base["conftests"], head["conftests"]
    for path in dict.fromkeys((*before, *after)):
        kind = Change.CONFTEST if path.rpartition("/")[2] == "conftest.py" else Change.MODULE
        yield from _code_change(kind, path, before.get(path), after.get(path))
    before, after = base["statements"], head["statements"]
    for path in dict.fromkeys((*before, *after)):
        yield from _code_change(Change.STATEMENTS, path, before.get(path), after.get(path))
    for path, module in base["modules"].items():
        if path in head["modules"]:
            yield from _code_change(Change.MODULE, path, module, head["modules"][path])


def weakened_workflows(base: Mapping[str, Any], head: Mapping[str, Any]) -> Iterator[Weakening]:
    """Yield the workflows that run the gate in the base, and differ or are gone.

    A step that may fail, a filter or another job may keep the gate from judging a later change. So
    may the pipeline of GitLab that includes the gate's job: it may override it.
    """
    gates = {path for path, code in base.items() if runs_gate(code["lines"])}
    has_job = any(map(is_pipeline, gates))
    for path, before in base.items():
        if path in gates or (has_job and is_pipeline(path)):
            yield from _code_change(Change.WORKFLOW, path, before, head.get(path))


def _code_change(kind: Change, field: str, before: Code, after: Code) -> Iterator[Weakening]:
    """Yield the weakening of code that differs; None stands for code that is missing."""
    if before != after:
        digests = (None if code is None else digest_of(code) for code in (before, after))
        yield replace(digest_change(kind, field, *digests), lines=_changed_lines(before, after))


def _changed_lines(before: Code, after: Code) -> tuple[str, ...]:
    """Return the first lines that were removed or added, and the number of the others."""
    removed_from, added_to = (
        [*code["lines"], *(f"import of {path}" for path in code["imports"])] if code else []
        for code in (before, after)
    )
    _, _, *changes = unified_diff(removed_from, added_to, n=0, lineterm="")  # after a header
    lines = [line for line in changes if not line.startswith("@@")]
    shown = [f"{line[0]} {line[1:].strip()}"[:_LINE_LENGTH] for line in lines[:_LINES]]
    more = len(lines) - len(shown)
    return (*shown, f"and {more} more lines") if more else tuple(shown)


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
        return after == _DEFAULTS[name]
    if name in _BOUNDS and before.isdigit() and after.isdigit():
        return int(after) == 0 or 0 < int(before) < int(after)
    return name in _ADDING and before == _DEFAULTS.get(name, "")


def _setting_change(kind: Change, field: str, before: str, after: str) -> Weakening:
    return Weakening(kind=kind, field=field, before=before or "none", after=after or "none")
