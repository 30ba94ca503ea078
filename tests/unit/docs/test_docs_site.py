"""The pages make a site, and no link leads nowhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from documents import PAGES, PROJECT, name

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def _build(source, site):
    """As the documents say it; all warnings are told before the build fails."""
    command = ["-q", "-W", "--keep-going", "-c", "docs", ".", site]
    argv = [Path(sys.executable).with_name("sphinx-build"), *command]
    return subprocess.run(argv, cwd=source, capture_output=True, text=True, check=False)


def test_the_site_is_built_without_a_warning(tmp_path):
    """A page outside the index, a link or heading that is not there: each is a warning."""
    done = _build(PROJECT, tmp_path)
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "docs" / "index.html").read_text("utf-8")
    for page in PAGES:
        assert (tmp_path / name(page)).with_suffix(".html").is_file()
    assert 'class="caption-text">Trust<' in index
    assert 'src="http' not in index


def test_a_link_to_a_heading_that_is_not_there_fails_the_build(tmp_path):
    (tmp_path / "docs").mkdir()
    conf = (PROJECT / "docs" / "conf.py").read_text("utf-8")
    (tmp_path / "docs" / "conf.py").write_text(conf)
    (tmp_path / "docs" / "index.md").write_text("# Title\n\n## Part\n\n- [it](it.md#nowhere)\n")
    (tmp_path / "docs" / "it.md").write_text("# Page\n")
    done = _build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert "nowhere" in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_files_lead_somewhere(page):
    """In the repository, where GitHub shows the pages as they are."""
    for target in LINK.findall(page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
