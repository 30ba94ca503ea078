"""Model files are loaded by path; what is wrong with one is told with its file and line."""

import inspect
import os
import sys
from pathlib import Path

import pytest

from litegate.core.errors import ConfigError
from litegate.spec.loader import discover, load_file

GOOD = """
import litegate as lg

@lg.model(data=lg.datasets.digits(), recipes=[lg.recipes.int8_qat()])
def {name}(keras):
    "A network."
"""


@pytest.fixture
def models(tmp_path):
    """An empty folder of models."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def test_models_are_found_by_name(models):
    """One file a model, or several; files that begin with an underscore are helpers."""
    (models / "a.py").write_text(GOOD.format(name="one") + GOOD.format(name="two"))
    (models / "_helper.py").write_text("raise RuntimeError")
    found = discover(models, models.parent)
    assert list(found) == ["one", "two"]
    assert found["one"].summary == "A network."
    assert found["one"].line == 4


def test_a_name_used_twice_is_refused(models):
    """The name is the test id: both places are told."""
    for file in ("a.py", "b.py"):
        (models / file).write_text(GOOD.format(name="one"))
    with pytest.raises(ConfigError, match=r"a\.py:4 and .*b\.py:4"):
        discover(models, models.parent)


def test_a_file_that_raises_is_told_with_its_line(models):
    """The user's own line, not the loader's."""
    (models / "bad.py").write_text("x = 1\ny = x / 0\n")
    with pytest.raises(ConfigError, match=r"ZeroDivisionError[\s\S]*bad\.py:2"):
        discover(models, models.parent)


NETWORK = GOOD.format(name="one").partition("import litegate as lg")[2]
READY = "lg.prebuilt(reference='a', candidate='b', data=lg.datasets.digits(){more})"


@pytest.mark.parametrize(
    ("declared", "line"),
    [
        (f"{NETWORK}\n{NETWORK}", 4),
        (f"\nmine = {READY.format(more='')}\nmine = {READY.format(more='')}\n", 3),
        (f"\nmore = [{READY.format(more=', name=chr(97)')}]\n", 3),
        (f"\nfor name in 'ab':\n    mine = {READY.format(more=', name=name')}\n", 4),
    ],
)
def test_a_model_that_no_variable_holds_is_refused(models, declared, line):
    """It was lost without a word: one that is declared is one to gate."""
    (models / "a.py").write_text(f"import litegate as lg\n{declared}")
    with pytest.raises(ConfigError, match=rf"a\.py:{line} declares a model that no variable"):
        discover(models, models.parent)


def test_a_model_may_be_held_twice(models):
    """By a list, too, or by another name."""
    made = READY.format(more="")
    (models / "a.py").write_text(f"import litegate as lg\nmine = {made}\nALL = [mine]\nit = mine\n")
    assert list(discover(models, models.parent)) == ["mine"]


LIMIT = "import litegate as lg\n\nlimit = lg.Budget(agreement=0.5)\n"


def test_what_litegate_refuses_is_told_with_its_line(models):
    """Which of ten files with a budget each it is."""
    (models / "bad.py").write_text(LIMIT)
    with pytest.raises(ConfigError) as told:
        discover(models, models.parent)
    assert told.value.what.startswith("models/bad.py:3: Budget(agreement=...) has the wrong unit")
    assert "litegate.percent" in told.value.remedy


@pytest.mark.parametrize("text", [LIMIT, "import json\n\njson.loads('{')\n"])
def test_the_line_is_the_projects_own_though_packages_lie_below_it(models, text):
    """As they do where the environment is a folder of the project's."""
    (models / "bad.py").write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.py:3"):
        discover(models, Path("/"))


def test_a_syntax_error_is_told_with_its_line(models):
    """Also where nothing ran yet."""
    (models / "bad.py").write_text("x = (\n")
    with pytest.raises(ConfigError, match=r"SyntaxError[\s\S]*bad\.py:1"):
        discover(models, models.parent)


