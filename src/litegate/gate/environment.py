"""Describe the environment of a run: versions, kernels, processor. Imports nothing heavy."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from litegate.build.toolchain.pins import PINS, installed
from litegate.core.options import GateOptions

KERNELS = "XNNPACK"
THREADS = 1
"""Threads of an invocation.

One, so that the thread's CPU clock sees all of the work: on a busy machine it cuts the SD 2 to 3
times. More would need the wall clock, and numbers that depend on the machine's free cores.
"""


def describe(options: GateOptions) -> dict[str, Any]:
    """Return what makes the numbers of two reports comparable."""
    return {
        "litegate": _installed("litegate"),
        "litert": _installed("ai-edge-litert"),
        "python": platform.python_version(),
        "toolchain": dict(PINS),
        "kernels": KERNELS,
        "threads": THREADS,
        "processor": processor(),
        "cores": os.cpu_count(),
        "store": f"{options.remote}, cached in {options.store}"
        if options.remote
        else str(options.store),
        "data": str(options.data) if options.data else None,
    }


def header(environment: Mapping[str, Any]) -> list[str]:
    """The same as lines of pytest's header."""
    where = f"{environment['threads']} thread, {environment['processor']}"
    runtime = f"LiteRT {environment['litert']}, {environment['kernels']} kernels"
    return [
        f"litegate {environment['litegate']}: {runtime}, {where}",
        f"tool chain: {_installed_toolchain(environment['toolchain'])}",
        f"store: {environment['store']}; data: {environment['data'] or 'no directory set'}",
    ]


def _installed_toolchain(pins: Mapping[str, str]) -> str:
    """List the versions that are installed, and the pin of one that differs."""
    versions = {name: installed(name) for name in pins}
    shown = [
        f"{name} {number}" + (f" (pinned: {pins[name]})" if number != pins[name] else "")
        for name, number in versions.items()
        if number
    ]
    if not shown:
        return "not installed (needed only to build)"
    missing = ", ".join(name for name, number in versions.items() if not number)
    return ", ".join(shown) + (f"; not installed: {missing}" if missing else "")


def processor() -> str:
    """The processor's own name where the system tells it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            names = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
