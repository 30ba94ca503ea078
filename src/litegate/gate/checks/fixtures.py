"""The fixtures that checks ask for: artifacts, limits, `require`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from litegate.core.errors import ConfigError
from litegate.gate.checks import verdicts
from litegate.gate.checks.require import Require
from litegate.gate.state import GATE
from litegate.regression.weakening import WeakenedLimits
from litegate.spec import Artifact, Budget, Metric, Model, Regression, Vela
from litegate.spec.cases import Case
from litegate.spec.runtimes import XNNPACK
from litegate.spec.targets import Target


@pytest.fixture
def litegate_case(request: pytest.FixtureRequest) -> Case:
    """The model and recipe of this test; parametrized by the plugin."""
    if not hasattr(request, "param"):
        raise ConfigError(
            "this test uses a model fixture outside the checks folder",
            remedy="move it there, or set litegate_checks",
        )
    return verdicts.case_in_scene(request.node, request.param)


@pytest.fixture
def litegate_runtime(request: pytest.FixtureRequest) -> str:
    """The runtime that the artifacts are run on; parametrized by the plugin for some checks."""
    return verdicts.runtime(request, getattr(request, "param", None) or XNNPACK)


@pytest.fixture
def runtime(litegate_runtime: str) -> str:
    """The name of a runtime besides the default; the check runs once for each in the budget."""
    return litegate_runtime


@pytest.fixture
def model(litegate_case: Case) -> Model:
    """The model under test."""
    return litegate_case.model


@pytest.fixture
def budget(litegate_case: Case) -> Budget:
    """The limits of the recipe, and of the model where the recipe sets none."""
    return litegate_case.budget


@pytest.fixture
def candidate(
    request: pytest.FixtureRequest, litegate_case: Case, litegate_runtime: str
) -> Artifact:
    """The quantized artifact under test."""
    return verdicts.artifact(request, litegate_case, "candidate", litegate_runtime)


@pytest.fixture
def reference(
    request: pytest.FixtureRequest, litegate_case: Case, litegate_runtime: str
) -> Artifact:
    """The float artifact with the same start, epochs and batches as the candidate."""
    return verdicts.artifact(request, litegate_case, "reference", litegate_runtime)


@pytest.fixture
def baseline(
    request: pytest.FixtureRequest, litegate_case: Case, litegate_runtime: str
) -> Artifact:
    """The model's plain `float32` artifact."""
    return verdicts.artifact(request, litegate_case, "baseline", litegate_runtime)


@pytest.fixture
def base(request: pytest.FixtureRequest, litegate_case: Case, litegate_runtime: str) -> Artifact:
    """The candidate's artifact at the merge base; a check that requests it needs --against."""
    return verdicts.artifact(request, litegate_case, "base", litegate_runtime)


@pytest.fixture
def anchor(request: pytest.FixtureRequest, litegate_case: Case, litegate_runtime: str) -> Artifact:
    """The candidate's artifact at the pinned commit; a check that requests it needs --anchor."""
    return verdicts.artifact(request, litegate_case, "anchor", litegate_runtime)


@pytest.fixture
def weakened_limits(request: pytest.FixtureRequest) -> WeakenedLimits:
    """The limits that this change weakens: those of the model, or of the whole project."""
    of_model = "litegate_case" in request.fixturenames
    case = request.getfixturevalue("litegate_case") if of_model else None
    return request.config.stash[GATE].weakened_limits(case)


@pytest.fixture
def regression(litegate_case: Case) -> Regression:
    """The limits on how much worse than the base this change may make the model."""
    return litegate_case.regression


@pytest.fixture
def litegate_metric(request: pytest.FixtureRequest) -> str:
    """The name of the metric of this test; parametrized by the plugin."""
    return str(request.param.name)


@pytest.fixture
def metric(litegate_case: Case, litegate_metric: str) -> Metric:
    """A metric that the budget limits, with its limits; the check runs once for each."""
    return litegate_case.budget.metric(litegate_metric)


@pytest.fixture
def noise(request: pytest.FixtureRequest, litegate_case: Case) -> float | None:
    """The SD of the candidate's accuracy from seed to seed, if `litegate noise` measured it."""
    from litegate.measures.noise import recorded_sd  # late: few checks ask for this fixture

    recipe = litegate_case.recipe.name if litegate_case.recipe else ""
    return recorded_sd(request.config.rootpath, litegate_case.model, recipe)


@pytest.fixture
def shipped(request: pytest.FixtureRequest, litegate_case: Case) -> Path:
    """The file that the recipe's `shipped=...` names; its check runs only if there is one."""
    return verdicts.shipped(request, litegate_case)


@pytest.fixture
def target(request: pytest.FixtureRequest, litegate_case: Case) -> Target:
    """The target that `Budget(target=...)` names; its check runs only if there is one."""
    from litegate.spec.targets import load

    return load(str(litegate_case.target), request.config.rootpath)


@pytest.fixture
def vela(request: pytest.FixtureRequest, litegate_case: Case) -> Vela | None:
    """The configuration that `Budget(vela=...)` names for the compiler Vela; else None."""
    return verdicts.vela(request, litegate_case)


@pytest.fixture
def gated(request: pytest.FixtureRequest) -> int:
    """The number of candidates this run gates; latency checks share the chance of a false alarm."""
    return max(1, len(request.config.stash[GATE].plan.coverage.unset))


@pytest.fixture
def stopping_checks(request: pytest.FixtureRequest) -> int:
    """The number of checks that may stop early on a runtime; they share the chance of an error."""
    return verdicts.count_stopping(request.config.stash[GATE].plan.checks)


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Path:
    """A folder for files that a failing check leaves, such as counterexamples; CI uploads it."""
    return request.config.stash[GATE].failing_folder()


@pytest.fixture
def require(request: pytest.FixtureRequest) -> Iterator[Require]:
    """Records a verdict: ``require(measurement <= limit)``. Never calling it is an error."""
    yield from verdicts.requirer(request)
