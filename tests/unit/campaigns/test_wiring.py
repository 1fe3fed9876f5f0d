"""A campaign held against its resources: pools, units and the plan of a point."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from labwright.campaigns.file import parse_campaign
from labwright.campaigns.wiring import Wiring, declared, rewire, wire
from labwright.core.capability import Capability, Input, Output
from labwright.core.errors import InvalidCampaign
from labwright.safety.limits import LimitsReviewer

CAMPAIGN = """
name: study
space:
  x: {kind: continuous, low: 0, high: 25, unit: mm}
  s: {kind: categorical, levels: [water, oil]}
objectives: {y: {goal: maximize}}
procedure: [{use: bench.measure, with: {x: $x, s: $s}, gives: {y: $y}}]
resources: {bench: {kind: table, file: data.csv}}
budget: {trials: 3}
"""
CANDIDATES = {
    "x": [1.0, 2.0, 2.0, 3.0, 1.0],
    "s": ["water", "oil", "oil", "oil", "ether"],
    "y": [1.0, 2.0, 3.0, 4.0, 5.0],
}


def wired(text: str = CAMPAIGN, unit: str | None = "cm", candidates=CANDIDATES) -> Wiring:
    inputs = (Input(name="x", unit=unit), Input(name="s"))
    measure = Capability(
        name="measure", inputs=inputs, outputs=(Output(name="y"),), repeatable=True, candidates=candidates
    )
    file = parse_campaign(text, Path("campaign.yaml"))
    return wire(file.campaign, {"bench.measure": measure}, file.problems())


def test_the_pool_holds_each_candidate_within_the_space_once_in_the_units_of_the_space():
    pool = wired().problem.space.pool

    assert pool is not None
    assert [pool.row(i) for i in range(len(pool))] == [{"x": 10.0, "s": "water"}, {"x": 20.0, "s": "oil"}]


def test_without_candidates_there_is_no_pool():
    assert wired(candidates=None).problem.space.pool is None


def test_a_plan_is_in_the_units_of_the_resource():
    plan = wired(candidates=None).plan({"x": 15.0, "s": "oil"})

    assert dict(plan.actions[0].inputs) == {"x": pytest.approx(1.5), "s": "oil"}
    assert plan.actions[0].name == "bench.measure"


def test_numbers_in_a_column_of_words_become_words():
    text = CAMPAIGN.replace("[water, oil]", "['1', '2']")

    pool = wired(text, candidates={"x": [1.0, 2.0], "s": [1.0, 2.0], "y": [0.0, 0.0]}).problem.space.pool

    assert pool is not None
    assert list(pool.columns["s"]) == ["1", "2"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("s: $s}", "s: water}", "space.s: no step uses this parameter"),
        ("high: 25, unit: mm", "high: 5, unit: mm", "none of the 5 rows that bench.measure offers lies in this space"),
        ("unit: mm", "unit: kg", "cannot be converted"),
        (
            "budget:",
            "safety: {limits: {bench.measure.z: {low: 0, high: 1}}}\nbudget:",
            "nothing of that name can be set",
        ),
        ("budget:", "safety: {limits: {bench.measure.x: {low: 0, high: 1 kg}}}\nbudget:", "another dimension"),
        (
            "budget:",
            "safety: {limits: {bench.measure.x: {low: 2 mm, high: 1 mm}}}\nbudget:",
            "low 2.0 is above high 1.0",
        ),
    ],
)
def test_what_does_not_fit_is_named(old, new, words):
    with pytest.raises(InvalidCampaign, match=words):
        wired(CAMPAIGN.replace(old, new))


def test_a_table_must_be_bound_to_every_parameter():
    text = CAMPAIGN.replace(
        "with: {x: $x, s: $s}, gives: {y: $y}}]",
        "with: {x: $x}, gives: {y: $y}}, {use: bench.measure, with: {x: $x, s: $s}, gives: {z: $y}}]",
    )

    with pytest.raises(InvalidCampaign, match=r"also needs s under|offers a table of candidates, so bind s here too"):
        wired(text)


PUSH = """
name: push
space: {travel: {kind: continuous, low: 0, high: 100, unit: m}}
objectives: {y: {goal: maximize}}
procedure: [{use: arm.push, with: {travel: $travel}, gives: {y: $y}}]
resources: {arm: {kind: function, call: "math:sqrt", outputs: {y: null}}}
budget: {trials: 3}
"""


def pushed(declared: Input, limits: str = "") -> Wiring:
    file = parse_campaign(PUSH + limits, Path("campaign.yaml"))
    push = Capability(name="push", inputs=(declared,), outputs=(Output(name="y"),))
    return wire(file.campaign, {"arm.push": push}, file.problems())


def test_a_limit_is_held_in_the_unit_of_what_is_set_where_the_resource_does_not_say_it():
    wiring = pushed(Input(name="travel"), "safety: {limits: {arm.push.travel: {low: 0 mm, high: 100 mm}}}")
    review = LimitsReviewer(wiring.capabilities, wiring.campaign.limits)

    assert review(wiring.plan({"travel": 0.05})).allowed
    assert not review(wiring.plan({"travel": 50.0})).allowed


@pytest.mark.parametrize(
    ("declared", "limits", "words"),
    [
        (Input(name="travel", low=0, high=10), "", "line 5: step arm.push, with.travel: .* has limits without a unit"),
        (Input(name="travel"), "safety: {limits: {arm.push.travel: {low: 0, high: 1}}}", "no unit was given"),
        (Input(name="travel", unit="m", low=200, high=300), "", "line 3: space.travel: .* nothing could be chosen"),
        (
            Input(name="travel", unit="mm", low=0, high=1e6),
            "safety: {limits: {arm.push.travel: {low: 101 m, high: 200 m}}}",
            "nothing could be chosen",
        ),
    ],
)
def test_limits_that_cannot_be_held_or_leave_nothing_are_named(declared, limits, words):
    with pytest.raises(InvalidCampaign, match=words):
        pushed(declared, limits)


def test_a_wiring_is_built_again_from_the_campaign_and_what_the_resources_declared():
    wiring = wired()
    said = declared(wiring)

    again = rewire(parse_campaign(wiring.campaign.text, Path("campaign.yaml")).campaign, said)

    assert declared(again) == said
    assert "candidates" not in {k for k, v in json.loads(said)["bench.measure"].items() if v is not None}
    assert again.plan({"x": 15.0, "s": "oil"}) == wiring.plan({"x": 15.0, "s": "oil"})
    assert again.problem.space.pool is None


def test_every_property_of_a_capability_is_declared():
    levels = Input(name="s", levels=("water", 2), required=False, shared=True)
    odd = Input(name="x", unit="mm", low=float("-inf"), high=1e-300)
    measure = Capability(
        name="measure",
        inputs=(odd, levels),
        outputs=(Output(name="y", unit="g"), Output(name="z")),
        repeatable=True,
        queryable=True,
        fenced=True,
        batch=8,
    )
    wiring = replace(wired(), capabilities={"bench.measure": measure})

    again = rewire(wiring.campaign, declared(wiring)).capabilities["bench.measure"]

    assert vars(again) == vars(measure)


GRAPH = """
name: graph
space:
  t: {kind: continuous, low: 0, high: 900, unit: degC}