def test_a_missing_folder_is_told(tmp_path):
    """The remedy names the setting."""
    with pytest.raises(ConfigError, match="litegate_models"):
        discover(tmp_path / "nowhere", tmp_path)


def test_two_recipes_of_one_name_are_refused(models):
    """Recipe names are unique in a model."""
    text = GOOD.format(name="one").replace("int8_qat()", "int8_qat(), lg.recipes.int8_qat()")
    (models / "a.py").write_text(text)
    with pytest.raises(ConfigError, match="two recipes named int8_qat"):
        discover(models, models.parent)


def test_a_helper_beside_the_file_can_be_imported(models):
    """And the path is as before afterwards."""
    (models / "_beside_it.py").write_text("FILTERS = 3\n")
    (models / "a.py").write_text("import _beside_it\n" + GOOD.format(name="one"))
    before = list(sys.path)
    assert discover(models, models.parent)
    assert sys.path == before


def test_a_file_changed_within_a_second_is_read_anew(models, monkeypatch):
    """Python's own cache goes by time and size; a gate must not judge yesterday's model."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = models / "a.py"
    file.write_text(GOOD.format(name="one"))
    stamp = file.stat().st_mtime
    assert list(discover(models, models.parent)) == ["one"]
    file.write_text(GOOD.format(name="two"))
    os.utime(file, (stamp, stamp))
    assert list(discover(models, models.parent)) == ["two"]


def test_models_in_folders_below_are_found(models):
    """But for folders of helpers, hidden ones and Python's own."""
    for folder in ("more", "more/deep", "_helpers", "__pycache__", ".hidden"):
        (models / folder).mkdir()
        name = folder.replace("/", "_").strip("_.")
        (models / folder / "net.py").write_text(GOOD.format(name=name))
    found = discover(models, models.parent)
    assert sorted(found) == ["more", "more_deep"]
    assert found["more_deep"].file == models / "more" / "deep" / "net.py"


def test_files_of_one_name_in_two_folders_are_two_modules(models):
    """What one of them says of itself is not lost to the other."""
    for folder in ("one", "two"):
        (models / folder).mkdir()
        (models / folder / "net.py").write_text(GOOD.format(name=folder))
    builders = [model.build for model in discover(models, models.parent).values()]
    assert [inspect.getmodule(build).__file__ for build in builders] == [
        str(models / name / "net.py") for name in ("one", "two")
    ]


def test_a_name_used_in_two_folders_is_refused(models):
    """Both places are told."""
    (models / "more").mkdir()
    for file in (models / "a.py", models / "more" / "a.py"):
        file.write_text(GOOD.format(name="one"))
    with pytest.raises(ConfigError, match=r"models/a\.py:4 and .*more/a\.py:4"):
        discover(models, models.parent)


@pytest.fixture
def shared(models):
    """A helper that declares the model `shared`."""
    (models / "_shared_nets.py").write_text(GOOD.format(name="shared"))
    yield models
    sys.modules.pop("_shared_nets", None)


def test_a_model_of_a_helper_belongs_to_the_file_that_imports_it(shared):
    """The file that is loaded again to build it."""
    (shared / "a.py").write_text("from _shared_nets import shared\n")
    found = discover(shared, shared.parent)
    assert [(name, model.file.name) for name, model in found.items()] == [("shared", "a.py")]
    assert load_file(found["shared"].file, shared.parent)["shared"].summary == "A network."


def test_a_model_of_a_helper_that_nobody_imports_is_none(shared):
    """The underscore says so."""
    (shared / "a.py").write_text(GOOD.format(name="one"))
    assert list(discover(shared, shared.parent)) == ["one"]


def test_a_model_of_a_helper_that_two_import_is_refused(shared):
    """Which file builds it would be a matter of their order."""
    for file in ("a.py", "b.py"):
        (shared / file).write_text("from _shared_nets import shared\n")
    with pytest.raises(ConfigError, match=r"a\.py:1 and .*b\.py:1"):
        discover(shared, shared.parent)


