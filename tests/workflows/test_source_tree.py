"""The source tree as git and the build backend see it."""

import subprocess
from fnmatch import fnmatch

from harness import ROOT


def test_no_module_is_ignored_by_git():
    """Clones, ruff and the wheel leave out what git ignores."""
    modules = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*.py"))
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=ROOT,
        input="\n".join(modules),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, ""), done.stderr


def test_pytest_enters_every_folder_of_tests(pytestconfig):
    """Tests in a folder that it skips, such as `build` by default, never run and never fail."""
    skipped = pytestconfig.getini("norecursedirs")
    folders = {folder for file in (ROOT / "tests").rglob("test_*.py") for folder in file.parents}
    inside = {folder.name for folder in folders if folder.is_relative_to(ROOT / "tests")}
    assert "build" in inside
    assert {name for name in inside if any(fnmatch(name, pattern) for pattern in skipped)} == set()
