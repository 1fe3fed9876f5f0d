"""What a point gains on a front, or in desirability, against numerical integration."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from labwright.core.problem import Desirability, Goal, Objective, Problem
from labwright.core.space import Continuous, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.planning.acquisition import log_improvement, log_volume_gain
from labwright.planning.desirability import log_desirability, log_desirability_gain
from labwright.planning.objectives import hypervolumes, losses_of
from labwright.planning.pareto import Boxes, free_boxes, hypervolume

A = Objective(name="a", goal=Goal.MINIMIZE)
B = Objective(name="b", goal=Goal.MAXIMIZE)
C = Objective(name="c", goal=Goal.MATCH, target=0.4)
SPACE = Space(parameters=(Continuous(name="x", low=0, high=1),))


def loss_below(objective, mean, sd):
    """The distribution function of the loss of a normal outcome."""
    match objective.goal:
        case Goal.MINIMIZE:
            return lambda u: norm.cdf(u, mean, sd)
        case Goal.MAXIMIZE:
            return lambda u: norm.sf(-u, mean, sd)
    return lambda u: norm.cdf(0.4 + u, mean, sd) - norm.cdf(0.4 - u, mean, sd) if u > 0 else 0.0


def expected_gain(objectives, mean, sd, free):
    """Sum over the boxes of the product of the integrals of each loss's distribution function."""
    total = 0.0
    for low, high in zip(free.low, free.high, strict=True):
        sides = []
        for objective, m, s, a, b in zip(objectives, mean, sd, low, high, strict=True):
            start = max(a, 0.0 if objective.goal is Goal.MATCH else b - 60)
            sides.append(
                quad(loss_below(objective, m, s), start, b, limit=400, epsabs=0, points=[min(b, max(start, m))])[0]
            )
        total += math.prod(sides)
    return total


@pytest.mark.parametrize("objectives", [(A, B), (A, C), (A, B, C)])
def test_the_gain_of_a_front_agrees_with_numerical_integration(objectives):
    rng, m = np.random.default_rng(5), len(objectives)
    losses = np.abs(rng.normal(size=(7, m)))
    free = free_boxes(losses, losses.max(axis=0) + 0.3)
    mean, sd = rng.normal(size=(5, m)), rng.uniform(0.2, 1.0, (5, m))

    found = np.exp(log_volume_gain(objectives, mean, sd, free))

    assert found == pytest.approx([expected_gain(objectives, *of, free) for of in zip(mean, sd, strict=True)], rel=1e-6)


def test_the_gain_of_a_front_agrees_with_random_outcomes():
    rng = np.random.default_rng(1)
    losses, reference = np.array([[0.0, 1.0], [0.5, 0.4], [1.0, 0.0]]), np.array([1.2, 1.2])
    mean, sd = np.array([[0.4, -0.5]]), np.array([[0.3, 0.2]])

    outcomes = losses_of((A, B), mean + sd * rng.standard_normal((4000, 2)))
    before = hypervolume(losses, reference)
    gains = [hypervolume(np.vstack([losses, one]), reference) - before for one in outcomes]

    found = np.exp(log_volume_gain((A, B), mean, sd, free_boxes(losses, reference)))[0]
    assert found == pytest.approx(np.mean(gains), abs=4 * np.std(gains) / math.sqrt(4000))


def test_for_one_objective_the_gain_is_the_expected_improvement():
    mean, sd = np.linspace(-3, 400, 50), np.full(50, 0.3)

    found = log_volume_gain((A,), mean[:, None], sd[:, None], free_boxes(np.array([[0.5]]), np.array([np.inf])))

    assert (found == log_improvement(mean, sd, 0.5)).all()


@pytest.mark.parametrize("objectives", [(A, B), (A, C)])
def test_far_from_the_front_the_gain_is_still_ordered(objectives):
    losses = np.array([[0.0, 1.0], [0.5, 0.4], [1.0, 1e-7]])
    free = free_boxes(losses, np.array([1.2, 1.2]))
    away = np.geomspace(5, 1e6, 60)
    mean = np.column_stack([away, away if objectives[1] is C else -away])

    found = log_volume_gain(objectives, mean, np.full((60, 2), 0.1), free)

    assert np.isfinite(found).all()
    assert (np.diff(found) < 0).all()


