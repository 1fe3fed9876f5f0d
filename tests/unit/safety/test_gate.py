import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.campaign import Limit
from labwright.core.capability import Capability, Input
from labwright.core.restriction import Composition, Rule
from labwright.core.space import Categorical, Continuous, Pool, Space
from labwright.core.verdict import ALLOWED, Action, Decision, Plan, Verdict
from labwright.safety.gate import Gate
from labwright.safety.limits import LimitsReviewer, SpaceReviewer


def capability(*inputs: Input, repeatable: bool = False) -> Capability:
    return Capability(name="heat", inputs=inputs, outputs=(), repeatable=repeatable)


def plan(**inputs) -> Plan:
    return Plan(point={}, actions=(Action(resource="oven", capability="heat", inputs=inputs),))


def review(capability: Capability, plan: Plan, limits=None) -> Verdict:
    return LimitsReviewer({"oven.heat": capability}, limits or {})(plan)


def test_the_strictest_verdict_wins_and_every_reason_is_kept():
    refuse = Verdict(decision=Decision.REFUSE, reasons=("too hot",))
    unknown = Verdict(decision=Decision.UNKNOWN, reasons=("no model",))

    verdict = Gate([lambda p: ALLOWED, lambda p: refuse, lambda p: unknown]).review(plan())

    assert verdict == Verdict(decision=Decision.REFUSE, reasons=("too hot", "no model"))


def test_a_gate_without_reviewers_allows_nothing():
    assert not Gate([]).review(plan()).allowed


def test_what_is_within_its_limits_is_allowed():
    assert review(capability(Input(name="t", unit="degC", low=0, high=100)), plan(t=100.0)).allowed


@pytest.mark.parametrize("value", [-0.1, 100.1, math.nan, math.inf, -math.inf])
def test_what_is_out_of_its_limits_or_not_finite_is_refused(value):
    verdict = review(capability(Input(name="t", low=0, high=100)), plan(t=value))

    assert verdict.decision is Decision.REFUSE
    assert "oven.heat.t" in verdict.reasons[0]


@pytest.mark.parametrize("declared", [Input(name="t"), Input(name="t", low=0), Input(name="t", high=9)])
def test_what_is_set_and_has_no_limit_is_not_allowed(declared):
    assert review(capability(declared), plan(t=5.0)).decision is Decision.UNKNOWN
    assert not review(capability(declared), plan(t="warm")).allowed


def test_for_a_repeatable_capability_the_space_is_limit_enough():
    assert review(capability(Input(name="t"), repeatable=True), plan(t=5.0)).allowed


@pytest.mark.parametrize("value", [5.0, "a photo"])
def test_what_is_only_shown_to_people_needs_no_limits(value):
    assert review(capability(Input(name="t", shown=True)), plan(t=value)).allowed


def test_the_limits_of_what_is_only_shown_hold_all_the_same():
    assert not review(capability(Input(name="t", low=0, high=1, shown=True)), plan(t=5.0)).allowed
    assert not review(capability(Input(name="t", shown=True)), plan(t=math.nan)).allowed


def test_the_limits_of_a_repeatable_capability_hold_all_the_same():
    assert not review(capability(Input(name="t", low=0, high=1), repeatable=True), plan(t=5.0)).allowed


def test_a_campaign_narrows_the_limits_in_its_own_unit_and_never_widens_them():
    oven = capability(Input(name="t", unit="degC", low=0, high=100))

    narrow = {"oven.heat.t": Limit(low=273.15, high=323.15, unit="K")}
    assert review(oven, plan(t=49.0), narrow).allowed
    assert not review(oven, plan(t=51.0), narrow).allowed

    wide = {"oven.heat.t": Limit(low=-500, high=500, unit="degC")}
    assert not review(oven, plan(t=101.0), wide).allowed


def test_a_limit_in_the_campaign_is_enough_where_the_resource_declares_none():
    assert review(capability(Input(name="t")), plan(t=5.0), {"oven.heat.t": Limit(low=0, high=9)}).allowed


def test_a_word_must_be_one_of_the_levels():
    oven = capability(Input(name="mode", levels=("low", "high")))

    assert review(oven, plan(mode="low")).allowed
    assert review(oven, plan(mode="max")).decision is Decision.REFUSE


