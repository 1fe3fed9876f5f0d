"""What a campaign file says of beliefs and of stopping."""

import copy
from pathlib import Path

import pytest
import yaml

from labwright.campaigns.file import parse_campaign
from labwright.core.belief import Belief
from labwright.core.campaign import StopRule
from labwright.core.errors import InvalidCampaign

CAMPAIGN = {
    "name": "study",
    "space": {
        "x": {"kind": "continuous", "low": 0, "high": 80, "unit": "degC"},
        "c": {"kind": "categorical", "levels": ["water", "ethanol", 2]},
    },
    "objectives": {"y": {"goal": "maximize", "unit": "g"}},
    "procedure": [{"use": "bench.mix", "with": {"x": "$x", "c": "$c"}, "gives": {"y": "$y", "z": "$z"}}],
    "resources": {"bench": {"kind": "function", "call": "bench.py:mix", "outputs": {"y": "g", "z": "g"}}},
    "budget": {"trials": 10},
    "planner": {"kind": "gp"},
}


def text(beliefs=None, stop=None, **parts):
    data = copy.deepcopy(CAMPAIGN) | parts
    if beliefs is not None:
        data["planner"] = data["planner"] | {"beliefs": beliefs}
    if stop is not None:
        data["stop"] = stop
    return yaml.safe_dump(data, sort_keys=False)


def read(**said):
    return parse_campaign(text(**said), Path("campaign.yaml")).campaign


def refusal(**said):
    with pytest.raises(InvalidCampaign) as refused:
        read(**said)
    return str(refused.value)


def test_beliefs_are_read_in_the_units_of_the_space():
    campaign = read(
        beliefs=[
            {"parameter": "x", "near": "333.15 K", "within": "5 K", "weight": 2},
            {"parameter": "c", "likely": {"ethanol": 0.7, 2: 0.2}},
        ]
    )

    near, likely = campaign.problem.beliefs
    assert near == Belief(parameter="x", near=near.near, within=5.0, weight=2)
    assert near.near == pytest.approx(60)
    assert likely == Belief(parameter="c", likely={"ethanol": 0.7, "2": 0.2})
    assert campaign.planner.options == {}


@pytest.mark.parametrize(
    ("beliefs", "problem"),
    [
        ([{"parameter": "w", "near": 1, "within": 1}], "planner.beliefs.1: no parameter is named 'w'"),
        ([{"parameter": "x", "near": "6 bar", "within": 1}], "'bar' cannot be converted to 'degC'"),
        ([{"parameter": "x", "near": 90, "within": 5}], "near 90 cannot be chosen: x goes from 0 to 80"),
        ([{"parameter": "x", "near": 60, "whithin": 5}], "unknown key. Did you mean 'within'?"),
        ([{"parameter": "c", "likely": {"beer": 1}}], "c cannot be 'beer'; it is one of water, ethanol, 2"),
        ([{"parameter": "x", "near": n, "within": 5} for n in (20, 60)], "beliefs.2: x has 2 beliefs"),
    ],
)
def test_a_belief_that_does_not_fit_the_space_is_refused_with_its_place(beliefs, problem):
    assert problem in refusal(beliefs=beliefs)


def test_a_planner_that_does_not_learn_takes_neither_beliefs_nor_a_stop():
    said = refusal(
        beliefs=[{"parameter": "x", "near": 60, "within": 5}],
        stop={"when_gain_below": "0.5 noise"},
        planner={"kind": "sampling"},
    )

    assert said.count("the planner 'sampling' takes no account of it") == 2


@pytest.mark.parametrize(
    ("gain", "rule"),
    [
        ("0.5 noise", StopRule(gain=0.5, of_noise=True, unit="g", not_before=20)),
        ("20 mg", StopRule(gain=pytest.approx(0.02), unit="g", not_before=20)),
        (0.02, StopRule(gain=0.02, unit="g", not_before=20)),
    ],
)
def test_a_stop_is_given_in_noise_or_in_the_unit_of_the_objective(gain, rule):
    assert read(stop={"when_gain_below": gain, "not_before": 20}).stop == rule


def test_a_stop_says_what_it_waits_for():
    assert [str(read(stop={"when_gain_below": g}).stop) for g in ("0.5 noise", "20 mg")] == ["0.5 noise", "0.02 g"]


def test_without_it_only_the_budget_ends_a_campaign():
    assert read().stop is None


@pytest.mark.parametrize(
    ("stop", "problem"),
    [
        ({"when_gain_below": "0.5 nois"}, "'nois' is not a unit"),
        ({"when_gain_below": "5 s"}, "'s' cannot be converted to 'g'"),
        ({"when_gain_below": "0 noise"}, "expected a gain above 0"),
        ({"when_gain_below": -1}, "expected a gain above 0"),
        ({}, "this key is missing"),
    ],
)
def test_a_stop_that_cannot_be_meant_is_refused(stop, problem):
    assert problem in refusal(stop=stop)


@pytest.mark.parametrize("gain", ["5 %", "0.1 mm"])
def test_a_stop_in_a_unit_is_refused_where_the_objective_has_none(gain):
    said = refusal(stop={"when_gain_below": gain}, objectives={"y": {"goal": "maximize"}})

    assert f"stop.when_gain_below: found '{gain}', but y has no unit. Write a number alone, " in said


def test_a_message_ends_with_one_full_stop():
    assert ".." not in refusal(stop={"when_gain_below": "0.5 nois"})


def test_a_stop_is_judged_by_one_objective():
    both = {"y": {"goal": "maximize", "unit": "g"}, "z": {"goal": "minimize"}}

    assert "this campaign has 2 objectives" in refusal(stop={"when_gain_below": "0.5 noise"}, objectives=both)
