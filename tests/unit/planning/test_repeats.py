"""Trying candidates again: when, which, and when not."""

import numpy as np
import pytest

from labwright.core.errors import PoolExhausted
from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Categorical, Continuous, Pool, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.planning.encoding import Encoding
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.model import learn
from labwright.planning.repeats import _gain

MADE = ("a", "b", "c", "d", "e", "f", "g", "h")
REPEATS = GaussianProcessPlanner(GaussianProcessPlanner.Options(repeats=True))


def formulations(goal=Goal.MAXIMIZE, target=None, constraints=()):
    space = Space(parameters=(Categorical(name="made", levels=MADE),))
    objectives = (Objective(name="strength", goal=goal, target=target),)
    return Problem(space=space, objectives=objectives, constraints=constraints)


def trial(number, made, strength, state=TrialState.OBSERVED, **others):
    outcomes = {"strength": strength, **others} if state is TrialState.OBSERVED else {}
    return Trial(
        number=number, proposal=Proposal(point={"made": made}, source="t", reason=""), state=state, outcomes=outcomes
    )


def once_each(strengths):
    return [trial(i, m, s) for i, (m, s) in enumerate(zip(MADE, strengths, strict=True), start=1)]


@pytest.fixture
def strengths():
    return 10.0, 3.0, 9.8, 1.0, 2.0, 9.9, 4.0, 0.5


def test_once_all_were_tried_those_that_may_be_the_best_are_tried_again(strengths):
    found = REPEATS.propose(formulations(), once_each(strengths), [], 3, seed=1)

    assert {p.point["made"] for p in found} == {"a", "c", "f"}
    assert all(p.reason.startswith("again, for nothing new is left and results scatter (tried once):") for p in found)


def test_unless_it_is_asked_for_nothing_is_tried_again(strengths):
    with pytest.raises(PoolExhausted, match="All 8 candidates have been tried"):
        GaussianProcessPlanner().propose(formulations(), once_each(strengths), [], 1, seed=1)


def test_while_something_new_is_left_nothing_is_tried_again(strengths):
    history = once_each(strengths)[:-1]

    assert [p.point["made"] for p in REPEATS.propose(formulations(), history, [], 1, seed=1)] == ["h"]


def test_results_that_never_differ_are_not_repeated_more_than_once(strengths):
    history = [*once_each(strengths), trial(9, "a", 10.0)]

    with pytest.raises(PoolExhausted, match="results that differ when they are repeated"):
        REPEATS.propose(formulations(), history, [], 1, seed=1)


def test_what_failed_or_broke_a_constraint_is_not_tried_again(strengths):
    problem = formulations(constraints=(OutcomeConstraint(name="cost", high=5.0),))
    history = [trial(t.number, t.point["made"], t.outcomes["strength"], cost=1.0) for t in once_each(strengths)]
    history[0] = trial(1, "a", 10.0, cost=9.0)
    history[5] = trial(6, "f", 0.0, TrialState.FAILED)
    history += [trial(9, "c", 9.5, cost=1.0)]

    found = REPEATS.propose(problem, history, [], 4, seed=1)

    assert not {p.point["made"] for p in found} & {"a", "f"}


def test_fewer_candidates_than_a_first_design_are_repeated_as_well():
    space = Space(parameters=(Categorical(name="made", levels=("a", "b")),))
    problem = Problem(space=space, objectives=(Objective(name="strength", goal=Goal.MAXIMIZE),))
    history = [trial(1, "a", 1.0), trial(2, "b", 1.1)]

    assert len(REPEATS.propose(problem, history, [], 1, seed=0)) == 1


def test_a_match_is_repeated_near_its_target(strengths):
    found = REPEATS.propose(formulations(Goal.MATCH, target=3.2), once_each(strengths), [], 1, seed=1)

    assert found[0].point["made"] in ("b", "g")


def test_of_several_objectives_nothing_is_tried_again(strengths):
    space = formulations().space
    problem = Problem(
        space=space, objectives=tuple(Objective(name=n, goal=Goal.MAXIMIZE) for n in ("strength", "life"))
    )
    history = [trial(t.number, t.point["made"], t.outcomes["strength"], life=1.0) for t in once_each(strengths)]

    with pytest.raises(PoolExhausted):
        REPEATS.propose(problem, history, [], 1, seed=1)


@pytest.mark.parametrize(("goal", "target"), [(Goal.MAXIMIZE, None), (Goal.MINIMIZE, None), (Goal.MATCH, 0.3)])
def test_the_gain_of_a_repeat_is_what_drawn_results_would_bring(goal, target):
    rng = np.random.default_rng(3)
    rows = rng.random((6, 2))
    space = Space(
        parameters=tuple(Continuous(name=n, low=0, high=1) for n in ("x", "y")),
        pool=Pool(columns={"x": rows[:, 0], "y": rows[:, 1]}),
    )
    problem = Problem(space=space, objectives=(Objective(name="z", goal=goal, target=target),))
    outcomes = np.sin(4 * rows[:, 0]) + rows[:, 1] + 0.3 * rng.standard_normal(6)
    history = [
        Trial(
            number=i,
            proposal=Proposal(point={"x": float(x), "y": float(y)}, source="t", reason=""),
            state=TrialState.OBSERVED,
            outcomes={"z": float(z)},
        )
        for i, ((x, y), z) in enumerate(zip(rows, outcomes, strict=True), start=1)
    ]
    process = learn(problem, history).outcomes["z"]
    encoded = Encoding.of(space).trials(history)

    def loss(z):
        return {Goal.MAXIMIZE: -z, Goal.MINIMIZE: z, Goal.MATCH: abs(z - (target or 0))}[goal]

    found = _gain(process, encoded, problem)

    mean, covariance = process.joint(encoded)
    for i in range(6):
        results = rng.normal(mean[i], np.sqrt(covariance[i, i] + process.noise), 40_000)
        moved = mean[:, None] + covariance[:, [i]] / (covariance[i, i] + process.noise) * (results - mean[i])
        assert found[i] == pytest.approx(loss(mean).min() - loss(moved).min(axis=0).mean(), abs=0.01)


def test_the_joint_covariance_has_the_variances_on_its_diagonal_and_bears_out_believing():
    history = once_each((10.0, 3.0, 9.8, 1.0, 2.0, 9.9, 4.0, 0.5))
    process, rows = (
        learn(formulations(), history).outcomes["strength"],
        Encoding.of(formulations().space).trials(history),
    )

    mean, covariance = process.joint(rows)

    expected, variance = process.predict(rows)
    assert mean == pytest.approx(expected)
    assert covariance.diagonal() == pytest.approx(variance)
    after = process.believing(rows[:1]).predict(rows)[1]
    taken = covariance[:, 0] ** 2 / (covariance[0, 0] + process.noise)
    assert after == pytest.approx(variance - taken, rel=1e-6)
