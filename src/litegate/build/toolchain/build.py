"""From a request to artifacts: versions, model and data first, TensorFlow only then."""

from __future__ import annotations

import sys
from dataclasses import replace

from litegate.core.errors import ConfigError
from litegate.data import prepare
from litegate.data.prepare import save_evaluation
from litegate.spec.loader import load_file
from litegate.spec import Model, Recipe, Splits
from litegate.build.toolchain.recipes import Bench
from litegate.build.toolchain.determinism import (
    check_versions,
    fix_threads,
    is_tensorflow_here,
    load_frameworks,
)
from litegate.build.toolchain.feeds import samples_of
from litegate.build.toolchain.pretrained import Graph, opened
from litegate.build.toolchain.protocol import START, Request
from litegate.build.toolchain.recipes import Bench
from litegate.build.toolchain.reporter import Reporter
from litegate.core.errors import ConfigError
from litegate.data import prepare
from litegate.data.prepare import keep_evaluation
from litegate.spec import Model, Recipe, Splits
from litegate.spec.loader import load_file


def build(request: Request, report: Reporter) -> None:
    """Make what is asked for, a folder for each recipe in the staging folder.

    Missing data is known before TensorFlow's slow import. Raises what the user's code raises, and
    LitegateError for what is foreseen.
    """
    report.stage("", "data", shared=True)
    check_versions()
    model = _model(request)
    recipes = [_recipe(model, name) for name in request.recipes]
    threads = model.training.threads
    if is_tensorflow_here():
        load_frameworks(threads)
    fix_threads(threads)
    locations = replace(request.locations, project=request.project)
    splits = prepare(model.data, locations, request.staging / "evaluation", report.alive)
    _check_trainable(model, splits)
    save_evaluation(splits, request.staging / "evaluation")
    report.stage(recipes[0].name, "train", shared=True)
    frameworks = load_frameworks(threads, fixed=True)
    samples = samples_of(frameworks, splits)
    del splits
    graph = None
    if model.start:
        report.stage(recipes[0].name, "load", shared=True)
        start = opened(frameworks, request.staging / START, str(model.start), samples.shapes)
        graph = start if isinstance(start, Graph) else None
        model = model if isinstance(start, Graph) else replace(model, build=start)
    bench = Bench(
        model=model,
        frameworks=frameworks,
        samples=samples,
        report=report,
        staging=request.staging,
        graph=graph,
    )
    bench.make(recipes)


def _model(request: Request) -> Model:
    # For imports inside the user's functions; last, so that they shadow nothing of the library's.
    sys.path += [str(request.file.parent), str(request.project)]
    found = load_file(request.file, request.project)
    if request.model not in found:
        raise ConfigError(
            f"{request.file.name} declares no model {request.model}",
            expected=", ".join(sorted(found)) or "at least one model",
        )
    return _seeded(found[request.model], request.seed)


def _seeded(model: Model, seed: int | None) -> Model:
    return model if seed is None else replace(model, training=replace(model.training, seed=seed))


def _recipe(model: Model, name: str) -> Recipe:
    try:
        return model.recipe(name)
    except KeyError:
        known = ", ".join(recipe.name for recipe in model.recipes)
        raise ConfigError(f"{model.name} has no recipe {name}", expected=known) from None


def _check_trainable(model: Model, splits: Splits) -> None:
    there = splits.arrays()
    needed = ("x_train", "y_train", "x_test", "y_test")
    missing = [name for name in needed if name not in {key.partition(".")[0] for key in there}]
    if missing:
        raise ConfigError(
            f"{model.name} cannot be trained on {model.data.name}: it has no {', '.join(missing)}",
            expected="a training split and labels",
            remedy="a data set without them serves `litegate.prebuilt` alone",
        )
