"""Options: the flag beats the environment beats the setting; wrong values are refused."""

from pathlib import Path

import pytest

from litegate.core.errors import ConfigError
from litegate.core.options import OPTIONS, parse
from litegate.gate.project_settings import settings

HERE = Path("/project")


def test_defaults():
    """What holds where nothing is said."""
    got = parse(HERE, {}, {}, {})
    assert got.store == HERE / ".litegate/store"
    assert got.checks == HERE / "checks"
    assert got.data is None
    assert not got.strict
    assert not got.in_ci


def test_the_flag_beats_the_environment_beats_the_setting():
    """The nearer to the person, the stronger."""
    settings, env = {"litegate_store": "a"}, {"LITEGATE_STORE": "b"}
    assert parse(HERE, {}, settings, {}).store == HERE / "a"
    assert parse(HERE, {}, settings, env).store == HERE / "b"
    assert parse(HERE, {"litegate_store": "c"}, settings, env).store == HERE / "c"


@pytest.mark.parametrize("url", ["s3://bucket", "az://container/a.b/c-d", "gs://bucket/a/"])
def test_a_store_may_be_a_bucket(url):
    """The folder before it is the default store, or the one of its own option."""
    got = parse(HERE, {}, {}, {"LITEGATE_STORE": url})
    assert (got.remote, got.store) == (url.rstrip("/"), HERE / ".litegate/store")
    got = parse(HERE, {"litegate_cache": "cache"}, {}, {"LITEGATE_STORE": url})
    assert got.store == HERE / "cache"
    got = parse(HERE, {"litegate_cache": "cache"}, {}, {"LITEGATE_STORE": "folder"})
    assert (got.remote, got.store) == ("", HERE / "folder")


@pytest.mark.parametrize(
    "url", ["http://host/a", "s3://", "s3://key:secret@bucket", "s3://b/../c?x=1", "file:///a"]
)
def test_any_other_address_of_a_store_is_refused(url):
    """Credentials in an address would end in reports and logs."""
    with pytest.raises(ConfigError, match=r"LITEGATE_STORE[\s\S]*s3://BUCKET/PREFIX"):
        parse(HERE, {}, {}, {"LITEGATE_STORE": url})


def test_absolute_paths_stay():
    """A shared store lies anywhere."""
    assert parse(HERE, {}, {}, {"LITEGATE_DATA": "/data"}).data == Path("/data")


def test_names_may_be_repeated_or_listed():
    """Both ways people write lists."""
    flags = {"litegate_model": ["a", "b,c"]}
    assert parse(HERE, flags, {}, {}).only_models == ("a", "b", "c")


@pytest.mark.parametrize("name", ["build", "lock"])
@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_a_wrong_number_of_seconds_is_refused(name, text):
    """The message names the option, what is allowed and what was got."""
    message = rf"--litegate-{name}-timeout[\s\S]*above 0[\s\S]*{text}"
    with pytest.raises(ConfigError, match=message):
        parse(HERE, {f"litegate_{name}_timeout": text}, {}, {})
    assert parse(HERE, {"litegate_lock_timeout": "0.5"}, {}, {}).lock_timeout == 0.5


@pytest.mark.parametrize("text", ["-1", "1.5", "many"])
def test_a_wrong_number_of_samples_is_refused(text):
    with pytest.raises(ConfigError, match=rf"whole number of samples, 0 for all[\s\S]*{text}"):
        parse(HERE, {"litegate_runtime_samples": text}, {}, {})
    assert parse(HERE, {}, {}, {}).runtime_samples == 0
    environment = {"LITEGATE_RUNTIME_SAMPLES": "500"}
    assert parse(HERE, {}, {"litegate_runtime_samples": "9"}, environment).runtime_samples == 500


def test_a_wrong_switch_in_a_setting_is_refused():
    """A setting is named as a setting."""
    with pytest.raises(ConfigError, match="the setting litegate_strict"):
        parse(HERE, {}, {"litegate_strict": "maybe"}, {})


