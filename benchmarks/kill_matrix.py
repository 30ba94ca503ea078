"""The kill matrix of the last `pytest checks/ --prove`, as Markdown: fault by check.

    pytest checks/ --prove
    python benchmarks/kill_matrix.py .litegate/report/report.json

A cell holds the smallest grade that the check noticed, "x" for a fault without grades.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from litegate.reports.proof import matrix, title


def main() -> None:
    """Print the matrix of each candidate."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else ".litegate/report/report.json")
    proofs: list[dict[str, Any]] = json.loads(path.read_text("utf-8")).get("proofs", [])
    if not proofs:
        sys.exit(f"{path} holds no proof: run pytest checks/ --prove first")
    for proof in proofs:
        head, rows = matrix(proof)
        numbers = [str(number) for number, _ in enumerate(head[2:], 1)]
        print(f"### {proof['model']}/{proof['recipe']}, {proof['seconds']:.0f} s\n")
        print(f"{title(proof)}\n")
        print(_row(["fault", "from", *numbers]))
        print(_row(["---"] * len(head)))
        print("\n".join(_row(row) for row in rows))
        print("\n" + "\n".join(f"{n}. `{name}`" for n, name in zip(numbers, head[2:], strict=True)))
        print()


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
