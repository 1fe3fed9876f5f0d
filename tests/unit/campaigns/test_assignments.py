import pytest

from labwright.campaigns.assignments import outcomes_of, point_of
from labwright.campaigns.file import parse_campaign
from labwright.core.errors import InvalidInput

CAMPAIGN = """
name: study
space:
  t: {kind: continuous, low: 10, high: 40, unit: degC}
  n: {kind: discrete, values: [1, 2.5, 4]}
  solvent: {kind: categorical, levels: [water, ethanol]}
objectives: {y: {goal: minimize, unit: J}}
constraints: {purity: {at_least: 90, unit: "%"}}
procedure: [{use: bench.measure, with: {t: $t, n: $n, s: $solvent}, gives: {y: $y, purity: $p, raw: $raw}}]
resources: {bench: {kind: function, call: "math:sqrt", outputs: {y: J}}}
budget: {trials: 3}
"""


@pytest.fixture
def campaign(tmp_path):
    return parse_campaign(CAMPAIGN, tmp_path / "campaign.yaml").campaign


def test_a_point_is_read_in_the_units_of_the_campaign(campaign):
    assert point_of(campaign, ["t=77 degF", "solvent = water", "n=2.5"]) == {"t": 25.0, "n": 2.5, "solvent": "water"}


def test_every_problem_of_a_point_is_said_at_once(campaign):
    with pytest.raises(InvalidInput) as error:
        point_of(campaign, ["t=95 degC", "n=3", "solvnt=water", "n=1", "novalue"])

    assert str(error.value).splitlines() == [
        "The point for study has 6 problems; nothing was added.",
        "  'solvnt' is no parameter. Did you mean 'solvent'?",
        "  n is set twice.",
        "  found 'novalue', expected NAME=VALUE, such as t=1.5.",
        "  t = 95 is not 10 to 40 degC.",
        "  n = 3 is not one of 1, 2.5, 4.",
        "  solvent is not set; it may be one of water, ethanol.",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("t=nan", "expected a finite number"),
        ("t=1e999", "expected a finite number"),
        ("t=2_0", "it has no '_'"),
        ("t=25 mm", "'mm' cannot be converted to 'degC'"),
        ("t=25 sparks", "not a unit that Labwright knows"),
        ("t=warm", "not a number with a unit"),
        ("n=1 mm", "declares no unit for it"),
        ("solvent=oil", "solvent = oil is not one of water, ethanol"),
        ("t=", "expected NAME=VALUE"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(campaign, text, found):
    with pytest.raises(InvalidInput, match=found.replace("(", r"\(")):
        point_of(campaign, [text])


def test_outcomes_are_read_in_the_units_of_the_campaign(campaign):
    assert outcomes_of(campaign, ["y=3200 mJ", "purity=0.95 1", "raw=7"]) == {"y": 3.2, "purity": 95.0, "raw": 7.0}


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], "give at least one outcome, such as --set y=1.5"),
        (["t=25"], "'t' is no outcome. There are y, purity, raw."),
        (["raw=7 mm"], "declares no unit"),
    ],
)
def test_what_a_trial_cannot_give_is_refused(campaign, texts, found):
    with pytest.raises(InvalidInput, match=found):
        outcomes_of(campaign, texts)


def test_a_point_that_breaks_what_must_hold_between_parameters_is_refused(tmp_path):
    text = CAMPAIGN.replace("budget", "rules: [t + 10*n <= 60]\nbudget")
    campaign = parse_campaign(text, tmp_path / "campaign.yaml").campaign

    assert point_of(campaign, ["t=30", "n=2.5", "solvent=water"])
    with pytest.raises(InvalidInput) as error:
        point_of(campaign, ["t=40", "n=2.5", "solvent=water"])

    assert str(error.value).splitlines() == [
        "The point for study has 1 problem; nothing was added.",
        "  t + 10 n = 65 is not at most 60.",
    ]
