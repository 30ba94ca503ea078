"""Give a copy of the project the addresses that its page on the package index needs.

`addresses.py FOLDER URL TAG`: pyproject.toml gets the project's URLs, and README.md's links lead to
the files of this tag. In the repository they are relative, and right for every clone.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(
    r"(?P<before>(?P<picture>!\[[^\]]*)?\]\(|\b(?:(?P<source>src|srcset)|href)=\")"
    r"(?![a-z]+:|#)(?P<path>[^)\s\"]+)"
)


def main(folder: Path, url: str, tag: str) -> None:
    """Change both files in place."""
    readme, metadata = folder / "README.md", folder / "pyproject.toml"
    readme.write_text(absolute_links(readme.read_text("utf-8"), url, tag), "utf-8")
    metadata.write_text(with_urls(metadata.read_text("utf-8"), url, tag), "utf-8")


def with_urls(pyproject: str, url: str, tag: str) -> str:
    """Return pyproject.toml with the table of URLs, which must not be there yet."""
    table = (
        "[project.urls]\n"
        f'Documentation = "{url}/blob/{tag}/docs/index.md"\n'
        f'Source = "{url}"\n'
        f'Issues = "{url}/issues"\n'
        f'Changelog = "{url}/blob/{tag}/CHANGELOG.md"\n\n'
    )
    before, heading, after = pyproject.partition("[project.scripts]")
    if not heading or "[project.urls]" in pyproject:
        raise SystemExit("pyproject.toml has no [project.scripts], or has URLs already")
    return before + table + heading + after


def absolute_links(markdown: str, url: str, tag: str) -> str:
    """Return Markdown with absolute links and pictures, apart from code blocks."""
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(_absolute(url, tag), markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join(parts) + _LINK.sub(_absolute(url, tag), markdown[end:])


def _absolute(url: str, tag: str):  # noqa: ANN202 a function for re.sub
    def replace(link: re.Match[str]) -> str:
        kind = "raw" if link["picture"] or link["source"] else "blob"
        return f"{link['before']}{url}/{kind}/{tag}/{link['path']}"

    return replace


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
