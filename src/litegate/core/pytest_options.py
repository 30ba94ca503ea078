"""pytest's own options that keep checks from running: one table for all who look for them."""

from __future__ import annotations

from collections.abc import Mapping

ENDS_WITHOUT_VERDICT: Mapping[str, tuple[str, ...]] = {
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
"""Flags that end a run without a verdict, by the option's name in `config.option`."""
SELECTS: Mapping[str, str] = {"keyword": "-k", "markexpr": "-m", "deselect": "--deselect"}
"""Flags that select among collected tests, by the option's name."""
HIDES: Mapping[str, str] = {
    "ignore": "--ignore",
    "ignore_glob": "--ignore-glob",
    "lf": "--lf",
    "stepwise": "--sw",
}
"""Flags that keep files from being collected, by the option's name."""
