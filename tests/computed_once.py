"""Computes once a process what tests ask for over and over: pure functions of their arguments."""

import functools
import json
import platform
import sys
from importlib.metadata import PathDistribution

import pytest_benchmark.plugin
import typer.main

import litegate.testing as helpers
from litegate.build import external_files
from litegate.cli import compare
from litegate.regression import base_declaration
from litegate.spec import artifact_keys
from litegate.testing import store as filling

_HELPERS = "litegate.testing"


def install():
    """Cache them where they are looked up; to be called before a test module imports them."""
    once = {"tiny": functools.cache(helpers.tiny), "evaluation": _read_only(helpers.evaluation)}
    for module in [module for name, module in sys.modules.items() if name.startswith(_HELPERS)]:
        vars(module).update({name: once[name] for name in once if name in vars(module)})
    filling._file_outputs = _answered_once(filling._file_outputs)
    artifact_keys.source_digest = functools.lru_cache(maxsize=256)(artifact_keys.source_digest)
    # litegate's source does not change here
    base_declaration._own_source = functools.cache(base_declaration._own_source)
    base_declaration._describe = _described_once(base_declaration._describe)
    external_files.run_in_sandbox = compare.run_in_sandbox = _passed_once(compare.run_in_sandbox)
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


def _answered_once(file_outputs):
    """A file's outputs for the split that nearly every project has."""
    cached = functools.cache(lambda tflite: file_outputs(tflite, helpers.evaluation()))

    def outputs(tflite, split):
        is_usual = split is helpers.evaluation()
        return cached(tflite) if is_usual else file_outputs(tflite, split)

    return outputs


def _described_once(describe):
    """By the key, which covers all that a declaration depends on; a process for each new one."""
    texts = {}

    def described(commit, project, store, key, device):
        if key not in texts:
            texts[key] = json.dumps(describe(commit, project, store, key, device))
        return json.loads(texts[key])

    return described


def _passed_once(run_in_sandbox):
    """A file that LiteRT ran goes through no second process; one that it refused does."""
    passed = set()

    def run(tflite, *, may_refuse=False, **options):
        if (tflite, may_refuse) not in passed:
            run_in_sandbox(tflite, may_refuse=may_refuse, **options)
            passed.add((tflite, may_refuse))

    return run


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
