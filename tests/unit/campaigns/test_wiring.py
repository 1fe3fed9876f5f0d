"""A campaign held against its resources: pools, units and the plan of a point."""

from pathlib import Path

import pytest

from labwright.campaigns.file import parse_campaign
from labwright.campaigns.wiring import Wiring, wire
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
        (Input(name="travel", low=0, high=10), "", "line 5: procedure.0.with.travel: .* has limits without a unit"),
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
