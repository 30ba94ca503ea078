"""Files that are opened for reading below a project are recorded, others are not."""

# ruff: noqa: PTH123, SIM115 these are the ways to open a file that are tried

import io
import os
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from litegate.core.file_reads import record_reads


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "config.json").write_text("{}")
    monkeypatch.chdir(folder)
    return folder


def _os_open(path):
    os.close(os.open(path, os.O_RDONLY))


def _in_a_thread(path):
    thread = threading.Thread(target=Path(path).read_bytes)
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    "read",
    [
        Path.read_text,
        lambda path: open(path, "rb").close(),
        lambda path: open(os.fsencode(path)).close(),
        lambda path: open(path, "r+").close(),
        lambda path: open(path, "a+").close(),
        lambda path: io.FileIO(path).close(),
        lambda path: io.open_code(str(path.absolute())).close(),
        _os_open,
        _in_a_thread,
    ],
)
@pytest.mark.parametrize("spelling", ["models/config.json", "models/../models/config.json"])
def test_a_file_that_is_read_is_recorded_however_it_is_opened(project, read, spelling):
    with record_reads(project) as reads:
        read(Path(spelling))
    assert reads.files() == (project / "models" / "config.json",)


def test_only_reads_in_the_context_count(project):
    file = project / "models" / "config.json"
    file.read_text()
    with record_reads(project) as reads:
        pass
    file.read_text()
    assert reads.files() == ()


def test_contexts_may_be_nested(project):
    with record_reads(project) as outer:
        with record_reads(project) as inner:
            Path("models/config.json").read_text()
        (project / "more").write_text("")
        (project / "more").read_text()
    assert len(inner.files()) == 1
    assert len(outer.files()) == 2


def test_a_file_that_is_written_is_not_read(project):
    with record_reads(project) as reads:
        Path("a").write_text("")
        for mode in ("wb+", "ab"):
            open("b", mode).close()
        open("c", "xb+").close()
    assert reads.files() == ()


def test_what_cannot_be_opened_changes_no_error(project):
    with record_reads(project) as reads:
        with pytest.raises(FileNotFoundError):
            open("none")
        with pytest.raises(ValueError, match="null"):
            open("a\0b")
        with open(os.open("models/config.json", os.O_RDONLY)):
            pass
    assert reads.files() == (project / "models" / "config.json",)


@pytest.mark.parametrize(
    "path",
    [
        "models/net.py",
        ".venv/share/a.json",
        "env/lib/python3.11/site-packages/pkg/a.json",
        ".git/HEAD",
        ".litegate/store/a.npy",
        "models/__pycache__/a.pyc",
        "src/mine.egg-info/entry_points.txt",
        "temporary/a",
        "prefix/a",
    ],
)
def test_files_of_packages_tools_and_environments_are_not_the_projects(project, path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(project / "temporary"))
    monkeypatch.setattr(sys, "prefix", str(project / "prefix"))
    file = project / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("")
    with record_reads(project) as reads:
        file.read_text()
    assert reads.files() == ()


@pytest.mark.parametrize("path", ["venv.json", "a.git/b", "prefix2/a", "site-packages"])
def test_names_that_only_resemble_those_are_the_projects(project, path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(project / "prefix"))
    file = project / path
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    with record_reads(project) as reads:
        file.read_text()
    assert reads.files() == (file,)


def test_a_project_below_the_environment_or_the_temporary_folder_is_watched(project, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(project.parent))
    monkeypatch.setattr(sys, "prefix", str(project))
    with record_reads(project) as reads:
        Path("models/config.json").read_text()
    assert len(reads.files()) == 1


def test_files_outside_of_the_project_are_not_seen(project, tmp_path):
    """The documentation says so, as of the files of C libraries."""
    (tmp_path / "outside.json").write_text("")
    with record_reads(project) as reads:
        (tmp_path / "outside.json").read_text()
        Path("../outside.json").read_text()
        Path("/dev/null").read_bytes()
    assert reads.files() == ()


def test_files_that_a_c_library_opens_are_not_seen(project):
    with closing(sqlite3.connect("models/a.db")) as database:
        database.execute("create table t (x)")
    with record_reads(project) as reads, closing(sqlite3.connect("models/a.db")) as database:
        assert database.execute("select * from t").fetchall() == []
    assert reads.files() == ()


def test_a_link_is_seen_on_either_side(project, tmp_path):
    """It is the project's if its name or its target is."""
    (tmp_path / "outside.json").write_text("")
    (project / "inward.json").symlink_to(tmp_path / "outside.json")
    (tmp_path / "outward.json").symlink_to(project / "models" / "config.json")
    with record_reads(project) as reads:
        (project / "inward.json").read_text()
        (tmp_path / "outward.json").read_text()
    assert set(reads.files()) == {project / "inward.json", tmp_path / "outward.json"}
