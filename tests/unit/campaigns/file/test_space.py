"""What a campaign file says of its space: compositions, descriptors, rules and context, and what is wrong with them."""

import copy
import math
from pathlib import Path

import pytest
import yaml

from labwright.campaigns.file import check_rules, parse_campaign
from labwright.core.errors import InvalidCampaign
from labwright.core.problem import ContextVariable
from labwright.core.restriction import Composition, LinearConstraint
from labwright.core.space import Categorical, Continuous

NAMES = ("Ni", "Co", "Mn", "heat", "time", "acid")
CAMPAIGN = {
    "name": "alloy",
    "space": {
        "alloy": {"kind": "composition", "parts": ["Ni", "Co", "Mn"], "total": "100 %", "at_most_parts": 2},
        "heat": {"kind": "continuous", "low": "20 degC", "high": "80 degC"},
        "time": {"kind": "discrete", "values": [1, 5, 10], "unit": "min"},
        "acid": {"kind": "categorical", "levels": {"HCl": {"pKa": -6, "mass": 36.5}, "HF": {"pKa": 3.2, "mass": 20}}},
    },
    "objectives": {"y": {"goal": "maximize"}},
    "rules": ["2*heat + 3*time <= 150", "rules.py:allowed"],
    "context": {"humidity": {"unit": "%"}},
    "procedure": [
        {
            "use": "bench.mix",
            "with": {name: f"${name}" for name in NAMES},
            "gives": {"y": "$y", "humidity": "$humidity"},
        }
    ],
    "resources": {"bench": {"kind": "function", "call": "bench.py:mix", "outputs": {"y": None, "humidity": "%"}}},
    "budget": {"trials": 10},
}


def read(change=lambda data: None, folder=Path()):
    data = copy.deepcopy(CAMPAIGN)
    change(data)
    return parse_campaign(yaml.safe_dump(data, sort_keys=False), folder / "campaign.yaml")


def space_of(**parts):
    return read(lambda data: data["space"].update(parts)).campaign.problem.space


def refusal(change):
    with pytest.raises(InvalidCampaign) as refused:
        read(change)
    return str(refused.value)


def test_a_composition_is_its_parts_and_what_they_sum_to():
    space = read().campaign.problem.space

    assert space.names == NAMES
    assert space["Ni"] == Continuous(name="Ni", low=0, high=100, unit="%")
    assert space.compositions == (
        Composition(name="alloy", parts=("Ni", "Co", "Mn"), total=100.0, unit="%", at_most_parts=2),
    )


def test_each_part_may_have_limits_in_any_unit():
    parts = {"Ni": {"low": 0.1, "high": "50 %"}, "Co": {}, "Mn": {"high": 2}}

    space = space_of(alloy={"kind": "composition", "parts": parts, "unit": "1", "at_least_parts": 2})

    assert [(p.low, p.high) for p in space.parameters[:3]] == [(0.1, 0.5), (0, 1), (0, 1)]
    assert space.compositions[0].at_least_parts == 2


def test_a_category_may_tell_what_its_levels_are_like():
    acid = read().campaign.problem.space["acid"]

    assert acid == Categorical(name="acid", levels=("HCl", "HF"), descriptors={"pKa": (-6, 3.2), "mass": (36.5, 20)})


def test_a_rule_is_a_sum_or_a_function_of_the_point(tmp_path):
    (tmp_path / "rules.py").write_text("def allowed(point):\n    return point['acid'] != 'HF' or point['heat'] < 50\n")
    point = {"Ni": 40, "Co": 60, "Mn": 0, "heat": 60, "time": 5, "acid": "HCl"}

    space = read(folder=tmp_path).campaign.problem.space

    assert space.linear == (LinearConstraint(coefficients={"heat": 2, "time": 3}, high=150),)
    assert space.problems(point) == []
    assert space.problems(point | {"acid": "HF"}) == ["the rule rules.py:allowed forbids it"]
    assert space.problems(point | {"heat": 70}) == ["2 heat + 3 time = 155 is not at most 150"]


@pytest.mark.parametrize(
    ("text", "coefficients", "low", "high"),
    [
        ("heat <= 50", {"heat": 1}, -math.inf, 50),
        ("50 >= heat", {"heat": 1}, -math.inf, 50),
        ("heat >= time", {"heat": 1, "time": -1}, 0, math.inf),
        ("30 <= heat", {"heat": 1}, 30, math.inf),
        ("1 <= heat/2 + time <= 5e1", {"heat": 0.5, "time": 1}, 1, 50),
        ("50 >= 0.5*heat - 3 time + 2 >= -1", {"heat": 0.5, "time": -3}, -3, 48),
        ("$heat + $heat * 2 - 10 <= time + 99", {"heat": 3, "time": -1}, -math.inf, 109),
        ("-heat <= -30", {"heat": -1}, -math.inf, -30),
        ("1e-1heat + 2E0 * time <= 1.5e1", {"heat": 0.1, "time": 2}, -math.inf, 15),
    ],
)
def test_a_sum_is_read_as_people_write_it(text, coefficients, low, high):
    space = read(lambda data: data.update(rules=[text])).campaign.problem.space

    (found,) = space.constraints
    assert dict(found.coefficients) == coefficients
    assert (found.low, found.high) == (low, high)


