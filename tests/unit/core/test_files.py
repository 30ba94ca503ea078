"""Files are written whole or not at all, by whatever writes them."""

import os
import stat
from functools import partial

import pytest
from full_disk import full_disk

from litegate.core.errors import ConfigError
from litegate.core.files import write_atomically
from litegate.report.html.page import write as write_page


def test_folders_on_the_way_are_made(tmp_path):
    write_atomically(tmp_path / "a" / "b", b"text")
    assert (tmp_path / "a" / "b").read_bytes() == b"text"


def test_a_full_disk_leaves_what_was_there_and_nothing_else(tmp_path):
    (tmp_path / "file").write_bytes(b"before")
    with full_disk(), pytest.raises(OSError, match="large"):
        write_atomically(tmp_path / "file", b"x" * 1001)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"before"


def test_a_page_on_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    with full_disk(), pytest.raises(ConfigError, match="cannot be written"):
        write_page("x" * 1001, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("before", "umask", "after"),
    [
        (None, 0o022, 0o644),
        (None, 0o002, 0o664),
        (None, 0o077, 0o600),
        (0o600, 0o022, 0o600),
        (0o664, 0o022, 0o664),
    ],
)
def test_permissions_stay(before, umask, after, tmp_path, request):
    request.addfinalizer(partial(os.umask, os.umask(umask)))
    file = tmp_path / "file"
    if before is not None:
        file.write_bytes(b"")
        file.chmod(before)
    write_atomically(file, b"text")
    assert stat.S_IMODE(file.stat().st_mode) == after
