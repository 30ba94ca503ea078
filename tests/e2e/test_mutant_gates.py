"""A gate that was weakened on purpose is not proven, and the proof names what is missing."""

import ast

import pytest
from mutant_gates import named, sound_gate
from mutants import DIGITS, GUARDS, MNIST, PROJECT, checks, model, mutants
from weakening import limit_named, limits_of

MUTANTS = sorted(mutants(), key=lambda mutant: mutant.id)
ASKED = {mutant.arguments: mutant for mutant in MUTANTS}
"""The proofs that show a mutant, each once."""


def test_every_check_and_every_limit_has_a_mutant():
    """A check that is added is added to `mutants.GUARDS`, too, and a limit to `mutants.WHOLE`."""
    assert set(checks()) == set(GUARDS)
    guarded = {limit_named(function) for _, function in checks().values()} - {""}
    assert set(limits_of(model(DIGITS))) == guarded
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
def test_a_weakened_gate_is_named_by_its_proof(mutant, sound, tmp_path, has_data):
    copy = sound.weakened(mutant, tmp_path / "mutant")
    done = copy.run(*mutant.arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert named(copy.report, mutant), done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("mutant", ASKED.values(), ids=lambda mutant: mutant.id)
def test_the_sound_gate_has_nothing_to_name(mutant, sound, has_data):
    """The same proof of the gate as it is."""
    done = sound.run(*mutant.arguments)
    alike = [one for one in MUTANTS if one.arguments == mutant.arguments]
    assert [named(sound.report, one) for one in alike] == [[]] * len(alike), done.stdout
