"""The file that a project ships must hold the bytes that were judged."""

import hashlib
import shutil
from pathlib import Path

import pytest

from litegate.core.errors import ConfigError, MeasurementError
from litegate.measures.shipped import shipped_violations
from litegate.spec import Kind
from litegate.spec.recipes import int8_qat
from litegate.testing import tiny, tiny_artifact

CHECK = Path(__file__).resolve().parents[2] / "checks" / "test_shipped.py"
SHIPS = "lg.recipes.int8_qat(name='int8_qat', from_scratch=True, shipped='app/model.tflite')"
GATED = tiny(Kind.INT8_QAT)


@pytest.fixture
def shipping(project):
    """A project whose recipe ships `app/model.tflite`; gives the folder and pytest."""
    project.model(recipes=SHIPS)
    shutil.copy(CHECK, project.path / "checks")
    (project.path / "app").mkdir()
    return project


def test_the_gated_bytes_pass(shipping):
    """And the row is in the table."""
    (shipping.path / "app" / "model.tflite").write_bytes(GATED)
    done = shipping.run()
    assert done.ret == 0
    done.stdout.fnmatch_lines(["PASS*tiny/int8_qat*shipped file differences*"])


def test_a_missing_file_fails_with_the_command_that_writes_it(shipping):
    """Ready to be copied."""
    done = shipping.run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(
        ["*app/model.tflite is missing;*`litegate export tiny int8_qat --to app/model.tflite`*"]
    )


@pytest.mark.parametrize(
    "shipped",
    [GATED[:-1], GATED + b"\0", bytes([GATED[0] ^ 1]) + GATED[1:], tiny(Kind.INT8_QAT, seed=8)],
    ids=["cut", "longer", "flipped", "another"],
)
def test_other_bytes_fail_and_both_files_are_named(shipping, shipped):
    """By the heads of their digests and by their sizes."""
    (shipping.path / "app" / "model.tflite").write_bytes(shipped)
    done = shipping.run()
    assert done.ret == 1
    said = done.stdout.str()
    for file in (shipped, GATED):
        assert f"sha256 {hashlib.sha256(file).hexdigest()[:12]}, {len(file):,} B" in said
    assert "`litegate export tiny int8_qat --to app/model.tflite`" in said


def test_a_pointer_of_git_lfs_is_named_as_one(shipping):
    """Exporting would be the wrong remedy."""
    (shipping.path / "app" / "model.tflite").write_bytes(b"version https://git-lfs\noid sha256:0\n")
    done = shipping.run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*Git LFS pointer*git lfs pull*"])


def test_a_folder_in_its_place_is_an_error(shipping):
    """Nothing was compared, so there is no verdict."""
    (shipping.path / "app" / "model.tflite").mkdir()
    done = shipping.run()
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*app/model.tflite cannot be read*", "litegate: *without a verdict"])


def test_only_recipes_that_ship_are_cases(project):
    """The others have nothing to be compared with; no skip, no case."""
    plain = "lg.recipes.int8_qat(name='plain', from_scratch=True)"
    files = {"float32": tiny(Kind.FLOAT32), "int8_qat": GATED, "plain": GATED}
    project.model(recipes=f"{SHIPS}, {plain}", files=files)
    shutil.copy(CHECK, project.path / "checks")
    done = project.run("checks/", "--collect-only", "-q")
    done.stdout.fnmatch_lines(["*[[]tiny-int8_qat]"])
    done.stdout.no_fnmatch_line("*plain*")


def test_a_check_may_ask_for_the_file_alone(shipping):
    """Still a case for each recipe that ships, not one for the whole model."""
    body = "require(violations('names', 'tiny', (), n=len(shipped.name)) <= 0)"
    head = "from litegate.measures.measurement import violations"
    shipping.check(body, head=head, args="shipped, require")
    done = shipping.run("checks/test_one.py", "-v")
    assert done.ret == 0
    done.stdout.fnmatch_lines(["*::test_it[[]tiny-int8_qat] PASSED*"])


@pytest.mark.parametrize("wrong", [{"shipped": ""}, {"shipped": "app/m.tflite", "gate": False}])
def test_what_nothing_judges_cannot_be_shipped(wrong):
    """Else the check would silently collect nothing."""
    with pytest.raises(ConfigError, match=r"has shipped=\.\.\., but is not gated"):
        int8_qat(**wrong)


def test_a_file_that_cannot_be_read_is_no_verdict(tmp_path):
    """The measure alone, without a recipe that names the file."""
    with pytest.raises(MeasurementError, match="cannot be read"):
        shipped_violations(tiny_artifact(), tmp_path)
