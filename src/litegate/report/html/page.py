"""Render a report as self-contained pages, without a script or a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import (
    BytecodeCache,
    Environment,
    FileSystemBytecodeCache,
    FileSystemLoader,
    StrictUndefined,
)
from jinja2.bccache import Bucket
from markupsafe import Markup

from litegate.core.errors import ConfigError
from litegate.core.escaping import plain
from litegate.core.files import write_atomically
from litegate.core.units import Unit, difference_text, text
from litegate.report import proof
from litegate.report.html import captions
from litegate.report.html.answer import answer
from litegate.report.html.change import base_commit, effects, head_commit
from litegate.report.html.charts.bars import bar, layer_bar
from litegate.report.html.charts.classes import class_change, class_scale
from litegate.report.html.charts.curves import curves
from litegate.report.html.charts.interval import interval
from litegate.report.html.charts.matrix import difference, matrix
from litegate.report.html.charts.merit import merit
from litegate.report.html.charts.over_commits import caption as trend_caption
from litegate.report.html.charts.over_commits import over_commits
from litegate.report.html.charts.pareto import pareto, repair_rows, unbeaten
from litegate.report.html.charts.samples import sample
from litegate.report.html.charts.thresholds import has_curve, threshold_curve
from litegate.report.html.charts.timing import epochs, is_timed, times
from litegate.report.html.charts.treemap import treemap
from litegate.report.html.check_matrix import check_matrix
from litegate.report.html.findings import passed, problems, verdict_finding
from litegate.report.html.history import History, history
from litegate.report.html.page_data import MOST_ON_ONE_PAGE, CandidateData
from litegate.report.html.verdict_changes import verdict_changes
from litegate.report.json_report import delete_model_pages, models_folder
from litegate.report.outcomes import (
    Report,
    displayed_verdict,
    headline,
    outcome_of,
)
from litegate.report.row_text import (
    counts,
    details,
    figures,
    judged_commit,
    recipe_figures,
    recipe_head,
    short_fact,
    short_name,
    subject_of,
)
from litegate.report.runtime_matrix import RUNTIME_HEAD, runtime_figures

_TEMPLATES = Path(__file__).with_name("templates")
_MOST_LISTED = 200
"""Rows under one heading of an overview, about 2 KB each: a run in which everything failed must
stay readable and below 1.5 MB. The others are in the files of their models."""
_LONGEST_SLUG = 80
"""Characters of a model's name in a file's name, below every file system's 255 bytes."""
_FUNCTIONS = {
    function.__name__: function
    for function in (
        *(bar, class_change, class_scale, curves, difference, epochs, interval, layer_bar, matrix),
        *(
            merit,
            over_commits,
            pareto,
            repair_rows,
            sample,
            short_fact,
            short_name,
            threshold_curve,
            times,
        ),
        *(treemap, unbeaten),
        *(answer, base_commit, counts, effects, figures, head_commit, details),
        *(difference_text, judged_commit, outcome_of),
        *(passed, problems, recipe_figures, recipe_head, runtime_figures, subject_of, text),
    )
} | {"finding_of": verdict_finding, "trend_caption": trend_caption}
"""Functions that templates call."""


def page(
    report: Report,
    candidates: Sequence[CandidateData] = (),
    gaps: Sequence[str] = (),
    earlier: Iterable[Report] = (),
) -> str:
    """Render the page of one report, with every model.

    `gaps` are the reasons why evidence cannot be shown, `earlier` the reports of earlier commits,
    the oldest first.
    """
    names = _model_names(report)
    return _render(
        "page.html",
        **_overview(report, gaps, {name: f"#model-{n}" for n, name in enumerate(names, start=1)}),
        models=[_model(report, name, candidates) for name in names],
        history=history(earlier, report),
        proofs=report.get("proofs") or (),
    )


def write_page(
    report: Report,
    path: Path,
    candidates: Sequence[CandidateData] = (),
    gaps: Sequence[str] = (),
    earlier: Iterable[Report] = (),
) -> Path:
    """Write the page of one report; of many models an overview, and a file for each beside it.

    Takes the arguments of `page`. Raises ConfigError if a file cannot be written.
    """
    folder, names = models_folder(path), _model_names(report)
    with _writing(path):
        delete_model_pages(path)
    if len(names) <= MOST_ON_ONE_PAGE:
        return write(page(report, candidates, gaps, earlier), path)
    files = {name: f"{n:03}-{_slug(name)}.html" for n, name in enumerate(names, start=1)}
    trends = history(earlier, report)
    for name, file in files.items():
        html = _model_page(report, name, candidates, trends, f"../{quote(path.name)}")
        write(html, folder / file)
    links = {name: f"{quote(folder.name)}/{file}" for name, file in files.items()}
    overview = _overview(report, gaps, links) | {"most_listed": _MOST_LISTED}
    return write(_render("page.html", **overview, models=[], history=None, proofs=()), path)


