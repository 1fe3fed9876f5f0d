"""A source: what it may say, and what is left out of it."""

import math

import pytest

from labwright.core.errors import InvalidInput
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.source import Answer, Source
from labwright.core.space import Categorical, Continuous, Space

SPACE = Space(
    parameters=(
        Continuous(name="heat", low=20, high=80),
        Continuous(name="dose", low=1, high=100, log=True),
        Categorical(name="solvent", levels=("water", "ethanol")),
    )
)


def answer(heat=50.0, dose=10.0, solvent="water", **outcomes):
    return Answer(point={"heat": heat, "dose": dose, "solvent": solvent}, outcomes=outcomes or {"y": 1.0})


def problem(*sources):
    return Problem(space=SPACE, objectives=(Objective(name="y", goal=Goal.MAXIMIZE),), sources=sources)


def earlier(*answers):
    return Source(name="bench", answers=answers)


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ({"heat": 50.0, "dose": 10.0}, "answer 2: it says no solvent"),
        ({"heat": 50.0, "dose": 10.0, "solvent": "water", "time": 3.0}, "answer 2: 'time' is not a parameter"),
        ({"heat": math.inf, "dose": 10.0, "solvent": "water"}, "answer 2: heat is inf; a finite number was expected"),
        ({"heat": "warm", "dose": 10.0, "solvent": "water"}, "answer 2: heat is 'warm'; a finite number"),
    ],
)
def test_an_answer_about_another_space_is_refused_by_its_place(point, said):
    with pytest.raises(InvalidInput, match=r"The source 'bench', ") as refused:
        problem(earlier(answer(), Answer(point=point, outcomes={"y": 1.0})))

    assert said in str(refused.value)


def test_an_outcome_that_is_no_finite_number_is_refused():
    with pytest.raises(InvalidInput, match="'bench', answer 1: y is nan; a finite number was expected"):
        problem(earlier(answer(y=math.nan)))


def test_a_source_that_knows_nothing_that_is_wanted_is_refused_and_one_that_knows_some_is_not():
    with pytest.raises(InvalidInput, match="knows none of the outcomes that are wanted: y"):
        problem(earlier(answer(z=2.0)))

    assert problem(earlier(answer(z=2.0), answer(y=1.0, z=2.0))).sources


def test_sources_have_names_of_their_own():
    with pytest.raises(InvalidInput, match="name of its own; found bench, bench"):
        problem(earlier(answer()), earlier(answer()))


@pytest.mark.parametrize("cost", [0.0, 1.0, -0.1, math.nan])
def test_asking_costs_less_than_a_trial_and_more_than_nothing(cost):
    with pytest.raises(InvalidInput, match="a fraction above 0 and below 1 was expected"):
        Source(name="twin", ask=lambda point: {"y": 1.0}, cost=cost)


def test_what_can_be_asked_has_a_cost_and_nothing_else_has():
    with pytest.raises(InvalidInput, match="needs a cost when, and only when, it can be asked"):
        Source(name="twin", ask=lambda point: {"y": 1.0})
    with pytest.raises(InvalidInput, match="needs a cost when, and only when, it can be asked"):
        Source(name="bench", answers=(answer(),), cost=0.1)
    with pytest.raises(InvalidInput, match="knows nothing and cannot be asked"):
        Source(name="bench")


def test_numbers_outside_the_space_are_used_and_words_that_are_no_level_are_left_out():
    source = earlier(answer(heat=95.0), answer(solvent="hexane"), answer(dose=-1.0), answer())

    assert source.usable(SPACE) == (answer(heat=95.0), answer())
    assert source.left_out(SPACE) == (
        "2 of 4 answers are left out, as the first of them: solvent is 'hexane', not one of water, ethanol"
    )
    assert earlier(answer()).left_out(SPACE) is None
