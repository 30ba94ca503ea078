"""The files of a project that are sent to the workers: those that git tracks, as they are now."""

import subprocess
import zipfile

import pytest

from litegate.build.cluster import shipping
from litegate.core.errors import ConfigError


@pytest.fixture
def project(tmp_path):
    """A project in a repository, with a tracked file beside an untracked one."""
    folder = tmp_path / "repository" / "ml"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "net.py").write_text("committed\n")
    (folder / ".gitignore").write_text("models/*\n")
    git(folder, "init", "-q")
    git(folder, "add", "-f", "models/net.py", ".gitignore")
    (folder / "untracked.npz").write_bytes(b"data")
    return folder


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def packed(project, tmp_path):
    shipping.pack(project, tmp_path / "project.zip")
    with zipfile.ZipFile(tmp_path / "project.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_tracked_files_are_sent_as_they_are_now(project, tmp_path):
    """Those that git tracks although it ignores them, too; not those that were deleted."""
    (project / "gone.py").write_text("")
    git(project, "add", "-f", "gone.py")
    (project / "gone.py").unlink()
    (project / "models" / "net.py").write_text("changed\n")
    assert packed(project, tmp_path) == {
        ".gitignore": b"models/*\n",
        "models/net.py": b"changed\n",
    }


def test_a_link_out_of_the_project_is_not_followed(project, tmp_path):
    """A link inside is sent as the file that it leads to."""
    (project.parent / "secret").write_text("secret")
    (project / "out").symlink_to(project.parent / "secret")
    (project / "broken").symlink_to(project / "nothing")
    (project / "inside").symlink_to(project / "models" / "net.py")
    git(project, "add", "-f", "out", "broken", "inside")
    assert {*packed(project, tmp_path)} == {".gitignore", "models/net.py", "inside"}


def test_the_same_files_give_the_same_package(project, tmp_path):
    """Whenever they were written: Ray keeps one copy of it."""
    packed(project, tmp_path)
    first = (tmp_path / "project.zip").read_bytes()
    (project / "models" / "net.py").touch()
    packed(project, tmp_path)
    assert (tmp_path / "project.zip").read_bytes() == first


def test_a_package_that_is_too_large_names_its_largest_files(project, tmp_path, monkeypatch):
    """And where the data may be instead; at the limit it is sent."""
    total = len(b"committed\n") + len(b"models/*\n")
    monkeypatch.setattr(shipping, "MOST_BYTES", total)
    assert packed(project, tmp_path)
    monkeypatch.setattr(shipping, "MOST_BYTES", total - 1)
    with pytest.raises(ConfigError, match=r"too large[\s\S]*at most 18 B[\s\S]*net\.py 10 B") as it:
        packed(project, tmp_path)
    assert "LITEGATE_DATA" in it.value.remedy


def test_outside_of_git_nothing_is_sent(tmp_path):
    (tmp_path / "net.py").write_text("")
    with pytest.raises(ConfigError, match="not in a git repository"):
        packed(tmp_path, tmp_path)
