"""Which folders of the import path are a project's own."""

import sys
import sysconfig
from pathlib import Path

import pytest

import litegate
from litegate.build.toolchain import failures
from litegate.core.import_paths import PACKAGE, installed, own_folders, path_for
from litegate.spec.relevant_source import module_digest

LITEGATE = Path(litegate.__file__).parent


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose folder `src` is on the import path, after folders of others."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "models").mkdir()
    others = [str(tmp_path), str(folder / "gone"), sysconfig.get_path("purelib")]
    monkeypatch.setattr(sys, "path", [*others, str(folder / "src"), ""])
    return folder


def test_own_are_folders_of_the_project_that_are_there(project, monkeypatch):
    assert own_folders(project) == (project / "src",)
    monkeypatch.chdir(project)
    assert own_folders(project) == (project / "src", project)


def test_installed_packages_and_litegate_are_nobodys_own(project):
    """They lie below a project whose environment is a folder of its own."""
    assert Path(sysconfig.get_path("purelib")) not in own_folders(Path("/"))
    assert installed(Path(sysconfig.get_path("purelib")) / "numpy" / "__init__.py")
    assert installed(LITEGATE / "digests.py")
    assert not installed(project / "src")


def test_every_package_of_litegate_is_litegates():
    """Modules below it rely on it, wherever they move: keys, the base and messages would change."""
    assert PACKAGE == LITEGATE.resolve()
    assert installed(LITEGATE / "spec" / "budget.py")
    assert failures._LITEGATE == PACKAGE


def test_another_checkout_imports_from_its_own_folders(project, tmp_path):
    path = path_for(project, tmp_path / "base")
    assert path[3] == str(tmp_path / "base" / "src")
    assert str(project / "src") not in path
    assert path_for(project, project)[3] == str(project / "src")


def test_a_module_on_the_import_path_is_part_of_a_files_digest(project):
    model = project / "models" / "mine.py"
    model.write_text("from preprocessing import scale\n")
    seen = set()
    for gain in (1, 0):
        (project / "src" / "preprocessing.py").write_text(f"scale = {gain}\n")
        seen.add(module_digest(model, project))
    assert len(seen) == 2


def test_litegate_itself_is_no_part_of_it(project, monkeypatch):
    """In its own repository it lies below the project, and every change would build all anew."""
    model = project / "models" / "mine.py"
    model.write_text("import litegate\n")
    before = module_digest(model, project)
    monkeypatch.setattr(sys, "path", [*sys.path, str(LITEGATE.parent)])
    assert module_digest(model, project) == before
