"""What people approve: its exact content, and who must."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.approval import (
    Approval,
    ApprovalRule,
    ApprovalState,
    Demand,
    Say,
    Signature,
    content_of,
    question_of,
    rules_for,
    sealed,
    settings_in,
)
from labwright.core.capability import Capability, Input
from labwright.core.command import Measurement
from labwright.core.errors import InvalidInput
from labwright.core.procedure import Condition, Constant
from labwright.core.space import Continuous, Space
from labwright.core.values import digest
from labwright.core.verdict import Action, Plan

SPACE = Space(parameters=(Continuous(name="current", low=0, high=5000, unit="mA"),))
CHARGE = Capability(name="charge", inputs=(Input(name="i", unit="A"),), outputs=())
PLAN = Plan(point={"current": 2500.0}, actions=(Action(resource="cell", capability="charge", inputs={"i": 2.5}),))
HIGH = Condition(name="current", sign=">", against=Constant(value=2.0, unit="A"))
NAMES = ("ada", "grace", "linus", "edsger")


def content(plan=PLAN, trial=7, file="f" * 64, reasons=("high",)):
    capabilities = {"cell.charge": CHARGE}
    return content_of(
        plan, campaign="study", file=file, trial=trial, space=SPACE, capabilities=capabilities, reasons=reasons
    )


def approval(demands, *signing, text="{}"):
    """An approval until 100, signed as (person, and what `Signature` has otherwise; seen: what they were shown)."""
    seal = sealed(text, (), demands, 100.0)
    return Approval(
        campaign="study",
        trial=7,
        content=text,
        digest=seal,
        reasons=(),
        demands=demands,
        asked_at="",
        expires_at=100.0,
        state=ApprovalState.WAITING,
        signatures=tuple(
            signed(*how, seen=seal) if isinstance(how, tuple) else signed(how, seen=seal) for how in signing
        ),
    )


def signed(person, say=Say.APPROVE, as_shown=True, counts=True, *, seen):
    return Signature(person=person, say=say, digest=seen if as_shown else digest(seen), at="", counts=counts)


def test_the_content_says_everything_that_would_be_set_with_its_unit():
    read = json.loads(content())

    assert [(s.what, s.values) for s in settings_in(read)] == [
        ("point", (("current", Measurement(value=2500.0, unit="mA")),)),
        ("cell.charge", (("i", Measurement(value=2.5, unit="A")),)),
    ]
    assert read["trial"] == 7


def test_equal_content_is_equal_byte_by_byte():
    assert content() == content(replace(PLAN, point=dict(PLAN.point)))


@pytest.mark.parametrize(
    "other",
    [
        content(replace(PLAN, point={"current": 2500.0000000000005})),
        content(replace(PLAN, actions=())),
        content(replace(PLAN, actions=(*PLAN.actions, *PLAN.actions))),
        content(trial=8),
        content(file="e" * 64),
        content(reasons=("high", "hot")),
    ],
)
def test_whatever_differs_gives_another_digest(other):
    assert digest(other) != digest(content())


@pytest.mark.parametrize(("current", "holds"), [(1999.0, False), (2000.0, False), (2001.0, True)])
def test_a_condition_is_held_against_the_point_in_its_own_unit(current, holds):
    assert ApprovalRule(when=(HIGH,)).matches({"current": Measurement(value=current, unit="mA")}) is holds


@pytest.mark.parametrize(
    ("sign", "against", "holds"), [("==", "fast", True), ("!=", "fast", False), ("==", "slow", False)]
)
def test_words_are_equal_or_not(sign, against, holds):
    condition = Condition(name="mode", sign=sign, against=Constant(value=against))

    assert ApprovalRule(when=(condition,)).matches({"mode": Measurement(value="fast")}) is holds


@pytest.mark.parametrize(
    "condition",
    [
        Condition(name="voltage", sign=">", against=Constant(value=1.0)),
        Condition(name="current", sign=">", against=Constant(value="fast")),
        Condition(name="current", sign=">", against=Constant(value=1.0, unit="s")),
        Condition(name="mode", sign="<", against=Constant(value="fast")),
    ],
)
def test_what_cannot_be_compared_is_an_error_and_not_a_no(condition):
    names = {"current": Measurement(value=1.0, unit="A"), "mode": Measurement(value="fast")}

    with pytest.raises(InvalidInput):
        ApprovalRule(when=(condition,)).matches(names)


def test_every_rule_that_applies_is_asked_and_the_shortest_time_counts():
    two, one, never = Demand(people=2), Demand(by=("ada",)), Demand(by=("linus",))
    low = replace(HIGH, sign="<")
    rules = (
        ApprovalRule(when=(HIGH,), demand=two, expires_s=60.0),
        ApprovalRule(demand=one),
        ApprovalRule(when=(HIGH, low), demand=never),
    )

    question = question_of(rules_for(rules, {"current": Measurement(value=3.0, unit="A")}), "{}", ["high"])

    assert (question.demands, question.expires_s) == ((two, one), 60.0)


def test_a_question_without_a_rule_still_needs_someone():
    assert question_of((), "{}", ["the twin is not sure"]).demands == (Demand(),)


PEOPLE = st.lists(st.sampled_from(NAMES), max_size=6)
DEMANDS = st.builds(
    Demand, by=st.lists(st.sampled_from(NAMES), unique=True).map(tuple), people=st.integers(min_value=1, max_value=3)
)
SIGNING = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(Say), st.booleans(), st.booleans()))


@given(st.lists(DEMANDS, max_size=3).map(tuple), SIGNING, st.floats(allow_nan=True))
def test_nothing_but_enough_different_people_in_time_ever_clears(demands, signing, now):
    counted = approval(demands, *signing).at(now)

    if counted.state is ApprovalState.APPROVED:
        good = {person for person, say, as_shown, counts in signing if say is Say.APPROVE and as_shown and counts}
        assert demands
        assert now < 100.0
        assert not any(say is Say.REFUSE for _, say, _, _ in signing)
        assert all(len({p for p in good if not d.by or p in d.by}) >= d.people for d in demands)


@given(st.text(max_size=20), st.data())
def test_a_byte_of_the_content_that_was_changed_voids_it(text, data):
    full = approval((Demand(),), "ada", text=text)
    other = data.draw(st.text(max_size=20).filter(lambda t: t != text))
    assert full.at(1.0).state is ApprovalState.APPROVED

    assert replace(full, content=other).at(1.0).state is ApprovalState.VOID
    assert replace(full, digest=digest(other)).at(1.0).state is ApprovalState.VOID
    resealed = approval((Demand(),), text=other).digest
    assert replace(full, content=other, digest=resealed).at(1.0).state is ApprovalState.WAITING


@pytest.mark.parametrize(
    "changed",
    [
        {"demands": (Demand(people=1),)},
        {"demands": (Demand(by=("ada", "mallory"), people=2),)},
        {"demands": ()},
        {"reasons": ("it is quite harmless",)},
        {"expires_at": 1e9},
        {"expires_at": float("inf")},
        {"expires_at": None},
    ],
)
def test_who_must_approve_why_and_until_when_cannot_be_changed_either(changed):
    full = approval((Demand(people=2),), "ada", "grace")
    assert full.at(1.0).state is ApprovalState.APPROVED

    counted = replace(full, **changed).at(1.0)

    assert (counted.state, counted.why) == (ApprovalState.VOID, "what is on record of it was changed")


def test_what_was_asked_by_an_older_version_is_void_and_says_so():
    full = approval((Demand(),), "ada")
    older = replace(full, digest=digest(full.content), signatures=(signed("ada", seen=digest(full.content)),))

    assert older.at(1.0).state is ApprovalState.VOID
    assert older.at(1.0).why.startswith("it was asked by an older version")


@pytest.mark.parametrize("now", [100.0, 1e9, float("inf"), float("nan")])
def test_after_its_time_it_never_clears(now):
    assert approval((Demand(),), "ada").at(now).state is ApprovalState.EXPIRED


@pytest.mark.parametrize(
    ("demand", "signers", "words"),
    [
        (Demand(), (), "1 person on record"),
        (Demand(people=2), ("ada",), "1 more on record"),
        (Demand(by=("ada", "grace"), people=2), (), "2 people of ada, grace"),
        (Demand(by=("ada", "grace"), people=2), ("ada",), "1 more of grace"),
        (Demand(by=("ada",)), ("linus",), "1 person of ada"),
    ],
)
def test_what_is_missing_is_said_in_words(demand, signers, words):
    assert approval((demand,), *signers).missing == (words,)
