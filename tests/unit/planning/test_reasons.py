"""Why a point was chosen, in words and numbers."""

import math
import re
from dataclasses import replace

import pytest

from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Categorical, Continuous, Space
from labwright.core.states import TrialState
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.reasons import RESULT, _belief, _intent, chance, differences
from labwright.storage.records import proposal_from, proposal_record

SPACE = Space(
    parameters=(
        Continuous(name="heat", low=0, high=100, unit="degC"),
        Categorical(name="solvent", levels=("water", "ethanol")),
    )
)
PROBLEM = Problem(space=SPACE, objectives=(Objective(name="yield", goal=Goal.MAXIMIZE, unit="%"),))
LIMITED = replace(
    PROBLEM, constraints=(OutcomeConstraint(name="cost", high=5), OutcomeConstraint(name="purity", low=90))
)


def soup(point):
    ethanol = point["solvent"] == "ethanol"
    found = 80 - (point["heat"] - 60) ** 2 / 50 + 5 * ethanol
    return {"yield": found, "cost": 2 + point["heat"] / 20, "purity": 99 - 4 * ethanol}


def test_it_tells_what_it_expects_against_the_best_and_how_the_point_differs(play):
    last = play(GaussianProcessPlanner(), PROBLEM, soup, 12)[-1].proposal

    assert re.match(r"(refining|exploring|mostly to learn): yield expected ", last.reason)
    assert " %, best so far " in last.reason
    assert "better with probability" in last.reason
    assert "as trial " in last.reason
    assert " → " in last.reason
    assert len(last.reason) < 250


@pytest.mark.parametrize(
    ("better", "sd", "word"),
    [(0.6, 3.0, "refining"), (0.3, 0.5, "refining"), (0.3, 3.0, "exploring"), (0.1, 3.0, "mostly to learn")],
)
def test_a_gain_is_expected_or_possible_or_it_is_for_knowledge(better, sd, word):
    assert _intent(better, sd, noise=1.0) == word


def test_it_names_the_constraint_that_threatens(play):
    last = play(GaussianProcessPlanner(), LIMITED, soup, 14)[-1].proposal

    chances = last.grounds["feasible"]
    assert set(chances) == {"cost", "purity"}
    least = min(chances, key=chances.get)
    assert f"the least sure is {least} " in last.reason
    assert last.p_feasible == pytest.approx(math.prod(chances.values()), rel=0.01)


def test_before_anything_was_feasible_it_says_so(play):
    strict = replace(PROBLEM, constraints=(OutcomeConstraint(name="yield", low=1000),))
    last = play(GaussianProcessPlanner(), strict, soup, 7)[-1].proposal

    assert last.reason.startswith("no trial has satisfied every constraint yet: ")
    assert "gain" not in last.grounds
    assert "left" not in last.grounds


def test_where_trials_failed_the_chance_of_a_result_is_among_its_grounds(play):
    history = play(GaussianProcessPlanner(), PROBLEM, lambda p: None if p["heat"] > 70 else soup(p), 12)

    assert TrialState.FAILED in {t.state for t in history}
    assert RESULT in history[-1].proposal.grounds["feasible"]


def test_what_matters_stands_among_its_grounds(play):
    matters = play(GaussianProcessPlanner(), PROBLEM, soup, 12)[-1].proposal.grounds["matters"]

    assert sum(matters.values()) == pytest.approx(1, abs=0.01)
    assert matters["heat"] > matters["solvent"]


def test_what_differs_is_told_with_what_matters_first():
    changed = differences(
        PROBLEM,
        {"heat": 20.0, "solvent": "water"},
        {"heat": 25.0, "solvent": "ethanol"},
        {"heat": 0.2, "solvent": 0.8},
    )

    assert changed == ["solvent water → ethanol", "heat 20 → 25 degC"]


def test_what_differs_is_rounded_as_a_suggestion_is():
    def changed(before, now):
        points = [{"heat": heat, "solvent": "water"} for heat in (before, now)]
        return differences(PROBLEM, *points, {"heat": 1.0})

    assert changed(20.0, 25.13789) == ["heat 20 → 25.1 degC"]
    assert changed(20.0, 20.00123) == ["heat 20 → 20.0012 degC"]


@pytest.mark.parametrize(
    ("probability", "words"),
    [(1.0, "more than 0.99"), (0.9951, "more than 0.99"), (0.994, "more than 0.99"), (0.99, "0.99"), (0.5, "0.5")],
)
def test_no_probability_is_said_to_be_one_or_nothing(probability, words):
    assert chance(probability) == words
    assert chance(0.01) == "0.01"
    assert chance(0.0) == chance(0.0048) == "less than 0.01"


@pytest.mark.parametrize(
    ("density", "power", "words"),
    [
        (0.7, 0.5, ["as people believe"]),
        (0.56, 0.5, []),
        (0.56, 0.15, []),
        (0.3, 0.5, ["though people believe otherwise"]),
        (0.9, 0.05, []),
    ],
)
def test_only_a_point_near_what_people_believe_is_said_to_be_so(density, power, words):
    assert _belief({"belief": {"density": density, "power": power}}) == words


def test_a_proposal_is_read_back_as_it_was_and_an_old_one_without_grounds(play):
    last = play(GaussianProcessPlanner(), LIMITED, soup, 9)[-1].proposal
    old = {key: value for key, value in proposal_record(last).items() if key != "grounds"}

    assert proposal_from(proposal_record(last)) == last
    assert proposal_from(old) == replace(last, grounds={})
