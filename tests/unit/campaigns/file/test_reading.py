"""Reading a campaign file: whatever stands in it, it is read whole or refused with its lines."""

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from labwright.campaigns.file import parse_campaign
from labwright.core.errors import InvalidCampaign, InvalidInput
from labwright.core.problem import Aim, Desirability
from labwright.core.procedure import Constant, Reference
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal

CAMPAIGN = {
    "name": "study",
    "question": "Why?",
    "space": {
        "x": {"kind": "continuous", "low": 1, "high": "20 mm", "unit": "mm", "log": True},
        "n": {"kind": "discrete", "values": [6, 8, 10]},
        "o": {"kind": "ordinal", "levels": ["low", "high"]},
        "c": {"kind": "categorical", "levels": ["water", 2]},
    },
    "objectives": {"y": {"goal": "match", "target": "3 kJ", "unit": "J"}},
    "constraints": {"z": {"at_least": 0, "at_most": "45 degC", "unit": "K"}},
    "procedure": [
        {"use": "bench.mix", "with": {"x": "$x", "n": "$n", "t": "25 degC", "s": "slow"}, "gives": {"m": "$mass"}},
        {"use": "bench.heat", "with": {"m": "$m", "o": "$o", "c": "$c"}, "gives": {"y": "$energy", "z": "$peak"}},
    ],
    "resources": {"bench": {"kind": "function", "call": "bench.py:mix", "outputs": {"mass": "g"}}},
    "budget": {"trials": 10},
    "planner": {"kind": "gp", "seed": 3, "initial": 5},
    "safety": {"limits": {"bench.mix.x": {"low": 0, "high": "1 cm", "unit": "mm"}}},
}


def read(data):
    return parse_campaign(yaml.safe_dump(data, sort_keys=False), Path("campaign.yaml")).campaign


def test_everything_that_a_file_may_say_is_read():
    campaign = read(CAMPAIGN)

    assert campaign.problem.space.parameters == (
        Continuous(name="x", low=1, high=20, unit="mm", log=True),
        Discrete(name="n", values=(6.0, 8.0, 10.0)),
        Ordinal(name="o", levels=("low", "high")),
        Categorical(name="c", levels=("water", "2")),
    )
    assert campaign.problem.objective.target == 3000
    assert campaign.problem.constraints[0].high == pytest.approx(318.15)
    assert campaign.procedure[0].inputs == {
        "x": Reference(name="x"),
        "n": Reference(name="n"),
        "t": Constant(value=25.0, unit="degC"),
        "s": Constant(value="slow"),
    }
    assert campaign.limits["bench.mix.x"].high == 10
    assert (campaign.seed, campaign.trials, dict(campaign.planner.options)) == (3, 10, {"initial": 5})


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("space", "c", "levels"), ["a", True], "it is read as true or false; write a word in quotes"),
        (("space", "x", "low"), ".nan", "expected a number|is not a number|finite"),
        (("space", "x", "log"), "maybe", "space.x.log: found 'maybe'"),
        (("space", "x", "low"), 0, "must be above 0"),
        (("planner", "seed"), -1, "planner.seed: found -1"),
        (("planner", "seed"), True, "read as true or false"),
        (("budget", "trials"), True, "read as true or false"),
        (("procedure", 0, "with", "t"), False, "read as true or false"),
        (("planner", "initial"), 0, "planner.initial: found 0"),
        (("budget", "trials"), 1.5, "budget.trials: found 1.5"),
        (("constraints", "z"), {}, "needs at_least, at_most or both"),
        (("constraints", "y"), {"at_least": 1, "unit": "kJ"}, "the objective of that name has 'J'"),
        (("objectives", "y", "goal"), "minimize", "when, and only when, the goal is to match"),
        (("procedure",), [], "procedure: found"),
        (("resources",), {}, "resources: found"),
        (("safety", "limits"), "none", "safety.limits"),
        (("procedure", 0, "gives"), {"x": "$mass"}, "already taken"),
    ],
)
def test_what_makes_no_sense_is_named(path, value, words):
    data = copy.deepcopy(CAMPAIGN)
    part = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value

    with pytest.raises(InvalidCampaign, match=words):
        read(data)


junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["$x", "$", "25 degC", "1e400", "nan", "x.y", "kg", [], {}, [[]], {"kind": "gp"}, {"kind": 3}]),
)


def places(data, path=()):
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([p for p in places(CAMPAIGN) if p]), junk, st.booleans())
def test_junk_anywhere_is_read_or_refused_but_never_a_crash(path, value, as_key):
    data = copy.deepcopy(CAMPAIGN)
    part = data
    for key in path[:-1]:
        part = part[key]
    if as_key and isinstance(part, dict):
        part[str(value)] = part.pop(path[-1])
    else:
        part[path[-1]] = value

    try:
        read(data)
    except InvalidInput as error:
        assert "line " in str(error)


def with_objectives(**objectives):
    data = copy.deepcopy(CAMPAIGN)
    data["objectives"] = objectives
    data["procedure"][1]["gives"] = {"z": "$peak", **dict.fromkeys(objectives, "$energy")}
    return data


def test_how_several_objectives_are_weighed_is_read_with_its_units():
    wish = {"worst": "3 kJ", "best": 500, "weight": 2, "shape": 0.5}
    data = with_objectives(
        y={"goal": "minimize", "unit": "J", "desirability": wish},
        w={"goal": "match", "target": "7 J", "desirability": {"worst": 9}},
    )

    problem = read(data).problem

    assert problem.aim is Aim.DESIRABILITY
    assert problem.objectives[0].desirability == Desirability(worst=3000, best=500, weight=2, shape=0.5)
    assert problem.objectives[1].desirability == Desirability(worst=9)


def test_what_bounds_a_front_is_read_with_its_unit():
    data = with_objectives(y={"goal": "minimize", "unit": "J", "worst": "3 kJ"}, w={"goal": "maximize"})

    problem = read(data).problem

    assert problem.aim is Aim.FRONT
    assert [o.worst for o in problem.objectives] == [3000, None]


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        (
            {"y": {"goal": "minimize", "desirability": {"worst": 1, "best": 3}}},
            "objectives.y: the desirability goes from",
        ),
        ({"y": {"goal": "minimize", "desirability": {"worst": 3, "best": 1, "weight": -1}}}, "weight"),
        ({"y": {"goal": "minimize", "desirability": {"worst": 3, "best": 1, "wait": 1}}}, "weight"),
        ({"y": {"goal": "minimize", "worst": 3}}, "objectives: y: worst bounds a front"),
        (
            {"y": {"goal": "minimize", "desirability": {"worst": 3, "best": 1}}, "w": {"goal": "maximize"}},
            "objectives: y has a desirability and w has none. Give every objective one",
        ),
        ({"y": {"goal": "minimize", "unit": "J", "worst": "3 K"}, "w": {"goal": "maximize"}}, "objectives.y"),
    ],
)
def test_objectives_that_do_not_fit_together_are_refused_with_their_line(objectives, said):
    with pytest.raises(InvalidCampaign) as caught:
        read(with_objectives(**objectives))

    assert said in str(caught.value)
    assert "line " in str(caught.value)