objectives: {y: {goal: maximize}}
procedure:
  - {name: weigh, use: oven.heat, with: {t: 20 degC}, gives: {m: $mass, k: $count}}
  - {name: hot, use: oven.bake, with: {t: $t}, gives: {h: $mass}, when: $t > 500 degC}
  - {name: look, use: oven.heat, with: {t: $t}, gives: {y: $count}, when: $m > 5 mg}
resources: {oven: {kind: function, call: "math:sqrt", outputs: {y: null}}}
budget: {trials: 3, parallel: 4}
"""
HEAT = Capability(
    name="heat",
    inputs=(Input(name="t", unit="degC", low=0, high=900),),
    outputs=(Output(name="mass", unit="g"), Output(name="count")),
    batch=2,
)
BAKE = replace(HEAT, name="bake", inputs=(Input(name="t", unit="degC", low=400, high=900),), repeatable=True, batch=4)


def graph(old: str = "", new: str = "") -> Wiring:
    assert old in GRAPH
    file = parse_campaign(GRAPH.replace(old, new, 1), Path("campaign.yaml"))
    return wire(file.campaign, {"oven.heat": HEAT, "oven.bake": BAKE}, file.problems())


def test_a_step_that_the_point_rules_out_is_no_part_of_the_plan():
    wiring = graph()
    review = LimitsReviewer(wiring.capabilities, wiring.campaign.limits)

    assert [a.name for a in wiring.plan({"t": 600.0}).actions] == ["oven.heat", "oven.bake", "oven.heat"]
    assert [a.name for a in wiring.plan({"t": 300.0}).actions] == ["oven.heat", "oven.heat"]
    assert review(wiring.plan({"t": 300.0})).allowed


def test_the_plan_of_a_batch_is_that_of_one_trial():
    assert graph("bake, with", "bake, batch: 4, with").plan({"t": 600.0}) == graph().plan({"t": 600.0})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "heat, with: {t: 20",
            "heat, retries: 1, with: {t: 20",
            "line 7: step weigh, retries: oven.heat is not repeata",
        ),
        (
            "heat, with: {t: 20",
            "heat, batch: 3, with: {t: 20",
            "step weigh, batch: found 3; oven.heat takes at most 2 tr",
        ),
        ("$m > 5 mg", "$m > 5 mm", "line 9: step look, when: m > 5 mm: 'mm' cannot be converted to 'g'"),
        ("$m > 5 mg", "$m > 5", "line 9: step look, when: m > 5: no unit was given, but 'g' is declared there"),
        ("$m > 5 mg", "$k > 5 mg", "line 9: step look, when: k > 5 mg: nobody declares a unit for k"),
    ],
)
def test_what_a_step_asks_of_its_capability_is_checked(old, new, words):
    with pytest.raises(InvalidCampaign, match=words):
        graph(old, new)


def test_a_repeatable_capability_may_be_retried_and_a_count_compared_with_a_bare_number():
    assert graph("oven.bake, with", "oven.bake, retries: 3, with").campaign.procedure[1].retries == 3
    assert graph("$m > 5 mg", "$k > 5").campaign.procedure[2].when
