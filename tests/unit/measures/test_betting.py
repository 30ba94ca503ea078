"""Betting on losses in random order: error rates at the limit and beside it, coverage, edges."""

import math

import numpy as np
import pytest

from litegate.measures.statistics.betting import BETS, Decision, Losses, log_evidence

ALPHA = 0.05
"""As the error of a run; larger than the gate's, so that few simulations show it."""
N, RUNS = 1000, 120
COVERED = 25
ENDS = range(100, N, 150)


def losses(values, *, least=0, declared=N, first=None):
    values = np.asarray(values, float)
    first = np.ones(len(values), bool) if first is None else np.asarray(first)
    return Losses(values=values, least=least, declared=declared, first=first)


def decide(values, limit, **options):
    """Look a few times, as the gate does; return the first decision."""
    for end in ENDS:
        decision = losses(values[:end], **options).decide(limit, ALPHA, ALPHA)
        if decision:
            return decision
    return None


def orders(values, seed):
    rng = np.random.default_rng(seed)
    return (rng.permutation(values) for _ in range(RUNS))


def split(broken, fixed=0):
    """N losses: so many broken and fixed."""
    return np.repeat([1, -1, 0], [broken, fixed, N - broken - fixed])


def most(alpha, runs=RUNS):
    """The most events in so many runs if alpha is their chance, but for one test in a thousand."""
    return runs * alpha + 3.1 * math.sqrt(runs * alpha * (1 - alpha))


@pytest.mark.parametrize("least", [0, -1])
@pytest.mark.parametrize("beside", [-1, 0])
def test_a_mean_at_the_limit_is_rarely_called_beyond(least, beside):
    """In a set whose mean is the limit, or one sample better."""
    values = split(100) if least == 0 else split(130, 30)
    limit = (100 - beside) / N
    wrong = sum(
        decide(order, limit, least=least) is Decision.BEYOND for order in orders(values, seed=1)
    )
    assert wrong <= most(ALPHA)


@pytest.mark.parametrize("least", [0, -1])
def test_a_population_at_the_limit_is_rarely_called_within(least):
    """Independent draws from a population whose mean is the limit."""
    rng = np.random.default_rng(2)
    chances = [0.1, 0, 0.9] if least == 0 else [0.13, 0.03, 0.84]
    draws = rng.choice([1, -1, 0], p=chances, size=(RUNS, N))
    wrong = sum(decide(draw, 0.1, least=least) is Decision.WITHIN for draw in draws)
    assert wrong <= most(ALPHA)


def test_a_set_one_sample_beyond_is_rarely_called_within():
    """The set's order is random, the set itself is not drawn."""
    decided = [decide(order, 0.1, least=-1) for order in orders(split(131, 30), seed=3)]
    assert decided.count(Decision.WITHIN) <= most(ALPHA)


@pytest.mark.parametrize(("broken", "expected"), [(20, Decision.WITHIN), (190, Decision.BEYOND)])
def test_clear_means_are_decided_early(broken, expected):
    decided = [decide(order, 0.1) for order in orders(split(broken), seed=4)]
    assert decided.count(expected) >= 0.98 * RUNS


def test_the_declared_set_is_decided_earlier_than_a_population():
    """Late in a set there is little left that could restore its mean."""
    order = np.random.default_rng(5).permutation(split(130))[:900]
    assert log_evidence(order.astype(float), 0.1, N) > 2 * log_evidence(order.astype(float), 0.1)


@pytest.mark.parametrize("least", [0, -1])
def test_confidence_sequences_cover_at_any_look(least):
    """Both limits of both, at every look: each of the four may miss with its tail."""
    rng, tail = np.random.default_rng(6), 0.05
    values = split(100) if least == 0 else split(130, 30)
    missed = np.zeros(4)
    for _ in range(COVERED):
        orders_ = rng.permutation(values), rng.choice(values, N)
        seen = [[losses(order[:end], least=least) for end in (100, 700)] for order in orders_]
        declared = np.array([look.declared_limits(tail) for look in seen[0]])
        population = np.array([look.population_limits(tail) for look in seen[1]])
        for column, limits in enumerate((declared, population)):
            assert (limits[:, 0] <= limits[:, 1]).all()
            missed[2 * column] += (limits[:, 0] > 0.1).any()
            missed[2 * column + 1] += (limits[:, 1] < 0.1).any()
    assert (missed <= most(tail, COVERED)).all()


def test_the_sequence_excludes_a_limit_when_the_test_does():
    """The least open mean is where the evidence falls below 1/tail."""
    seen = losses(np.random.default_rng(7).permutation(split(130))[:500])
    low, high = seen.declared_limits(0.01)
    for mean, evidence in ((low, seen.evidence_beyond),):
        assert evidence(mean - 1e-6) > math.log(100) > evidence(mean + 1e-6)
    population = seen.population_limits(0.01)
    assert seen.evidence_within(population[1] + 1e-6) > math.log(100)
    assert low < seen.values.mean() < high
    assert population[0] <= low
    assert high <= population[1]


def test_a_whole_set_is_known_exactly():
    """After all samples, but for the last two: only then is a mean impossible."""
    values = np.random.default_rng(8).permutation(split(131, 30))
    low, high = losses(values, least=-1).declared_limits(0.01)
    assert low == pytest.approx(0.101, abs=2.1 / N)
    assert high == pytest.approx(0.101, abs=2.1 / N)


def test_wealth_is_the_mean_of_all_bets():
    """By hand: two draws, one loss, against a mean of a quarter."""
    expected = np.mean((1 + BETS * (1 / 0.25 - 1)) * (1 - BETS))
    assert log_evidence(np.array([1.0, 0.0]), 0.25) == pytest.approx(math.log(expected))
    # Of four, one loss is what the hypothesis allows: after it no loss is left.
    assert log_evidence(np.array([1.0, 0.0]), 0.25, 4) == pytest.approx(
        math.log(np.mean(1 + BETS * 3))
    )


def test_one_loss_more_than_the_limit_allows_is_certain():
    assert log_evidence(np.array([1.0, 1.0]), 0.25, 4) == math.inf
    assert log_evidence(np.array([0.0, 0.0]), 0.25, 4) < 0


@pytest.mark.parametrize("mean", [1, 1.5])
def test_a_limit_that_no_loss_exceeds_is_never_refuted(mean):
    assert log_evidence(np.ones(50), mean) == 0
    assert losses(np.ones(50), declared=60).decide(mean, ALPHA, ALPHA) is not Decision.BEYOND


def test_no_loss_allowed():
    """A floor of 100 %: the first loss is beyond it, and nothing short of all samples within."""
    assert losses(np.zeros(900)).decide(0, ALPHA, ALPHA) is None
    assert losses([0, 0, 1]).decide(0, ALPHA, ALPHA) is Decision.BEYOND


def test_copies_prove_nothing():
    """Nine copies of each of a hundred samples are a hundred draws."""
    first = np.arange(900) % 9 == 0
    assert losses(np.zeros(900)).decide(0.02, ALPHA, ALPHA) is Decision.WITHIN
    assert losses(np.zeros(900), first=first).decide(0.02, ALPHA, ALPHA) is None
