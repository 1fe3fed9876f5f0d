"""Proposals that are made together, or while others run."""

from itertools import combinations

import numpy as np
import pytest

from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Categorical, Continuous, Pool, Space
from labwright.core.states import TrialState
from labwright.core.trial import Trial
from labwright.planning.encoding import Encoding
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.model import learn

PLANNER = GaussianProcessPlanner()
HEAT = Continuous(name="heat", low=20, high=80)
EQUIVALENTS = Continuous(name="equivalents", low=1, high=2)
YIELD = (Objective(name="yield", goal=Goal.MAXIMIZE),)
SOLVENT = Categorical(name="solvent", levels=("THF", "DMF"))
PROBLEM = Problem(space=Space(parameters=(HEAT, EQUIVALENTS, SOLVENT)), objectives=YIELD)


def measure(point):
    """The hotter the better, a little of the equivalents, and one solvent."""
    bonus = 10 if point["solvent"] == "THF" else 0
    return float(point["heat"] / 2 + 20 * point["equivalents"] - 6 * point["equivalents"] ** 2 + bonus)


@pytest.fixture
def history(play):
    return play(PLANNER, PROBLEM, lambda point: {"yield": measure(point)}, 20)


def apart(one, other):
    """Whether two points differ by a twentieth of a range, or in the solvent."""
    heat, equivalents = abs(one["heat"] - other["heat"]) / 60, abs(one["equivalents"] - other["equivalents"])
    return one["solvent"] != other["solvent"] or max(heat, equivalents) >= 0.05


def test_eight_at_once_are_eight_different_experiments(history):
    batch = PLANNER.propose(PROBLEM, history, [], 8, seed=1)

    assert all(apart(one.point, other.point) for one, other in combinations(batch, 2))


def test_what_runs_is_kept_away_from(history):
    first = PLANNER.propose(PROBLEM, history, [], 4, seed=1)
    running = [Trial(number=21 + i, proposal=p, state=TrialState.RUNNING) for i, p in enumerate(first)]

    batch = PLANNER.propose(PROBLEM, history, running, 4, seed=1)

    assert all(apart(trial.point, proposal.point) for trial in running for proposal in batch)


def test_candidates_near_each_other_are_not_tried_together(observed):
    heats = np.concatenate([np.linspace(79, 80, 50), np.linspace(20, 70, 11)])
    space = Space(parameters=(HEAT,), pool=Pool(columns={"heat": tuple(float(h) for h in heats)}))
    problem = Problem(space=space, objectives=YIELD)
    history = [observed(i, {"heat": h}, **{"yield": h}) for i, h in enumerate((20.0, 30.0, 40.0, 50.0, 60.0), 1)]

    batch = PLANNER.propose(problem, history, [], 3, seed=1)

    assert sorted(p.point["heat"] > 78 for p in batch) == [False, False, True]


def test_where_all_that_is_left_is_near_the_best_of_it_is_tried(observed):
    space = Space(parameters=(HEAT,), pool=Pool(columns={"heat": (20.0, 79.0, 79.1, 79.2, 79.3)}))
    problem = Problem(space=space, objectives=YIELD)

    batch = PLANNER.propose(problem, [observed(1, {"heat": 20.0}, **{"yield": 1.0})], [], 4, seed=1)

    assert sorted(p.point["heat"] for p in batch) == [79.0, 79.1, 79.2, 79.3]


def test_what_is_expected_of_a_point_rests_on_measurements_only(history):
    """Who believes that those before it turn out as expected would be too sure of it."""
    model = learn(PROBLEM, history)

    for proposal in PLANNER.propose(PROBLEM, history, [], 8, seed=1):
        row = Encoding.of(PROBLEM.space).points([proposal.point])
        assert proposal.predictions == model.predictions(row)