@pytest.mark.parametrize("value", ["warm", "500", True, [1], None])
def test_where_a_number_is_declared_nothing_else_is_allowed(value):
    for declared in (Input(name="t", low=0, high=9), Input(name="t", unit="degC")):
        assert review(capability(declared, repeatable=True), plan(t=value)).decision is Decision.REFUSE


@pytest.mark.parametrize("declared", [{"low": 0}, {"high": 9}, {"unit": "degC"}])
def test_a_word_is_refused_where_anything_says_that_a_number_is_set(declared):
    verdict = review(capability(Input(name="t", **declared)), plan(t="warm"))

    assert verdict.decision is Decision.REFUSE
    assert verdict.reasons == ("oven.heat.t = 'warm' is a word; a number was expected",)


def test_a_word_is_refused_where_only_the_campaign_gives_a_limit_in_numbers():
    verdict = review(capability(Input(name="t")), plan(t="warm"), {"oven.heat.t": Limit(low=0, high=9)})

    assert verdict.decision is Decision.REFUSE


def test_a_number_must_be_one_of_the_levels_too():
    declared = capability(Input(name="n", levels=(1, 2)))

    assert review(declared, plan(n=2)).allowed
    assert review(declared, plan(n=3)).reasons == ("oven.heat.n = 3 is not one of 1, 2",)


@pytest.mark.parametrize("unit", [" degC", ""])
def test_a_limit_is_said_with_the_unit_of_what_is_set(unit):
    [reason] = review(capability(Input(name="t", unit=unit.strip() or None, low=0, high=9)), plan(t=10)).reasons

    assert reason == f"oven.heat.t = 10{unit} is above its limit of 9{unit}"


def test_an_unknown_input_or_capability_is_never_allowed():
    assert not review(capability(), plan(t=1.0)).allowed
    assert not LimitsReviewer({}, {})(plan(t=1.0)).allowed


def test_a_point_outside_the_space_is_refused():
    reviewer = SpaceReviewer(Space(parameters=(Continuous(name="x", low=0, high=1),)))

    assert reviewer(Plan(point={"x": 0.5}, actions=())).allowed
    assert reviewer(Plan(point={"x": 1.5}, actions=())).reasons == ("x = 1.5 is not 0 to 1",)


def test_a_point_that_breaks_a_restriction_is_refused_in_its_words():
    space = Space(
        parameters=tuple(Continuous(name=name, low=0, high=1) for name in "xy"),
        compositions=(Composition(name="mix", parts=("x", "y")),),
        constraints=(Rule(name="not alone", holds=lambda point: point["x"] < 1),),
    )

    def said(**point):
        return SpaceReviewer(space)(Plan(point=point, actions=())).reasons

    assert said(x=0.25, y=0.75) == ()
    assert said(x=0.5, y=0.6) == ("x + y = 1.1 is not the total of 1",)
    assert said(x=1.0, y=0.0) == ("the rule not alone forbids it",)


def test_a_point_that_is_no_candidate_is_refused_but_for_the_dust_of_a_conversion():
    pool = Pool(columns={"x": [0.1, 0.7, 0.7], "c": ["u", "v", "u"]})
    parameters = (Continuous(name="x", low=0, high=1), Categorical(name="c", levels=("u", "v")))
    reviewer = SpaceReviewer(Space(parameters=parameters, pool=pool))

    assert reviewer(Plan(point={"x": 0.1 + 1e-17, "c": "u"}, actions=())).allowed
    assert reviewer(Plan(point={"x": 0.7, "c": "v"}, actions=())).allowed
    assert reviewer(Plan(point={"x": 0.1, "c": "v"}, actions=())).reasons == (
        "x = 0.1, c = v is none of the 3 candidates",
    )


@given(st.floats(), st.floats(-100, 100), st.floats(-100, 100), st.booleans())
def test_nothing_outside_the_declared_limits_is_ever_allowed(value, low, high, repeatable):
    oven = capability(Input(name="t", low=low, high=high), repeatable=repeatable)

    assert review(oven, plan(t=value)).allowed == (math.isfinite(value) and low <= value <= high)
