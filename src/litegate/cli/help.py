"""How `--help` looks: flags take no value, so none is named; arguments stand there by name."""

from __future__ import annotations

import re
from typing import Any, final

from typer.core import TyperCommand, TyperGroup


class _Help:
    """What commands and groups of them have in common.

    Typer writes `--json <bool>` for a flag, and `{FILE}` and `FILE <path>` for an argument.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, `--help` included; no type is named after a flag or an argument."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of the class beside it
        for one in found:
            if getattr(one, "is_flag", False):
                one.metavar = ""
            elif one.param_type_name == "argument":
                one.display_type_rich = _nothing
        return found

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands in the line of usage: `FILE`, `[RECIPE]...`."""
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]  # as above
        return [re.sub(r"^\{(.*)\}(\.\.\.)?$", r"\1\2", piece) for piece in pieces]


def _nothing(**_: Any) -> str:
    return ""


@final
class Command(_Help, TyperCommand):
    """A command."""


@final
class Group(_Help, TyperGroup):
    """Commands under one name."""