def test_what_cannot_be_chosen_and_may_matter_is_the_context():
    campaign = read().campaign

    assert campaign.problem.context == (ContextVariable(name="humidity", unit="%"),)
    assert campaign.problem.outcomes == ("y",)
    assert campaign.units == {"y": None, "humidity": "%"}


def alloy(**changes):
    return lambda data: data["space"]["alloy"].update(changes)


def rule(text):
    return lambda data: data.update(rules=["heat <= 70", text])


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (alloy(parts=["Ni"]), "space.alloy.parts", "at least 2"),
        (alloy(parts=["Ni", "Ni", "Co"]), "space.alloy", "two parts or more, each once"),
        (alloy(parts=["Ni", "Co", "heat"]), "space", "each name once"),
        (alloy(parts={"Ni": {"high": 10}, "Co": {"high": 20}}), "space.alloy", "sum to 0 to 30, so never to 100"),
        (alloy(parts={"Ni": {"low": -1}, "Co": {}}), "space.alloy", "never below 0"),
        (alloy(parts={"Ni": {"hihg": 1}, "Co": {}}), "space.alloy.parts.Ni.hihg", "Did you mean 'high'?"),
        (alloy(parts={"Ni": {"low": "2 mm"}, "Co": {}}), "space.alloy", "another dimension"),
        (alloy(at_most_parts=4), "space.alloy", "whole numbers from 1 to 3"),
        (alloy(at_least_parts=3), "space.alloy", "at least 3 and at most 2 of 3 parts"),
        (alloy(at_least_parts=0), "space.alloy.at_least_parts", "1"),
        (alloy(total=0), "space.alloy", "a number above 0"),
        (lambda data: data["space"]["acid"]["levels"]["HF"].pop("pKa"), "space.acid", "the level HF has no pKa"),
        (rule("heat = 50"), "rules.2", "only <= and >= can be kept"),
        (rule("heat < 50"), "rules.2", "only <= and >= can be kept"),
        (rule("heat * time <= 50"), "rules.2", "a sum of parameters"),
        (rule("heat <= 50 <= time <= 3"), "rules.2", "a sum of parameters"),
        (rule("warmth <= 50"), "rules.2", "warmth is no parameter"),
        (rule("acid + heat <= 50"), "rules.2", "words cannot be added"),
        (rule("heat <= 10"), "rules.2", "never, for within the space it is 20 to 80"),
        (rule("heat / 0 <= 10"), "rules.2", "nothing can be divided by 0"),
        (rule("heat - heat <= 10"), "rules.2", "one of them not 0"),
        (rule("5 <= 6"), "rules.2", "one of them not 0"),
        (rule(""), "rules.2", "a sum of parameters"),
        (lambda data: data["procedure"][0]["gives"].pop("humidity"), "context.humidity", "no step gives this outcome"),
        (lambda data: data["context"].update(y={}), "context.y", "it is an outcome"),
        (lambda data: data["procedure"][0]["with"].pop("Mn"), "space.alloy.parts.3", "no step uses this parameter"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change, place, words):
    found = refusal(change)

    assert f" {place}:" in found
    assert words in found


def test_a_function_that_is_not_there_is_found_before_anything_is_tried(tmp_path):
    (tmp_path / "rules.py").write_text("def alowed(point):\n    return True\n")
    file = read(folder=tmp_path)
    problems = file.problems()

    check_rules(file.campaign.problem.space, problems)

    with pytest.raises(InvalidCampaign, match=r"rules.2: .*has no function 'allowed'"):
        problems.raise_any()


@pytest.mark.parametrize(
    ("answer", "words"),
    [("None", "it answered None; True or False was expected"), ("point['x']", "raised KeyError"), ("1", "answered 1")],
)
def test_a_function_that_does_not_say_yes_forbids_the_point(tmp_path, answer, words):
    (tmp_path / "rules.py").write_text(f"def allowed(point):\n    return {answer}\n")
    point = {"Ni": 40, "Co": 60, "Mn": 0, "heat": 60, "time": 5, "acid": "HCl"}

    (problem,) = read(folder=tmp_path).campaign.problem.space.problems(point)

    assert problem.startswith("the rule rules.py:allowed raised")
    assert words in problem
