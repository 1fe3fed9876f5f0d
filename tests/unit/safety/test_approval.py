from labwright.core.approval import ApprovalRule, Demand
from labwright.core.procedure import Condition, Constant
from labwright.core.space import Continuous, Space
from labwright.core.verdict import Decision, Plan, Verdict
from labwright.safety.approval import ApprovalReviewer
from labwright.safety.gate import Gate

SPACE = Space(parameters=(Continuous(name="current", low=0, high=5, unit="A"),))
HIGH = Condition(name="current", sign=">", against=Constant(value=2.0, unit="A"))
RULE = ApprovalRule(when=(HIGH,), demand=Demand(by=("ada", "grace"), people=2))


def review(rule, **point):
    return ApprovalReviewer([rule], SPACE)(Plan(point=point, actions=()))


def test_where_a_rule_applies_people_are_asked_and_told_why():
    verdict = review(RULE, current=2.5)

    assert verdict.decision is Decision.NEEDS_APPROVAL
    assert verdict.reasons == ("current > 2 A needs the approval of 2 people of ada, grace",)


def test_where_no_rule_applies_nobody_is_asked():
    assert review(RULE, current=2.0).allowed


def test_a_rule_without_a_condition_always_applies():
    assert review(ApprovalRule(), current=0.0).reasons == ("every trial needs the approval of 1 person on record",)


def test_what_cannot_be_held_against_a_rule_is_not_allowed():
    wrong = ApprovalRule(when=(Condition(name="current", sign=">", against=Constant(value=2.0, unit="degC")),))

    assert review(wrong, current=1.0).decision is Decision.UNKNOWN
    assert review(RULE, voltage=1.0).decision is Decision.UNKNOWN
    assert review(RULE).decision is Decision.UNKNOWN


def test_a_refusal_is_not_softened_to_a_question():
    refuse = Verdict(decision=Decision.REFUSE, reasons=("too hot",))

    verdict = Gate([ApprovalReviewer([RULE], SPACE), lambda plan: refuse]).review(
        Plan(point={"current": 3.0}, actions=())
    )

    assert verdict.decision is Decision.REFUSE