@pytest.mark.parametrize("text", ["", " ", "\t"])
@pytest.mark.parametrize("option", ["against", "anchor"])
@pytest.mark.parametrize("source", ["flag", "setting"])
def test_an_empty_ref_is_no_comparison_with_nothing(source, option, text):
    """CI passes an unset variable as `--against ""`."""
    given = {f"litegate_{option}": text}
    flags, settings = (given, {}) if source == "flag" else ({}, given)
    expected = "auto or none" if option == "against" else "a git ref or none"
    with pytest.raises(ConfigError, match=rf"{option} is empty[\s\S]*{expected}"):
        parse(HERE, flags, settings, {})


def test_other_options_that_are_empty_are_not_given():
    assert parse(HERE, {"litegate_store": ""}, {"litegate_store": "a"}, {}).store == HERE / "a"


@pytest.mark.parametrize(("text", "set_"), [("", False), ("0", False), ("true", True), ("1", True)])
def test_ci_is_read_from_the_environment(text, set_):
    """Missing data is an error there."""
    assert parse(HERE, {}, {}, {"CI": text}).in_ci is set_


def test_every_option_has_a_flag_of_its_own():
    """No two options share a name, and each says what it allows."""
    assert len({o.flag for o in OPTIONS}) == len(OPTIONS)
    assert all(o.help and o.allowed for o in OPTIONS)


@pytest.mark.parametrize("table", ["[tool.pytest]", "[tool.pytest.ini_options]"])
def test_commands_outside_pytest_read_the_same_settings(tmp_path, table):
    """In either way that pytest has of writing them; other settings are not ours."""
    text = f'{table}\nlitegate_models = "nets"\nlitegate_strict = true\naddopts = ["-q"]\n'
    (tmp_path / "pyproject.toml").write_text(text)
    found = settings(tmp_path)
    assert set(found) == {"litegate_models", "litegate_strict"}
    got = parse(tmp_path, {}, found, {})
    assert got.models == tmp_path / "nets"
    assert got.strict


def test_a_project_without_settings_has_none(tmp_path):
    """A file further up is another project's."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nlitegate_models = nets\n")
    (tmp_path / "inner").mkdir()
    assert settings(tmp_path / "inner") == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[tool"),
        ("pyproject.toml", "tool = 3"),
        ("pyproject.toml", "[tool]\npytest = 3"),
        ("pytest.toml", "litegate_models = 'nets'"),
        ("pytest.ini", "[pytest\n"),
        ("tox.ini", "\0[pytest]\nx"),
        ("setup.cfg", "[pytest]\nx = 1\n"),
        ("pytest.ini", b"\xff\xfe"),
    ],
)
def test_settings_that_cannot_be_read_are_an_error(tmp_path, name, text):
    """Whatever pytest does with such a file, a command says what is wrong with it."""
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match="cannot be read"):
        settings(tmp_path)


def test_models_are_built_on_the_declared_device_or_the_cpu():
    """A GPU cannot be had by an option: the model declares it."""
    assert parse(HERE, {}, {}, {}).device == "declared"
    assert parse(HERE, {}, {}, {"LITEGATE_DEVICE": "cpu"}).device == "cpu"
    with pytest.raises(ConfigError, match=r"LITEGATE_DEVICE[\s\S]*declared or cpu[\s\S]*gpu"):
        parse(HERE, {}, {}, {"LITEGATE_DEVICE": "gpu"})


def test_builds_run_here_or_on_ray():
    """Each with its own environment variable; the wait is that of the cluster alone."""
    assert (parse(HERE, {}, {}, {}).builder, parse(HERE, {}, {}, {}).ray_wait) == ("local", 60)
    named = {"LITEGATE_BUILDER": "ray", "LITEGATE_RAY_WAIT": "0.5"}
    assert (parse(HERE, {}, {}, named).builder, parse(HERE, {}, {}, named).ray_wait) == ("ray", 0.5)
    with pytest.raises(ConfigError, match=r"LITEGATE_BUILDER[\s\S]*local or ray[\s\S]*slurm"):
        parse(HERE, {}, {}, {"LITEGATE_BUILDER": "slurm"})
    with pytest.raises(ConfigError, match=r"--litegate-ray-wait[\s\S]*above 0"):
        parse(HERE, {"litegate_ray_wait": "0"}, {}, {})
