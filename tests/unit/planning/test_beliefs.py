"""What people believe: it saves experiments where they are right, and is overruled where they are wrong."""

from dataclasses import replace

import numpy as np
import pytest

from labwright.core.belief import Belief
from labwright.core.errors import InvalidInput
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Categorical, Continuous, Discrete, Space
from labwright.planning.beliefs import FLOOR, log_belief, pull
from labwright.planning.encoding import Encoding
from labwright.planning.gp import GaussianProcessPlanner

SPACE = Space(
    parameters=(
        Continuous(name="heat", low=20, high=80, unit="degC"),
        Continuous(name="dose", low=1, high=1000, log=True),
        Discrete(name="turns", values=(1.0, 2.0, 5.0)),
        Categorical(name="solvent", levels=("water", "ethanol", "hexane", "toluene")),
    )
)
PROBLEM = Problem(space=SPACE, objectives=(Objective(name="y", goal=Goal.MAXIMIZE),))
RIGHT = (Belief(parameter="heat", near=60, within=5), Belief(parameter="solvent", likely={"ethanol": 0.7}))
WRONG = (Belief(parameter="heat", near=25, within=5), Belief(parameter="solvent", likely={"hexane": 0.9}))


def worth(point):
    solvent = {"water": 1, "ethanol": 3, "hexane": 0, "toluene": 2}[point["solvent"]]
    return {"y": solvent - ((point["heat"] - 62) / 20) ** 2 - (np.log10(point["dose"]) - 1.5) ** 2}


def believing(*beliefs):
    return replace(PROBLEM, beliefs=beliefs)


def needed(play, beliefs, seed):
    history = play(GaussianProcessPlanner(), believing(*beliefs), worth, 30, seed=seed)
    return next((t.number for t in history if t.outcomes["y"] > 2.8), 31)


def test_a_right_belief_saves_experiments_and_a_wrong_one_recovers(play):
    none, right, wrong = (np.mean([needed(play, b, s) for s in range(6)]) for b in ((), RIGHT, WRONG))

    assert right < 0.7 * none
    assert wrong < 2 * none
    assert wrong < 31


def density(belief, **point):
    row = Encoding.of(SPACE).points([{"heat": 50, "dose": 10, "turns": 2.0, "solvent": "water"} | point])
    return np.exp(log_belief(SPACE, [belief], row)[0])


def test_a_number_is_the_likelier_the_nearer_it_is():
    near = Belief(parameter="heat", near=60, within=5)

    assert density(near, heat=60) == pytest.approx(1)
    assert density(near, heat=65) == pytest.approx(np.exp(-0.5), abs=0.01)
    assert density(near, heat=55) == pytest.approx(density(near, heat=65))


def test_nothing_is_impossible():
    assert density(Belief(parameter="heat", near=60, within=1), heat=20) == pytest.approx(FLOOR)
    assert density(Belief(parameter="solvent", likely={"ethanol": 1.0})) == pytest.approx(FLOOR)


def test_a_logarithmic_parameter_is_believed_in_ratios():
    belief = Belief(parameter="dose", near=10, within=10)

    assert density(belief, dose=20) == pytest.approx(density(belief, dose=5))


def test_words_that_are_not_named_share_what_is_left():
    belief = Belief(parameter="solvent", likely={"ethanol": 0.7})

    assert density(belief, solvent="water") == pytest.approx(0.1 / 0.7, abs=0.01)


def test_twice_the_weight_counts_as_two_who_say_the_same():
    once, twice = (Belief(parameter="heat", near=60, within=5, weight=weight) for weight in (1, 2))

    assert density(twice, heat=70) == pytest.approx(density(once, heat=70) ** 2)


def test_what_is_measured_overrules_it_in_time():
    assert pull(1) == 10 * pull(10) == 100 * pull(100)


def test_the_first_design_begins_where_the_best_is_believed_and_stays_even_in_part(play):
    believed, even = (play(GaussianProcessPlanner(), believing(*beliefs), worth, 6, seed=4) for beliefs in (RIGHT, ()))

    assert believed[0].point["heat"] == 60
    assert believed[0].point["solvent"] == "ethanol"
    assert abs(believed[2].point["heat"] - 60) < 20
    assert [t.point for t in believed[1:5:2]] == [t.point for t in even[1:5:2]]
    assert "people believe" in believed[2].proposal.reason


def test_the_same_seed_draws_the_same_design(play):
    first, again, other = (
        [t.point for t in play(GaussianProcessPlanner(), believing(*RIGHT), worth, 8, seed=seed)] for seed in (4, 4, 5)
    )

    assert first == again
    assert first != other


def test_a_proposal_says_how_much_the_beliefs_counted(play):
    last = play(GaussianProcessPlanner(), believing(*RIGHT), worth, 9)[-1].proposal

    assert last.grounds["belief"]["power"] == pytest.approx(pull(8))
    assert 0 < last.grounds["belief"]["density"] <= 1
    assert "people believe" in last.reason


@pytest.mark.parametrize(
    ("belief", "problem"),
    [
        ({"parameter": "heat", "near": 90.0, "within": 5.0}, "near 90 cannot be chosen: heat goes from 20 to 80"),
        ({"parameter": "cold", "near": 60.0, "within": 5.0}, "no parameter is named 'cold'"),
        ({"parameter": "heat", "likely": {"60": 0.5}}, "heat is a number; say near and within"),
        ({"parameter": "solvent", "near": 1.0, "within": 1.0}, "solvent is a word; say likely"),
        ({"parameter": "solvent", "likely": {"beer": 0.5}}, "solvent cannot be 'beer'; it is one of water"),
        ({"parameter": "solvent", "likely": {"water": 0.8, "ethanol": 0.4}}, "sum to at most 1"),
        ({"parameter": "heat", "near": 60.0}, "either near and within, or likely"),
        ({"parameter": "heat"}, "either near and within, or likely"),
        ({"parameter": "heat", "near": 60.0, "within": 0.0}, "within 0.0 must be a finite number above 0"),
        (
            {"parameter": "heat", "near": 60.0, "within": 5.0, "weight": -1.0},
            "weight -1.0 must be a finite number above 0",
        ),
    ],
)
def test_a_belief_that_cannot_be_meant_is_refused(belief, problem):
    with pytest.raises(InvalidInput, match=problem):
        Belief(**belief).check(SPACE)
