"""The system's Chromium, and a page with something of everything."""

import os
import shutil
from dataclasses import replace

import made_reports
import numpy as np
import pytest

from litegate.gate.evidence import Comparison, gather, in_memory
from litegate.gate.page import rows
from litegate.report.html import page, write, write_page
from litegate.runtimes.inference import predict
from litegate.spec import Kind
from litegate.testing import artifact, evaluation, float_layer, revalue, tiny

BROWSERS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
HISTORY = tuple(
    {
        "stage": "train" if epoch < 6 else "fine-tune",
        "epoch": epoch,
        "accuracy": 1 - 0.5 / epoch,
        "val_accuracy": 1 - 0.6 / epoch,
        "loss": 1 / epoch,
        "val_loss": 1.2 / epoch,
    }
    for epoch in range(1, 9)
)


def pytest_collection_modifyitems(items):
    """Everything here needs a browser."""
    for item in items:
        if "/tests/web/" in item.path.as_posix():
            item.add_marker("web")


@pytest.fixture(scope="session")
def chromium():
    """The system's own browser, driven by Playwright, which brings none along here."""
    named = os.environ.get("LITEGATE_CHROMIUM") or next(
        filter(None, map(shutil.which, BROWSERS)), ""
    )
    if not named:
        remedy = "no Chromium here: `apt-get install chromium-headless-shell`, or LITEGATE_CHROMIUM"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(remedy)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # A container has no sandbox; the pages are our own.
        browser = driver.chromium.launch(executable_path=named, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium):
    """Open a file at a width and in a colour scheme; gives the page and what it complained of."""
    contexts = []

    def open_(path, *, width=1440, scheme="light", scripts=False):
        """`scripts` lets a test's own script in, past the page's policy."""
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=scripts
        )
        contexts.append(context)
        tab, complaints = context.new_page(), []
        tab.on("console", lambda message: complaints.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        tab.on("request", lambda request: _noted(request.url, complaints))
        tab.goto(path.as_uri())
        return tab, complaints

    yield open_
    for context in contexts:
        context.close()


def _noted(url, complaints):
    """The page itself and its own pictures are no requests."""
    own = url.startswith("data:") or (url.startswith("file:") and url.endswith(".html"))
    if not own:
        complaints.append(f"request: {url}")


@pytest.fixture(scope="session")
def rich_page(tmp_path_factory):
    """A failing run with every kind of row, and a candidate that lost a class and a layer."""
    good, split = tiny(Kind.INT8_QAT), evaluation(500)
    worse = float_layer(
        revalue(good, "dense/bias", lambda bias: bias + np.array([0, 0, 0, 9000], bias.dtype)),
        "conv",
    )
    one = Comparison(
        model="m",
        recipe="int8_qat",
        candidate=replace(artifact(worse, split=split), training_curve=HISTORY, elsewhere=good),
        reference=replace(
            artifact(tiny(Kind.FLOAT32), Kind.FLOAT32, split=split), training_curve=HISTORY
        ),
        base=replace(artifact(good, split=split), training_curve=HISTORY[:7]),
    )
    predict(replace(one.candidate, runtime="reference"))
    told = _report() | rows([one])
    facts, gaps = gather(told, in_memory(one.sides.values()))
    folder = tmp_path_factory.mktemp("page")
    return write(page(told, facts, gaps, _kept()), folder / "report.html")


@pytest.fixture(scope="session")
def overview(tmp_path_factory):
    """The overview of a hundred models, of which ten failed; each has a file beside it."""
    return _overview(100, tmp_path_factory)


@pytest.fixture(scope="session")
def small_overview(tmp_path_factory):
    """The overview of a dozen models, of which one failed: the same elements, fewer times."""
    return _overview(12, tmp_path_factory)


def _overview(models, tmp_path_factory):
    report = made_reports.many(models) | {"head": _head(9, "the run itself")}
    return write_page(report, tmp_path_factory.mktemp("overview") / "report.html")


def _kept():
    """Four commits before the run, of which the last two broke a promise."""
    for number in range(4):
        outcome = "pass" if number < 2 else "fail"
        row = made_reports.verdict(outcome, value=0.002 + 0.002 * number)
        yield made_reports.report(row) | {"head": _head(number, f"commit {number} " + "long " * 9)}


def _head(number, subject):
    commit = f"{number:x}" * 40
    return {"commit": commit, "subject": subject, "time": number, "changed": False}


def _report():
    rng = np.random.default_rng(0)
    series = {
        "candidate": (1.1e-5 * rng.lognormal(0, 0.02, 60)).tolist(),
        "reference": (1e-5 * rng.lognormal(0, 0.02, 60)).tolist(),
    }
    passed = made_reports.verdict("pass")
    timed = passed | {"measurement": "latency ratio", "unit": "ratio", "limit": 1.025, "value": 1.1}
    sizes = {"int8_qat": 25_144, "int8_ptq": 24_900, "float32": 84_848, "float16": 43_000}
    recipes = [
        made_reports.recipe(name=name)
        | {
            "bytes": size,
            "accuracy": 0.9 + size / 1e6,
            "role": "gated" if name == "int8_qat" else "shown",
            "latency": 1e-5 + size / 1e10,
        }
        for name, size in sizes.items()
    ]
    survivor = ("size", "no check measures the size", "require(size(candidate) <= budget.size)")
    noticed = {f"test_the_file_keeps_promise_{number}": number for number in range(1, 25)}
    faults = (made_reports.fault("weights_stored_twice", by=noticed), made_reports.fault())
    return made_reports.report(
        *(made_reports.verdict(outcome) for outcome in ("fail", "inconclusive", "pass", "pass")),
        passed | {"waived": {"reason": "known", "expires": "2999-01-01"}},
        timed | {"interval": None, "series": series},
        made_reports.verdict("fail", offenders=("tensor 3 'conv' is float32", "tensor 4")),
        errors=[made_reports.error("the store is full\n  what to do: free disk space")],
        recipes=recipes,
        runtimes=[
            made_reports.runtime("xnnpack", agreement=None),
            made_reports.runtime("reference"),
        ],
        not_gated={"other": "its data are missing"},
        not_measured={"checks/test_latency.py::test_it": "--benchmark-disable"},
        notes=["a note", "another"],
        head=_head(9, "the run itself"),
        base={"commit": "0123456789abcdef" * 2, "ref": "main"},
        waivers=[{"model": "m", "reason": "known"}],
        proofs=[made_reports.proof(*faults, survivors=[survivor])],
    )
