"""Build the artifacts of a request: check versions, load model and data, then import TensorFlow."""

from __future__ import annotations

import sys
from dataclasses import replace

from litegate.build.toolchain.determinism import (
    check_versions,
    fix_threads,
    is_tensorflow_imported,
    load_frameworks,
)
from litegate.build.toolchain.pretrained import ConvertedGraph, open_network
from litegate.build.toolchain.protocol import FLOAT, START, Request, with_variants
from litegate.build.toolchain.recipes import RecipeBuilder
from litegate.build.toolchain.reporter import Reporter
from litegate.build.toolchain.tensor_samples import to_tensors
from litegate.core.errors import ConfigError
from litegate.data import prepare
from litegate.data.prepare import save_evaluation
from litegate.spec import Model, Recipe, Splits
from litegate.spec.declared_files import demand_declared, watched
from litegate.spec.loader import load_file


def build(request: Request, report: Reporter) -> None:
    """Build the requested recipes, each into its folder of the staging folder.

    With a float artifact in the staging folder, they are quantized from its `.tflite`. The data is
    loaded before TensorFlow's slow import, so that missing data fails early. Raises LitegateError
    for expected failures, and passes on exceptions of the user's code.
    """
    report.stage("", "data", shared=True)
    if (request.staging / FLOAT).is_dir():
        _build_from_float(request, report)
        return
    check_versions()
    model = _model(request)
    recipes = [_recipe(model, name) for name in request.recipes]
    threads, device = model.training.threads, model.training.device
    if is_tensorflow_imported():  # by the model's file: set its threads before it computes
        load_frameworks(threads, device=device)
    fix_threads(threads)
    locations = replace(request.locations, project=request.project)
    splits = prepare(model.data, locations, request.staging / "evaluation", report.alive)
    _check_trainable(model, splits)
    save_evaluation(splits, request.staging / "evaluation")
    report.stage(recipes[0].name, "load", shared=True)
    frameworks = load_frameworks(threads, device=device, fixed=True)
    samples = to_tensors(frameworks, splits)
    del splits  # frees the arrays, which the tensors are copies of
    graph = None
    if model.start:
        start = open_network(frameworks, request.staging / START, str(model.start), samples.shapes)
        graph = start if isinstance(start, ConvertedGraph) else None
        model = model if isinstance(start, ConvertedGraph) else replace(model, build=start)
    builder = RecipeBuilder(
        model=model,
        frameworks=frameworks,
        samples=samples,
        report=report,
        staging=request.staging,
        graph=graph,
    )
    builder.build(recipes)


def _build_from_float(request: Request, report: Reporter) -> None:
    """Quantize the float artifact that the request brings; TensorFlow is not imported."""
    # Late: no other build needs LiteRT.
    from litegate.build.toolchain.quantizer import check_quantizer, quantize_all

    check_quantizer()
    model = _model(request)
    recipes = [_recipe(model, name) for name in request.recipes]
    locations = replace(request.locations, project=request.project)
    folder = request.staging / "evaluation"
    splits = prepare(model.data, locations, folder, report.alive)
    save_evaluation(splits, folder)
    quantize_all(model, recipes, splits, request.staging, report)


def _model(request: Request) -> Model:
    # For imports inside the user's functions; last, so that they hide no installed package.
    sys.path += [str(request.file.parent), str(request.project)]
    models = load_file(request.file, request.project)
    if request.model not in models:
        raise ConfigError(
            f"{request.file.name} declares no model {request.model}",
            expected=", ".join(sorted(models)) or "at least one model",
        )
    model = _as_requested(models[request.model], request)
    if request.is_base:
        return model
    demand_declared(model, model.reads, request.project)
    return watched(model, request.project)


def _as_requested(model: Model, request: Request) -> Model:
    """Return the model with the seed, the device and the variants of the request."""
    training = replace(model.training, device=request.device)
    if request.seed is not None:
        training = replace(training, seed=request.seed)
    return with_variants(replace(model, training=training), request.variants)


def _recipe(model: Model, name: str) -> Recipe:
    try:
        return model.recipe(name)
    except KeyError:
        known = ", ".join(recipe.name for recipe in model.recipes)
        raise ConfigError(f"{model.name} has no recipe {name}", expected=known) from None


def _check_trainable(model: Model, splits: Splits) -> None:
    arrays = {name.partition(".")[0] for name in splits.arrays()}
    needed = ("x_train", "y_train", "x_test", "y_test")
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise ConfigError(
            f"{model.name} cannot be trained: its data set {model.data.name} has no "
            f"{', '.join(missing)}",
            expected="a training split and labels",
            remedy="use a data set without them only for `litegate.prebuilt`",
        )
