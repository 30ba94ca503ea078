"""Print the kill matrices of `pytest checks/ --prove` as docs/reference/kill_matrix.md.

    pytest checks/ --prove --anchor HEAD
    python benchmarks/kill_matrix.py .litegate/report/report.json

Several reports may be named; the page of the documentation is that of `digits_cnn` and `mnist_cnn`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litegate.report.proof import kill_matrix, title

INTRODUCTION = """# The kill matrix

Which of this project's checks noticed which planted fault
([how the proof works](../explanation/prove.md), [the faults](faults.md)). A cell shows the smallest
grade that the check noticed, or "x" for a fault without grades; it is empty if the check did not
notice the fault. "From" is the grade from which some check must notice it.
`python benchmarks/kill_matrix.py` prints this page from the report of
`pytest checks/ --prove --anchor HEAD`; only a run with an anchor proves the checks against it.
"""


def main() -> None:
    """Print the page of the reports that are named, or of the last run's."""
    paths = [Path(each) for each in sys.argv[1:]] or [Path(".litegate/report/report.json")]
    proofs = [proof for path in paths for proof in _proofs(path)]
    print("\n".join([INTRODUCTION, *("\n".join(_section(proof)) for proof in proofs)]), end="")


def _proofs(path: Path) -> list[dict[str, Any]]:
    proofs: list[dict[str, Any]] = json.loads(path.read_text("utf-8")).get("proofs", [])
    if not proofs:
        sys.exit(f"{path} holds no proof: run pytest checks/ --prove first")
    return proofs


def _section(proof: dict[str, Any]) -> Iterator[str]:
    head, rows = kill_matrix(proof)
    numbers = [str(number) for number, _ in enumerate(head[2:], 1)]
    yield f"## {proof['model']}/{proof['recipe']}\n"
    yield f"{title(proof)}\n"
    yield _row(["fault", "from", *numbers])
    yield _row(["---"] * len(head))
    yield from (_row([f"`{row[0]}`", *row[1:]]) for row in rows)
    yield ""
    yield from (f"{n}. `{name}`" for n, name in zip(numbers, head[2:], strict=True))
    yield ""
    without = [fault for fault in proof["faults"] if fault["unplantable"]]
    yield from (f"- Not planted: `{each['name']}`: {each['unplantable']}." for each in without)
    yield ""


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
