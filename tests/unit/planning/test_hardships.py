"""What was once found to stop the planner, or to make it propose what it must not."""

import numpy as np
import pytest

from labwright.core.errors import InvalidInput, PoolExhausted
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.restriction import Composition, LinearConstraint, Rule
from labwright.core.space import Continuous, Discrete, Pool, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.sampling import SamplingPlanner

DUSTY = 0.1 + 0.2  # 0.30000000000000004


def objectives(*names):
    return tuple(Objective(name=name, goal=Goal.MAXIMIZE) for name in names)


def unit(name):
    return Continuous(name=name, low=0, high=1)


def ended(number, point, state, **outcomes):
    proposal = Proposal(point=point, source="test", reason="a test")
    return Trial(number=number, proposal=proposal, state=state, outcomes=outcomes)


@pytest.mark.parametrize("seed", range(3))
def test_a_front_of_mixtures_is_played_to_its_end(play, seed):
    mixture = Composition(name="mixture", parts=("a", "b", "c"))
    space = Space(parameters=(unit("a"), unit("b"), unit("c")), compositions=(mixture,))
    problem = Problem(space=space, objectives=objectives("y", "z"))

    trials = play(GaussianProcessPlanner(), problem, lambda p: {"y": p["a"], "z": p["b"]}, 9, seed=seed)

    assert len(trials) == 9


@pytest.mark.parametrize("planner", [GaussianProcessPlanner(), SamplingPlanner()])
@pytest.mark.parametrize("state", [TrialState.RUNNING, TrialState.FAILED])
@pytest.mark.parametrize("form", ["levels", "pool", "pool with dust"])
def test_what_was_tried_is_known_again_through_the_dust_of_a_conversion(planner, state, form, observed):
    tried = 0.3 if form == "pool with dust" else DUSTY
    parameter = Discrete(name="x", values=(0.1, 0.2, 0.3, 0.4)) if form == "levels" else unit("x")
    listed = (0.1, 0.2, DUSTY, 0.4) if form == "pool with dust" else (0.1, 0.2, 0.3, 0.4)
    pool = None if form == "levels" else Pool(columns={"x": listed})
    problem = Problem(space=Space(parameters=(parameter,), pool=pool), objectives=objectives("y"))
    history, pending = [observed(1, {"x": 0.1}, y=1.0)], []
    (pending if state is TrialState.RUNNING else history).append(ended(2, {"x": tried}, state))

    batch = planner.propose(problem, history, pending, 4, seed=1)

    assert sorted(p.point["x"] for p in batch) == [0.2, 0.4]


def test_in_a_range_too(observed):
    problem = Problem(space=Space(parameters=(unit("x"),)), objectives=objectives("y"))
    history = [observed(i, {"x": i / 10}, y=-abs(i / 10 - 0.5)) for i in range(1, 9)]
    [first] = GaussianProcessPlanner().propose(problem, history, [], 1, seed=1)
    same = {"x": float(np.nextafter(first.point["x"], 1))}

    [second] = GaussianProcessPlanner().propose(problem, [*history, ended(9, same, TrialState.FAILED)], [], 1, seed=1)

    assert abs(second.point["x"] - first.point["x"]) > 1e-9


@pytest.mark.parametrize("factor", [1.0, -2.0])
def test_an_equality_written_as_two_constraints_is_one(play, factor):
    least = LinearConstraint(coefficients={"a": 1.0, "b": 1.0}, low=1.0)
    terms = {"a": factor, "b": factor}
    most = (
        LinearConstraint(coefficients=terms, high=factor)
        if factor > 0
        else LinearConstraint(coefficients=terms, low=factor)
    )
    space = Space(parameters=(unit("a"), unit("b")), constraints=(least, most))
    problem = Problem(space=space, objectives=objectives("y"))

    trials = play(GaussianProcessPlanner(), problem, lambda p: {"y": -((p["a"] - 0.3) ** 2)}, 12)

    assert all(t.point["a"] + t.point["b"] == pytest.approx(1.0) for t in trials)
    assert max(t.outcomes["y"] for t in trials) > -1e-3


@pytest.mark.parametrize("planner", [GaussianProcessPlanner(), SamplingPlanner()])
def test_a_small_region_that_was_found_once_is_searched_further(play, planner):
    def inside(point):
        return abs(point["a"] - 0.5) < 0.02 and abs(point["b"] - 0.5) < 0.02

    space = Space(parameters=(unit("a"), unit("b")), constraints=(Rule(name="small", holds=inside),))
    problem = Problem(space=space, objectives=objectives("y"))

    trials = play(planner, problem, lambda p: {"y": p["a"]}, 12)

    assert all(inside(t.point) for t in trials)


def test_what_is_far_outside_the_range_stops_nothing(observed):
    problem = Problem(space=Space(parameters=(Continuous(name="T", low=20, high=80),)), objectives=objectives("y"))
    history = [observed(i, {"T": t}, y=float(i)) for i, t in enumerate((20.0, 40.0, 1e155, -1e300, 60.0, 80.0))]

    [proposal] = GaussianProcessPlanner().propose(problem, history, [], 1, seed=1)

    assert np.isfinite(proposal.predictions["y"].mean)


def test_a_number_without_a_logarithm_is_named(observed):
    dose = Continuous(name="dose", low=1e-3, high=1, log=True)
    problem = Problem(space=Space(parameters=(dose,)), objectives=objectives("y"))
    history = [observed(i, {"dose": d}, y=1.0) for i, d in enumerate((0.1, 0.0, 0.2, 0.3, 0.4))]

    with pytest.raises(InvalidInput, match="dose: found 0, expected more than 0"):
        GaussianProcessPlanner().propose(problem, history, [], 1, seed=1)


def test_a_rule_is_asked_once_of_each_candidate():
    asked = []

    def rare(point):
        asked.append(point["x"])
        return point["x"] % 50 == 0

    pool = Pool(columns={"x": tuple(float(x) for x in range(1, 201))})
    parameter = Continuous(name="x", low=1, high=200)
    space = Space(parameters=(parameter,), pool=pool, constraints=(Rule(name="rare", holds=rare),))
    problem = Problem(space=space, objectives=objectives("y"))

    chosen = SamplingPlanner().propose(problem, [], [], 4, seed=1)

    assert sorted(p.point["x"] for p in chosen) == [50, 100, 150, 200]
    assert len(asked) == len(set(asked))
    with pytest.raises(PoolExhausted):
        SamplingPlanner().propose(
            problem, [], [ended(i, p.point, TrialState.RUNNING) for i, p in enumerate(chosen)], 1, seed=1
        )
