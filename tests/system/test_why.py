"""What a person is told of why a point was chosen, how far the model can be trusted, and what is left to gain."""

import json
import re

import pytest

CAMPAIGN = """\
name: press
space:
  x: {kind: continuous, low: 0, high: 10, unit: mm}
  t: {kind: continuous, low: 0, high: 80, unit: degC}
objectives: {y: {goal: maximize, unit: J}}
constraints: {z: {at_most: 6, unit: mm}}
procedure: [{use: bench.measure, with: {x: $x, t: $t}, gives: {y: $y, z: $z}}]
resources: {bench: {kind: function, call: "bench.py:measure", outputs: {y: J, z: mm}, repeatable: true}}
budget: {trials: 14}
planner:
  kind: gp
  beliefs: [{parameter: t, near: 30 degC, within: 10}]
"""
BENCH = """\
import random

def measure(x, t):
    noise = random.Random(round(1e3 * (x + t))).gauss(0, 1)
    return {"y": 50 - (x - 5) ** 2 - (t - 35) ** 2 / 50 + noise, "z": x}
"""


@pytest.fixture
def told(command_line, tmp_path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    (tmp_path / "bench.py").write_text(BENCH)

    def call(*words):
        code, out, _ = command_line(*words)
        assert code == 0
        return out

    return call


def test_the_end_of_a_run_and_show_tell_what_is_left_to_gain(told):
    ended = told("run", "campaign.yaml")

    assert "Before trial 14 the next experiment was expected to gain " in ended
    assert "what was left to gain was at most " in ended
    assert told("show", "press").startswith("press is finished after 14 of 14 trials")
    assert json.loads(told("run", "campaign.yaml", "--json"))["left"]["before_trial"] == 14


def test_show_tells_how_far_the_model_can_be_trusted(told):
    told("run", "campaign.yaml")

    shown = told("show", "campaign.yaml")

    assert "of the differences in y; its typical error is " in shown
    assert "of 14 results, " in shown.lower()
    assert "lie within the 90 % interval" in shown
    assert "By the model, y depends most on " in shown


def test_show_of_a_trial_tells_all_that_the_planner_took_into_account(told):
    told("run", "campaign.yaml")

    shown = told("show", "press/14")

    assert "chosen by gp: " in shown
    assert "y: expected " in shown
    assert ", measured " in shown
    assert "probability that every constraint holds: " in shown
    assert "(z at most 6 mm " in shown
    assert re.search(
        r"y: expected gain \S+ J if every constraint holds, \S+ J with that probability counted in; ", shown
    )
    assert "at that time the next experiment was expected to gain " in shown
    assert "what mattered for y, by the model then: " in shown
    assert re.search(r"beliefs: (to people this point is [0-9]+% as likely|this is where people believe)", shown)
    assert "acquisition" not in shown
    assert json.loads(told("show", "press/14", "--json"))["proposal"]["acquisition"] is not None


def test_what_is_expected_has_the_digits_that_its_uncertainty_leaves_it(told):
    told("run", "campaign.yaml")

    (sd,) = re.findall(r"  y: expected \S+ ± (\S+) J, measured", told("show", "press/14"))

    assert len(sd.replace(".", "").lstrip("0")) == 2


def test_the_report_draws_what_was_left_to_gain(told, tmp_path):
    pytest.importorskip("matplotlib")
    told("run", "campaign.yaml")

    told("report", "press", "--out", "press.html")

    page = (tmp_path / "press.html").read_text(encoding="utf-8")
    assert "What was left to gain of y, as it was judged before each trial." in page
    assert "90%20%25%20interval" in page or "90 %25 interval" in page
