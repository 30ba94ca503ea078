"""A gate that was weakened on purpose is not proven, and the proof names what is missing."""

import ast

import pytest
from mutant_gates import caught, sound_gate
from mutants import (
    DIGITS,
    GUARDS,
    LEAN,
    MNIST,
    PROJECT,
    RECIPE,
    WITHOUT_CASE,
    checks,
    model,
    mutants,
)
from weakening import limit_named, limits_of

from litegate.mutation.faults import Family

MUTANTS = sorted(mutants(), key=lambda mutant: mutant.id)
FAMILIES = [*((family, RECIPE) for family in Family), (Family.SIZE, LEAN)]


def test_every_check_and_every_limit_has_a_mutant():
    """A check that is added is added to `mutants.GUARDS`, too, and a limit to `mutants.WHOLE`."""
    assert set(checks()) == {*GUARDS, *WITHOUT_CASE}
    guarded = {limit_named(function) for _, function in checks().values()} - {""}
    assert {*limits_of(model(DIGITS)), *WITHOUT_CASE.values()} == guarded
    assert set(limits_of(model(MNIST))) <= guarded


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_a_mutant_differs_from_the_sound_gate(mutant):
    tree = model(mutant.model)
    if mutant.file.startswith("checks/"):
        tree = ast.parse((PROJECT / mutant.file).read_bytes())
    before = ast.unparse(tree)
    mutant.weaken(tree)
    assert ast.unparse(tree) != before


@pytest.fixture(scope="module")
def sound(tmp_path_factory, shared_store):
    """The gate of this project, with every limit set."""
    return sound_gate(tmp_path_factory.mktemp("gates") / "sound", shared_store)


@pytest.fixture
def has_data(mutant, request):
    """Skip without the data set of MNIST."""
    if mutant.model == MNIST:
        request.getfixturevalue("data_directory")


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_a_weakened_gate_is_named_by_its_proof(mutant, sound, tmp_path, has_data, request):
    copy = sound.weakened(mutant, tmp_path / "mutant")
    done = copy.run(*mutant.arguments)
    said = caught(copy, done, mutant)
    assert said, done.stdout + done.stderr
    # For the tables of docs/reference/mutant_gates.md: --junitxml writes it.
    request.node.user_properties.append(("said", said[0]))


@pytest.mark.slow
@pytest.mark.parametrize(("family", "recipe"), FAMILIES)
def test_the_gate_that_mutants_are_made_of_is_proven(family, recipe, sound):
    """With every limit set and an anchor; so what a mutant's proof names is its edit."""
    of = ("--litegate-model", DIGITS, "--litegate-recipe", recipe)
    held = ("--against", "none", "--anchor", "HEAD")
    done = sound.run("--prove", "--prove-family", family, *of, *held)
    assert done.returncode == 0, done.stdout + done.stderr