@pytest.mark.parametrize("objective", [A, C])
def test_a_slit_between_two_trials_of_the_front_has_its_small_gain(objective):
    width, low = 2.0**-46, 2.0**-9
    slit = Boxes(low=np.array([[low, -np.inf]]), high=np.array([[low + width, 1.0]]))

    found = log_volume_gain((objective, A), np.array([[0.3, 0.0]]), np.array([[1.0, 1.0]]), slit)[0]

    below = log_improvement(np.array([0.0]), np.array([1.0]), 1.0)[0]
    expected = math.log(loss_below(objective, 0.3, 1.0)(low) * width) + below
    assert found == pytest.approx(expected, rel=1e-6)


@given(st.sampled_from([1e-12, 1.0, 1e12]), st.integers(0, 1000))
def test_the_units_of_the_objectives_only_shift_the_gain(scale, seed):
    rng = np.random.default_rng(seed)
    losses, mean, sd = rng.random((6, 2)), rng.normal(size=(4, 2)), rng.uniform(0.1, 1, (4, 2))
    by, reference = np.array([scale, 1.0]), np.array([1.1, 1.1])

    plain = log_volume_gain((A, A), mean, sd, free_boxes(losses, reference))
    scaled = log_volume_gain((A, A), by * mean, by * sd, free_boxes(by * losses, by * reference))

    assert scaled == pytest.approx(plain + math.log(scale), rel=1e-8, abs=1e-8)


def weighed(*parts):
    return Problem(
        space=SPACE,
        objectives=tuple(
            Objective(name=f"o{i}", goal=goal, target=0.5 if goal is Goal.MATCH else None, desirability=wish)
            for i, (goal, wish) in enumerate(parts)
        ),
    )


THREE = weighed(
    (Goal.MINIMIZE, Desirability(worst=2.0, best=0.0)),
    (Goal.MAXIMIZE, Desirability(worst=0.0, best=1.0, weight=2.0)),
    (Goal.MATCH, Desirability(worst=1.5, shape=0.5)),
)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_the_planners_desirability_is_the_problems_where_it_is_not_almost_nothing(outcomes):
    plain = THREE.desirability({f"o{i}": y for i, y in enumerate(outcomes)})

    found = float(np.exp(log_desirability(THREE, losses_of(THREE.objectives, np.array([outcomes])))[0]))

    assert found == pytest.approx(plain, rel=1e-6, abs=0.4)
    if plain > 0.4:
        assert found == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize("mean", [(1.0, 0.5, 0.5), (0.2, 0.9, 0.8), (1.8, 0.2, -0.2)])
def test_the_gain_in_desirability_agrees_with_random_outcomes(mean):
    rng, sd = np.random.default_rng(0), np.array([0.4, 0.2, 0.3])
    outcomes = np.array(mean) + sd * rng.standard_normal((100_000, 3))
    shares = np.column_stack([1 - outcomes[:, 0] / 2, outcomes[:, 1], 1 - np.abs(outcomes[:, 2] - 0.5)]).clip(0, 1)
    score = (shares[:, 0] * shares[:, 1] ** 2 * shares[:, 2] ** 0.5) ** (1 / 4)
    reached = np.array([[1.0, -0.5, 0.0]])
    best = (0.5 * 0.5**2) ** (1 / 4)

    found = float(np.exp(log_desirability_gain(THREE, np.array([mean]), sd[None], reached)[0]))

    assert found == pytest.approx(np.maximum(score - best, 0).mean(), rel=0.05, abs=1e-4)


def test_where_nothing_is_desirable_the_nearer_is_still_the_better():
    mean = np.column_stack([np.linspace(3, 500, 40), np.full(40, -4.0), np.full(40, 30.0)])
    nothing = np.array([[9.0, 9.0, 9.0]])

    found = log_desirability_gain(THREE, mean, np.full((40, 3), 0.1), nothing)

    assert np.isfinite(found).all()
    assert (np.diff(found) < 0).all()


def test_the_volume_grows_with_each_trial_that_changes_the_front():
    problem = Problem(space=SPACE, objectives=(A, B))
    outcomes = [(1.0, 1.0), (2.0, 0.5), (0.5, 0.5), (0.5, 2.0), (0.5, 2.0)]
    proposal = Proposal(point={"x": 0.5}, source="test", reason="")
    trials = [
        Trial(number=n, proposal=proposal, state=TrialState.OBSERVED, outcomes={"a": a, "b": b})
        for n, (a, b) in enumerate(outcomes, start=1)
    ]

    found = hypervolumes(problem, trials)

    assert [number for number, _ in found] == [1, 3, 4]
    volumes = [volume for _, volume in found]
    assert volumes == sorted(volumes)
    assert volumes[-1] > volumes[0]
    assert hypervolumes(problem, []) == []
