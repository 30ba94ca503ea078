"""What `trained` declares, how a folder is known, and what makes a started model's key."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from litegate import Budget, File, Training, datasets, percent, recipes, trained
from litegate.build.external_files import ExternalFiles
from litegate.build.store import Store
from litegate.cli import app
from litegate.core.errors import BuildError, ConfigError, DataError, DataUnavailable
from litegate.data.sources import digest, locate
from litegate.spec import DataLocations
from litegate.spec.artifact_keys import artifact_stem
from litegate.spec.loader import discover, load_file
from litegate.spec.relevant_source import source_digest

DIGITS = datasets.digits()
MODEL = """
import litegate as lg

one = lg.trained(
    "weights/net.keras",
    data=lg.datasets.digits(),
    recipes=[lg.recipes.int8_qat(), lg.recipes.int8_ptq(gate=False)],
    budget=lg.Budget(size=lg.kib(9)),
)
"""


@pytest.fixture
def places(tmp_path):
    """A project with a folder of three files, one below."""
    folder = tmp_path / "project" / "net"
    (folder / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index", "fingerprint.pb"):
        (folder / name).write_text(name)
    return DataLocations(project=tmp_path / "project")


@pytest.fixture
def intake(places, tmp_path):
    return ExternalFiles(
        store=Store(tmp_path / "store"), locations=places, timeout=10, on_notice=lambda _: None
    )


def test_its_variable_names_it_and_nothing_is_trained_by_default(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.py").write_text(MODEL)
    [model] = discover(tmp_path / "models", tmp_path).values()
    assert (model.name, model.line) == ("one", 4)
    assert model.start == File(path="weights/net.keras")
    assert model.external_files == (model.start,)
    assert model.training == Training(epochs=0)
    assert model.summary == "weights/net.keras, trained"
    assert model.recipe("float32+1").fine_tune_epochs == 1


def test_a_recipe_from_scratch_is_refused():
    """The weights that it would throw away are all that the file is named for."""
    with pytest.raises(ConfigError, match=r"scratch would train net\.keras from scratch"):
        trained("net.keras", data=DIGITS, recipes=[recipes.int8_qat(from_scratch=True)])


def test_recipes_and_limits_are_checked_as_any_models():
    with pytest.raises(ConfigError, match="has no recipe"):
        trained("net.keras", data=DIGITS, recipes=[])
    with pytest.raises(ConfigError, match=r"net\.keras limits accuracy"):
        trained(
            "net.keras",
            data=replace(DIGITS, labels=False),
            recipes=[recipes.float16()],
            budget=Budget(accuracy=percent(90)),
        )


def test_the_digest_of_a_folder_is_that_of_its_list(places):
    """As the documentation says, by the shell's own tools."""
    folder = places.project / "net"
    command = "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    if not shutil.which("sha256sum"):
        pytest.skip("no sha256sum on this machine")
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True
    )
    assert digest(folder) == done.stdout.split()[0]


@pytest.mark.parametrize("change", ["content", "name", "more", "less"])
def test_any_change_in_a_folder_is_another_digest(places, change):
    folder, part = places.project / "net", places.project / "net" / "fingerprint.pb"
    before = digest(folder)
    match change:
        case "content":
            part.write_text("other")
        case "name":
            part.rename(folder / "other.pb")
        case "more":
            (folder / "variables" / "more").touch()
        case "less":
            part.unlink()
    assert digest(folder) != before


def test_a_folder_is_held_to_its_digest(places):
    folder = places.project / "net"
    assert locate(File(path="net", sha256=digest(folder)), places, folder=True) == folder
    with pytest.raises(DataError, match="differs from its digest"):
        locate(File(path="net", sha256="0" * 64), places, folder=True)
    with pytest.raises(ConfigError, match="there is no file"):
        locate(File(path="net"), places)  # where a file is wanted, a folder is none


