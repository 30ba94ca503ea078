"""The runtimes that a check runs on, by what its source names."""

import pytest
from scenes import scene

from litegate import Budget, byte
from litegate.measures.structure.arena import arena
from litegate.measures.structure.macs import macs
from litegate.measures.structure.target import target_violations
from litegate.spec.cases import Case, runtimes_of

BOTH = ("xnnpack", "tflm")


def judged(function, *, has_tflm=True, only=(), **limits):
    sound = scene(budget=Budget(arena=byte(1), macs=1, **limits))
    case = Case(model=sound.model, recipe=sound.recipe)
    return runtimes_of(case, function, only, has_tflm=has_tflm)


def check_of_arena(candidate, budget, require):
    require(arena(candidate) <= budget.arena)


def check_of_operators(candidate, target, require):
    require(target_violations(candidate, target) <= 0)


def check_of_macs(candidate, budget, require):
    require(macs(candidate) <= budget.macs)


@pytest.mark.parametrize(
    ("limits", "options", "runtime"),
    [
        ({"runtimes": BOTH}, {}, "tflm"),
        ({"target": "tflm"}, {}, "tflm"),
        ({"runtimes": ("tflm",)}, {}, "tflm"),
        ({"runtimes": BOTH}, {"only": BOTH}, "tflm"),
        ({"runtimes": BOTH}, {"only": ("xnnpack",)}, "xnnpack"),
        ({"runtimes": BOTH}, {"has_tflm": False}, "xnnpack"),
        ({"runtimes": ("xnnpack", "reference")}, {}, "xnnpack"),
        ({}, {}, "xnnpack"),
    ],
)
def test_arena_is_recorded_once_if_the_model_names_the_interpreter(limits, options, runtime):
    assert judged(check_of_arena, **options, **limits) == (runtime,)
    assert judged(check_of_macs, **options, **limits) == ("xnnpack",)


@pytest.mark.parametrize(
    ("target", "runtime"),
    [
        ("tflm", "tflm"),
        ("boards/mine.toml", "tflm"),
        ("ethos-u", "xnnpack"),
        ("edgetpu", "xnnpack"),
        ("xnnpack-int8", "xnnpack"),
    ],
)
def test_interpreter_is_asked_about_its_own_target_and_a_user_s_list(target, runtime):
    """Litegate's other lists are of what runs elsewhere."""
    assert judged(check_of_operators, runtimes=BOTH, target=target) == (runtime,)
    if target != "tflm":
        assert judged(check_of_operators, target=target) == ("xnnpack",)
