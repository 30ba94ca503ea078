"""Write the requirements of jobs with a right to write, by hash, to `.github/`."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADERS = {
    "requirements.txt": (
        "# What litegate needs to run in a job with a right to write, by hash: wheels for the"
        " runner's Python 3.11 on\n# x86-64 Linux. `.ci/run hashes` writes this file from"
        " pyproject.toml and constraints.txt.\n"
    ),
    "build-requirements.txt": (
        "# The build backend with its dependencies, by hash; `.ci/run hashes` writes this file.\n"
    ),
}


def main() -> None:
    """Resolve both lists without installing anything."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = {
        "requirements.txt": project["project"]["dependencies"],
        "build-requirements.txt": project["build-system"]["requires"],
    }
    for name, requirements in wanted.items():
        lines = "".join(f"{line}\n" for line in sorted(_pinned(requirements)))
        (ROOT / ".github" / name).write_text(HEADERS[name] + lines, "utf-8")


def _pinned(requirements: list[str]) -> list[str]:
    """Return a line with name, version and hash for each package that pip would install."""
    options = ("--quiet", "--dry-run", "--ignore-installed", "--only-binary=:all:", "--report=-")
    command = [sys.executable, "-m", "pip", "install", *options, "-c", "constraints.txt"]
    report = subprocess.run(  # noqa: S603 requirements of this project
        [*command, *requirements], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    return [_line(package) for package in json.loads(report.stdout)["install"]]


def _line(package: dict) -> str:
    name = package["metadata"]["name"].lower().replace("_", "-").replace(".", "-")
    digest = package["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{name}=={package['metadata']['version']} --hash=sha256:{digest}"


if __name__ == "__main__":
    main()
