from importlib.resources import files
from pathlib import Path

import pytest

from labwright.campaigns.file import parse_campaign
from labwright.core.approval import ApprovalRule, Demand
from labwright.core.errors import InvalidCampaign
from labwright.core.procedure import Condition, Constant

COFFEE = (files("labwright.cli") / "template" / "campaign.yaml").read_text(encoding="utf-8")


def rules(approval: str):
    text = COFFEE.replace("safety: {limits: from_resources}", f"safety: {{approval: {approval}}}")
    return parse_campaign(text, Path("campaign.yaml")).campaign.approvals


def test_without_a_rule_nobody_is_asked():
    assert parse_campaign(COFFEE, Path("campaign.yaml")).campaign.approvals == ()


def test_a_rule_says_when_who_how_many_and_how_long():
    hot = Condition(name="temperature", sign=">", against=Constant(value=95.0, unit="degC"))

    found = rules("[{when: $temperature > 95 degC, by: [ada, grace], people: 2, expires: 8 h}]")

    assert found == (ApprovalRule(when=(hot,), demand=Demand(by=("ada", "grace"), people=2), expires_s=8 * 3600.0),)


def test_what_is_left_out_is_always_anyone_one_and_a_day():
    assert rules("[{}]") == (ApprovalRule(when=(), demand=Demand(by=(), people=1), expires_s=86_400.0),)


def test_several_conditions_must_all_hold_and_words_can_be_compared():
    (rule,) = rules("[{when: ['$temperature >= 368 K', $beans == robusta], by: ada}]")

    assert [str(condition) for condition in rule.when] == ["temperature >= 368 K", "beans == robusta"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            "{when: temperature > 95 degC}",
            r"approval.1.when: found 'temperature > 95 degC'; a name, a sign and a value were expected",
        ),
        ("{when: $heat > 95 degC}", r"\$heat is not a parameter of the space.*\$temperature"),
        ("{when: $taste > 5}", r"\$taste is not a parameter"),
        ("{when: $temperature > 95 s}", "another dimension"),
        ("{when: $temperature > hot}", "words are compared by == or != only"),
        ("{when: $temperature == hot}", "temperature is a number: compare it with one"),
        ("{when: $temperature > 9.5.1 degC}", "is not a number with a unit"),
        ("{when: $temperature > 95}", "no unit was given"),
        ("{when: $temperature > 95 blobs}", "blobs"),
        ("{when: $beans == liberica}", "beans is one of arabica, robusta: compare it with one of these"),
        ("{when: $beans < robusta}", "by == or != only"),
        ("{by: [ada, Ada]}", "stands here twice"),
        ("{by: [ada], people: 2}", "2 people must approve, but only ada may"),
        ("{by: ['a b']}", "by"),
        ("{people: 0}", "people"),
        ("{people: true}", "a whole number was expected"),
        ("{expires: 8}", "expires"),
        ("{expires: '8'}", "has no unit of time"),
        ("{expires: 8 mm}", "another dimension"),
        ("{expires: 0 h}", "out of range"),
        ("{expires: soon}", "is not a number with a unit"),
        ("{who: ada}", "unknown key"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(rule, words):
    with pytest.raises(InvalidCampaign, match=words) as error:
        rules(f"[{rule}]")

    assert "safety.approval.1" in str(error.value)