def test_a_link_in_a_folder_must_not_lead_out(places, tmp_path):
    (tmp_path / "outside").write_text("of no commit")
    (places.project / "net" / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigError, match="net is outside the project and has no digest"):
        locate(File(path="net"), places, folder=True)


def test_a_pointer_of_git_lfs_in_a_folder_is_told(places):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:..."
    (places.project / "net" / "variables" / "variables.index").write_text(pointer)
    with pytest.raises(DataUnavailable, match="git lfs pull"):
        locate(File(path="net"), places, folder=True)


def test_a_folder_of_which_git_ignores_a_part_is_refused(intake, places):
    subprocess.run(["git", "init", "-q"], cwd=places.project, check=True)
    assert intake.key(File(path="net"), folder=True) == digest(places.project / "net")
    (places.project / ".gitignore").write_text("*.index\n")
    with pytest.raises(ConfigError, match="git ignores net"):
        replace(intake, _keys={}).key(File(path="net"), folder=True)


def test_a_command_may_make_a_folder(intake, places):
    command = f"\"{sys.executable}\" -c \"import os; os.mkdir('made'); open('made/a', 'w')\""
    file = File(path="made", command=command)
    listed = f"{hashlib.sha256(b'').hexdigest()}  a\n"
    assert intake.key(file, folder=True) == hashlib.sha256(listed.encode()).hexdigest()


def test_a_start_is_copied_as_it_was_first_looked_at(intake, places, tmp_path):
    file = File(path="net")
    key = intake.key(file, folder=True)
    intake.copy_start(file, key, tmp_path / "copy")
    assert digest(tmp_path / "copy") == key
    (places.project / "net" / "saved_model.pb").write_text("another")
    with pytest.raises(BuildError, match="changed while it was read"):
        intake.copy_start(file, key, tmp_path / "again")


def stem(tmp_path, text, start="0" * 64):
    file = tmp_path / "mine.py"
    file.write_text(text)
    model = load_file(file, tmp_path)["one"]
    return artifact_stem(model, model.recipe("int8_qat"), tmp_path, start=start)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("kib(9)", "kib(8)", True),
        (", lg.recipes.int8_ptq(gate=False)", "", True),
        ("net.keras", "other.keras", True),  # its bytes are what counts
        ("int8_qat()", "int8_qat(fine_tune_epochs=2)", False),
        ("data=", "training=lg.Training(epochs=0, seed=8), data=", False),
        ("import litegate as lg", "import litegate as lg\n\ndef annotate(it, tfmot): ...", False),
    ],
)  # fmt: skip
def test_the_key_holds_what_makes_the_bytes(tmp_path, old, new, same):
    changed = MODEL.replace(old, new)
    assert changed != MODEL
    assert (stem(tmp_path, changed) == stem(tmp_path, MODEL)) is same


def test_the_key_holds_the_bytes_of_the_start(tmp_path):
    assert stem(tmp_path, MODEL) != stem(tmp_path, MODEL, start="1" * 64)


@pytest.mark.parametrize(
    ("head", "call", "left_out"),
    [
        ("import litegate as lg", "lg.trained", True),
        ("import litegate", "litegate.trained", True),
        ("from litegate import trained", "trained", True),
        ("from litegate import trained as begun", "begun", True),
        ("from mine import trained", "trained", False),
        ("from .litegate import trained", "trained", False),
        ("import litegate.recipes as lg", "lg.trained", False),
        ("import other as lg", "lg.trained", False),
    ],
)
def test_arguments_of_litegates_own_function_alone_are_left_out(head, call, left_out):
    """A function of the user's that is called so makes networks, maybe: all of it counts."""
    texts = [f"{head}\none = {call}('net', layers={count})\n" for count in (2, 3)]
    assert (source_digest(texts[0]) == source_digest(texts[1])) is left_out


def test_a_missing_start_is_listed_and_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.py").write_text(MODEL)
    done = CliRunner().invoke(app, ["list"])
    assert done.exit_code == 0
    assert "one: weights/net.keras, trained" in done.stdout
    assert done.stdout.count("not built") == 2