def _overview(report: Report, gaps: Sequence[str], links: Mapping[str, str]) -> dict[str, Any]:
    """Return the template variables of the parts that are not about one model."""
    return {
        "report": report,
        "verdict": headline(report),
        "check_matrix": check_matrix(report) if len(links) > 1 else None,
        "links": links,
        "most_listed": None,
        "gaps": gaps,
    }


def _model_page(
    report: Report,
    name: str,
    candidates: Sequence[CandidateData],
    trends: History | None,
    overview: str,
) -> str:
    """Render the file of one model; `overview` is the address of the page that links to it."""
    keys = ("verdicts", "errors", "not_gated")
    own = {key: [row for row in report[key] if row["model"] == name] for key in keys}
    lines = {name: trends.lines[name]} if trends and name in trends.lines else {}
    return _render(
        "model_page.html",
        report={**report, **own, "unlimited": ()},
        model=_model(report, name, candidates),
        history=replace(trends, lines=lines) if trends and lines else None,
        proofs=[row for row in report.get("proofs") or () if row["model"] == name],
        overview=overview,
        most_listed=None,
    )


def _slug(name: str) -> str:
    """Return a name as part of a file's name, on every system."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:_LONGEST_SLUG]


def comparison_page(before: Report, after: Report, names: tuple[str, str]) -> str:
    """Render the page that compares two reports; `names` are what it calls them."""
    return _render(
        "compared.html",
        before=before,
        after=after,
        names=names,
        changes=verdict_changes(before, after),
        verdicts=(headline(before), headline(after)),
    )


def write(html: str, path: Path) -> Path:
    """Write a page atomically; raises ConfigError if the file cannot be written."""
    with _writing(path):
        write_atomically(path, html.encode())
    return path


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"the page {path} cannot be written",
            got=str(error.strerror or error),
            remedy="name another file with --to",
        ) from error


def _model_names(report: Report) -> list[str]:
    """Return every model with a row, in the order of the verdicts."""
    rows = (row for key in ("verdicts", "recipes") for row in report[key])
    return list(dict.fromkeys(row["model"] for row in rows if row["model"]))


def _model(report: Report, name: str, candidates: Sequence[CandidateData]) -> Mapping[str, Any]:
    """Return the template variables of a model's section."""
    verdicts = [row for row in report["verdicts"] if row["model"] == name]
    errors = [row for row in report["errors"] if row["model"] == name]
    return {
        "name": name,
        "verdict": displayed_verdict(verdicts, errors),
        "recipes": [row for row in report["recipes"] if row["model"] == name],
        "runtimes": [row for row in report.get("runtimes") or () if row["model"] == name],
        "repairs": [row for row in report.get("repairs") or () if row["model"] == name],
        "passed": passed(verdicts),
        "timed": [row for row in verdicts if is_timed(row)],
        "curved": [row for row in verdicts if has_curve(row)],
        "candidates": [candidate for candidate in candidates if candidate.model == name],
    }


def _render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(**context)


class _CompiledTemplates(FileSystemBytecodeCache):
    """Caches compiled templates between runs: compiling takes longer than rendering."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):  # a full disk costs the next run time, and this one nothing
            super().dump_bytecode(bucket)


def _compiled_templates() -> BytecodeCache | None:
    """Return the cache in a folder that only the user can write to; None if there is none."""
    try:
        return _CompiledTemplates()
    except (RuntimeError, OSError):
        return None


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        bytecode_cache=_compiled_templates(),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (_TEMPLATES / "style.css").read_text("utf-8")
    environment.globals |= {**_FUNCTIONS, "proof": proof, "captions": captions, "Unit": Unit}
    environment.globals["RUNTIME_HEAD"] = RUNTIME_HEAD
    environment.globals["style"] = Markup(style)  # noqa: S704 a file of this package
    return environment


def _visible(value: object) -> object:
    """Make invisible characters visible in all output of a template but markup."""
    return value if isinstance(value, Markup) else plain(str(value))
