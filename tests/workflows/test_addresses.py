"""The project's page on the package index: URLs, and a README whose links lead there."""

import re
import subprocess
import sys
import tomllib

import pytest
from harness import ROOT

URL, TAG = "https://example.com/octo/litegate", "v1.2.0"


@pytest.fixture
def addressed(tmp_path):
    """Write a README, give it addresses, and return what becomes of it and of the metadata."""

    def address(readme):
        (tmp_path / "README.md").write_text(readme)
        (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
        argv = [sys.executable, ROOT / ".ci" / "addresses.py", tmp_path, URL, TAG]
        subprocess.run(argv, check=True)
        metadata = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))
        return (tmp_path / "README.md").read_text(), metadata

    return address


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("[page](docs/index.md)", "blob/v1.2.0/docs/index.md"),
        ("[part](docs/index.md#part)", "blob/v1.2.0/docs/index.md#part"),
        ("![terminal](docs/a.png)", "raw/v1.2.0/docs/a.png"),
        ("[![terminal](docs/a.png)](docs/b.md)", "raw/v1.2.0/docs/a.png)]("),
        ("[![terminal](docs/a.png)](docs/b.md)", "blob/v1.2.0/docs/b.md"),
        ('<img alt="a" src="docs/a.svg">', "raw/v1.2.0/docs/a.svg"),
        ('<a href="docs/b.md">', "blob/v1.2.0/docs/b.md"),
    ],
)
def test_links_and_pictures_lead_to_the_tag(addressed, link, path):
    assert f"{URL}/{path}" in addressed(link)[0]


@pytest.mark.parametrize(
    "text",
    ["[a](https://example.com)", "[a](#part)", "```md\n[a](docs/b.md)\n```\n", "a[1] (b)"],
)
def test_nothing_else_changes(addressed, text):
    assert addressed(text)[0] == text


def test_no_link_of_our_readme_stays_relative(addressed):
    """Each leads to a file that is there."""
    readme, metadata = addressed((ROOT / "README.md").read_text("utf-8"))
    assert not re.findall(r"\]\((?!https?:|#)", readme)
    paths = re.findall(rf"{URL}/(?:blob|raw)/{TAG}/([^)#\"\s]+)", readme)
    assert paths
    assert all((ROOT / path).exists() for path in paths)
    urls = metadata["project"]["urls"]
    assert set(urls) == {"Documentation", "Source", "Issues", "Changelog"}
    assert all(url.startswith(URL) for url in urls.values())
