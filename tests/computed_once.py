"""Computes once a process what tests ask for over and over: pure functions of their arguments."""

import functools
import platform
import sys
from importlib.metadata import PathDistribution

import pytest_benchmark.plugin
import typer.main

import litegate.testing as helpers
from litegate.spec import artifact_keys


def install():
    """Cache them where they are looked up; to be called before a test module imports them."""
    planted = sys.modules["litegate.testing.artifacts"]
    helpers.tiny = planted.tiny = functools.cache(helpers.tiny)
    helpers.evaluation = planted.evaluation = _read_only(planted.evaluation)
    artifact_keys.source_digest = functools.lru_cache(maxsize=256)(artifact_keys.source_digest)
    typer.main.get_command = functools.cache(typer.main.get_command)
    _describe_the_environment_once()


def _read_only(evaluation):
    """The same split each time; its arrays refuse to be changed in place."""

    @functools.cache
    @functools.wraps(evaluation)
    def shared(*args, **named):
        split = evaluation(*args, **named)
        for array in (split.x, split.y):
            array.setflags(write=False)
        return split

    return shared


def _describe_the_environment_once():
    """Every run of pytest parses what all installed packages declare, and starts processes.

    The name that pytest-benchmark proposes for saved times takes up to eight, and no test saves.
    """
    for name in ("metadata", "entry_points"):
        parse = functools.cache(getattr(PathDistribution, name).fget)
        setattr(PathDistribution, name, property(_by_folder(parse)))
    platform.architecture = functools.cache(platform.architecture)
    pytest_benchmark.plugin.get_tag = str


def _by_folder(parse):
    installed = {}
    return lambda package: parse(installed.setdefault(package._path, package))
