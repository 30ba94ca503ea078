"""Signed entries: write access to a bucket is not enough to decide a verdict."""

import subprocess

import pytest

from litegate.build.manifest import Manifest
from litegate.core.errors import ConfigError
from litegate.core.options import parse

pytest.importorskip("cryptography")
from litegate.build.signatures import demand_pair, generate, is_signed, sign

ENTRY = Manifest(key="1" * 64, stem="s", files={"a": "2" * 64, "b": "3" * 64})
PRIVATE, PUBLIC = generate()


def signed(group, entry, private=PRIVATE, **changes):
    """The manifest with the signature of another group or content."""
    fields = {"key": entry.key, "stem": entry.stem, "files": entry.files} | changes
    return Manifest(**fields, signature=sign(group, entry, private))


def test_a_signature_is_believed():
    """Whatever the order of the files."""
    assert is_signed("builds", signed("builds", ENTRY), PUBLIC)
    turned = dict(reversed(ENTRY.files.items()))
    assert is_signed("builds", signed("builds", ENTRY, files=turned), PUBLIC)


@pytest.mark.parametrize(
    "forged",
    [
        ENTRY,
        signed("builds", ENTRY, generate()[0]),
        signed("answers", ENTRY),
        signed("builds", ENTRY, key="4" * 64),
        signed("builds", ENTRY, stem="t"),
        signed("builds", ENTRY, files={"a": "2" * 64}),
        signed("builds", ENTRY, files={"a": "2" * 64, "b": "4" * 64}),
        signed("builds", ENTRY, files={"a": "3" * 64, "b": "2" * 64}),
        *(Manifest(**(vars_ | {"signature": text})) for vars_ in [
            {"key": ENTRY.key, "stem": ENTRY.stem, "files": ENTRY.files}
        ] for text in ("AAAA", "not base64", "ä")),
    ],
)  # fmt: skip
def test_any_other_is_not(forged):
    """Unsigned, by another key, or the signature of another group, key, stem or file."""
    assert not is_signed("builds", forged, PUBLIC)


def test_keys_that_do_not_belong_together():
    """The error names the variable, and never shows the private key."""
    demand_pair(PRIVATE, PUBLIC)
    with pytest.raises(ConfigError, match="LITEGATE_STORE_PRIVATE_KEY belongs to another") as error:
        demand_pair(generate()[0], PUBLIC)
    assert PRIVATE not in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["", "short", PRIVATE[:-2], PRIVATE + "AAAA", "ä" * 44],
    ids=["empty", "short", "cut off", "too long", "no base64"],
)
def test_a_wrong_key(text):
    """It is refused by name before anything is read or written with it."""
    with pytest.raises(ConfigError, match="litegate_store_public_key is not a key"):
        is_signed("builds", ENTRY, text)
    with pytest.raises(ConfigError, match="LITEGATE_STORE_PRIVATE_KEY is not a key") as error:
        sign("builds", ENTRY, text)
    assert not text or text not in str(error.value)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with two commits: the first with a key, the second one of a change."""
    monkeypatch.chdir(tmp_path)
    identity = ("-c", "user.name=n", "-c", "user.email=e")
    git = lambda *args: subprocess.run(["git", *identity, *args], check=True, capture_output=True)  # noqa: E731
    git("init", "-b", "main")

    def commit(file, text):
        (tmp_path / file).write_text(text)
        git("add", file)
        git("commit", "-m", "m")

    return commit


def trusted(project, setting=""):
    """The key that a run of the change demands."""
    from litegate.gate.trusted_store import trusted_public_key
    from litegate.regression.base_commit import merge_base

    options = parse(
        project, {"litegate_against": "HEAD~1"}, {"litegate_store_public_key": setting}, {}
    )
    return trusted_public_key(options, merge_base("HEAD~1", project, {}))


def test_the_key_of_the_base_counts(project, tmp_path):
    """A change that brings its own key is judged with the one before."""
    project("pyproject.toml", f'[tool.pytest.ini_options]\nlitegate_store_public_key = "{PUBLIC}"')
    project("pyproject.toml", '[tool.pytest.ini_options]\nlitegate_store_public_key = "other"')
    assert trusted(tmp_path, "other") == PUBLIC
    project("pytest.ini", "[pytest]\nlitegate_store_public_key = of pytest.ini")
    project("README", "text")
    assert trusted(tmp_path) == "of pytest.ini"


def test_a_key_that_the_base_lacks_counts_at_once(project, tmp_path):
    """It can only make a run demand more."""
    project("README", "text")
    project("README", "more text")
    assert trusted(tmp_path, PUBLIC) == PUBLIC
    assert trusted(tmp_path) == ""


def test_keygen_prints_a_pair():
    """The setting and the secret, as they are written into files."""
    from typer.testing import CliRunner

    from litegate.cli import app

    output = CliRunner().invoke(app, ["store", "keygen"])
    setting, secret = output.stdout.splitlines()
    demand_pair(secret.partition("=")[2], setting.partition('"')[2].rstrip('"'))