def test_a_model_that_another_model_file_declares_is_that_files(models, monkeypatch):
    """It may be imported, and is one model all the same."""
    (models / "a_net.py").write_text(GOOD.format(name="one"))
    (models / "b_net.py").write_text("from a_net import one\n" + GOOD.format(name="two"))
    found = discover(models, models.parent)
    sys.modules.pop("a_net", None)
    assert {name: model.file.name for name, model in found.items()} == {
        "one": "a_net.py",
        "two": "b_net.py",
    }


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("lg.Budget(sizeratio=0.7)", "did you mean 'size_ratio'? Budget takes accuracy, "),
        (
            "lg.recipes.int8_qat(fine_tune_epoch=5)",
            "did you mean 'fine_tune_epochs'? int8_qat takes name, ",
        ),
        ("lg.metrics.f1(leest=0.9)", "did you mean 'least'? f1 takes of, "),
        ("lg.Training(zzz=1)", "what to do: Training takes epochs, "),
        ("lg.recipes.int8_qatt()", "did you mean int8_qat"),
        ("lg.metrics.topk(3)", "did you mean top_k"),
        ("lg.datasets.npz('a', x='x', digests={})", "give npz domain=..."),
        ("lg.prebuilt(reference='a')", "give prebuilt data=..."),
        ("__import__('os').nosuch()", "whole traceback"),
        ("dict(1)", "whole traceback"),
        ("print(sizeratio=1)", "whole traceback"),
    ],
)
def test_a_misspelt_argument_is_told_with_those_that_there_are(tmp_path, call, said):
    (tmp_path / "m.py").write_text(f"import litegate as lg\n{call}\n")
    with pytest.raises(ConfigError, match="does not load") as told:
        load_file(tmp_path / "m.py", tmp_path)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("lg.Budget(accuracy=90)", "write accuracy=litegate.percent(90)"),
        ("lg.Budget(size=20)", "write size=litegate.kib(20) or size=litegate.byte(20)"),
        ("lg.Budget(accuracy=lg.percent(0.9))", "write accuracy=litegate.percent(90)"),
        ("lg.Budget(accuracy=lg.points(1))", "write accuracy=litegate.percent(...)"),
    ],
)
def test_a_limit_in_another_unit_is_told_as_it_is_written(tmp_path, call, said):
    (tmp_path / "m.py").write_text(f"import litegate as lg\nx = {call}\n")
    with pytest.raises(ConfigError, match=r"m\.py:2: Budget") as told:
        load_file(tmp_path / "m.py", tmp_path)
    assert said in str(told.value)


def test_a_target_that_is_none_is_told_before_anything_is_built(models):
    made = READY.format(more=", budget=lg.Budget(target='tfml')")
    (models / "a.py").write_text(f"import litegate as lg\nmine = {made}\n")
    with pytest.raises(ConfigError, match=r"a\.py:2: there is no target 'tfml'") as told:
        discover(models, models.parent)
    assert "did you mean 'tflm'" in told.value.remedy


def test_a_folder_of_a_project_is_no_project(models):
    (models.parent / "checks").mkdir()
    with pytest.raises(ConfigError) as told:
        discover(models / "models", models)
    assert told.value.remedy == f"run the command in the project's folder {models.parent}"


def test_projects_in_the_folder_are_named(tmp_path):
    """A command at the root of a larger repository; a third level is not searched."""
    for name in ("app", "ml/keywords", "ml/gestures", "a/b/c"):
        for part in ("models", "checks"):
            (tmp_path / name / part).mkdir(parents=True)
    (tmp_path / "health" / "checks").mkdir(parents=True)  # of something else
    with pytest.raises(ConfigError) as told:
        discover(tmp_path / "models", tmp_path)
    folders = [tmp_path / name for name in ("app", "ml/gestures", "ml/keywords")]
    named = " or ".join(map(str, folders))
    assert told.value.remedy == f"run the command in the project's folder {named}"
