"""The source tree as git and the build backend see it."""

import subprocess

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
