"""The steps of a campaign file: what each is called, what it waits for, and every mistake with its line."""

from pathlib import Path

import pytest

from labwright.campaigns.file import parse_campaign
from labwright.core.campaign import Campaign
from labwright.core.errors import InvalidCampaign
from labwright.core.procedure import Condition, Constant, Gather, in_order

CAMPAIGN = """
name: study
space:
  t: {kind: continuous, low: 0, high: 90, unit: degC}
  o: {kind: ordinal, levels: [low, 2, high]}
objectives: {y: {goal: maximize}}
procedure:
STEPS
resources: {oven: {kind: function, call: "math:sqrt", outputs: {y: null}, capacity: 2}}
budget: {trials: 3, parallel: 8}
priority: 4
"""
HEAT = "  - {use: oven.heat, with: {t: $t, o: $o}, gives: {y: $y}}\n"
GRAPH = """\
  - {name: weigh, use: oven.weigh, with: {o: $o}, gives: {m: $mass}, after: []}
  - {name: dry, use: oven.heat, with: {t: $t}, after: []}
  - {name: measure, use: oven.look, gives: {y: $y}, after: [weigh, dry], when: ["$m > 0.5 g", $o == 2], retries: 2}
  - {use: oven.clean, always: true, timeout: 30 min, batch: 8, wait: 1 h}
"""


def read(steps: str = HEAT, old: str = "", new: str = "") -> Campaign:
    text = CAMPAIGN.replace("STEPS\n", steps)
    assert old in text
    return parse_campaign(text.replace(old, new, 1), Path("campaign.yaml")).campaign


def test_a_file_of_old_is_a_chain_of_steps_named_after_what_they_use():
    again = "  - {use: oven.heat, with: {t: $y}, gives: {z: $y}}\n"

    steps = read(HEAT + again + again.replace("z:", "w:")).procedure

    assert [s.name for s in steps] == ["oven.heat", "oven.heat 2", "oven.heat 3"]
    assert [s.after for s in steps] == [(), ("oven.heat",), ("oven.heat 2",)]
    assert {(s.when, s.retries, s.timeout_s, s.always, s.gather) for s in steps} == {((), 0, None, False, None)}


def test_everything_that_a_step_may_say_is_read():
    campaign = read(GRAPH)
    weigh, dry, measure, clean = campaign.procedure

    assert (weigh.after, dry.after, measure.after, clean.after) == ((), (), ("weigh", "dry"), ("measure",))
    assert measure.when == (
        Condition(name="m", sign=">", against=Constant(value=0.5, unit="g")),
        Condition(name="o", sign="==", against=Constant(value="2")),
    )
    assert (measure.retries, clean.always, clean.timeout_s) == (2, True, 1800.0)
    assert clean.gather == Gather(size=8, wait_s=3600.0)
    assert (campaign.parallel, campaign.priority) == (8, 4)


def test_the_capacity_of_a_resource_is_not_one_of_its_own_options():
    oven = read().resources["oven"]

    assert oven.capacity == 2
    assert set(oven.options) == {"call", "outputs"}


def test_without_the_new_keys_one_trial_is_in_flight():
    campaign = read(old="budget: {trials: 3, parallel: 8}\npriority: 4", new="budget: {trials: 3}")

    assert (campaign.parallel, campaign.priority) == (1, 0)


def test_a_batch_does_not_wait_unless_it_is_told_to():
    assert read(GRAPH, ", wait: 1 h").procedure[3].gather == Gather(size=8, wait_s=0.0)


def test_one_condition_and_one_step_before_need_no_list():
    steps = read(
        GRAPH, 'after: [weigh, dry], when: ["$m > 0.5 g", $o == 2]', "after: weigh, when: $m > 0.5 g"
    ).procedure

    assert steps[2].after == ("weigh",)
    assert [str(c) for c in steps[2].when] == ["m > 0.5 g"]


def test_a_step_may_stand_above_those_that_it_waits_for():
    steps = "  - {name: look, use: oven.look, with: {t: $m}, gives: {y: $y}, after: weigh}\n"
    steps += "  - {name: weigh, use: oven.weigh, with: {o: $o, t: $t}, gives: {m: $mass}, after: []}\n"

    assert in_order(read(steps).procedure) == (1, 0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: dry", "name: weigh", "line 9: step weigh, name: another step is called weigh"),
        (
            "name: dry",
            "name: off",
            "step oven.heat, name: found False; it is read as true or false; write a word in quotes",
        ),
        ("name: dry", "name: oven.heat", "line 9: step oven.heat, name: found 'oven.heat'; a name of letters"),
        ("[weigh, dry]", "[weigh, dri]", "line 10: step measure, after: no step is called 'dri'; steps: weigh, dry, m"),
        ("[weigh, dry]", "[oven.weigh]", "no step is called 'oven.weigh'; what uses oven.weigh is called weigh."),
        ("[weigh, dry]", "[measure]", "step measure, after: measure cannot come after itself"),
        (
            "gives: {m: $mass}, after: []",
            "gives: {m: $mass}, after: [measure]",
            "line 8: step weigh, after: these steps wait for each other: weigh waits for measure waits for weigh.",
        ),
        (
            "gives: {m: $mass}, after: []",
            "gives: {m: $mass}, after: [oven.clean]",
            r"weigh waits for oven.clean waits for measure waits for weigh. \(A step without `after`",
        ),
        (
            "[weigh, dry]",
            "[dry]",
            "line 10: step measure, when.1: .m is given by weigh, which does not come before this",
        ),
        (
            "with: {t: $t}, after",
            "with: {t: $m}, after",
            "step dry, with.t: .m is given by weigh, which does not come",
        ),
        ("$m > 0.5 g", "$q > 0.5 g", "step measure, when.1: .q is not known here; known: m, o, t"),
        ("$m > 0.5 g", "$m = 0.5 g", "a name, a sign and a value were expected, such as '.mass > 0.5 g'"),
        ("$m > 0.5 g", "$m > $t", "a name, a sign and a value were expected"),
        ("$m > 0.5 g", "m > 0.5 g", "a name, a sign and a value were expected"),
        ("$m > 0.5 g", "$m > 0.5 gg", "'gg' is not a unit that Labwright knows"),
        ("$m > 0.5 g", "$m > heavy", "words are compared by == or != only"),
        ("$m > 0.5 g", "$t == warm", "t is a number: compare it with one"),
        ("$o == 2", "$o == 3", "o is low < 2 < high: compare it with one of these"),
        ("$o == 2", "$o > low", "words are compared by == or != only"),
        ("retries: 2", "retries: -1", "step measure, retries: found -1"),
        ("retries: 2", "retries: true", "read as true or false"),
        (
            "timeout: 30 min",
            "timeout: 30",
            "line 11: step oven.clean, timeout: found 30 without a unit; a time was expected",
        ),
        ("timeout: 30 min", "timeout: 30 g", "step oven.clean, timeout: 'g' cannot be converted to 's'"),
        ("timeout: 30 min", "timeout: 0 min", "step oven.clean, timeout: found 0 min; a time above 0 was expected"),
        ("wait: 1 h", "wait: -1 h", "step oven.clean, wait: found -1 h; a time above 0"),
        ("batch: 8, ", "", "line 11: step oven.clean, wait: it says how long a batch waits .* needs `batch`"),
        ("batch: 8", "batch: 1", "step oven.clean, batch: found 1"),
        (
            "parallel: 8",
            "parallel: 4",
            "line 11: step oven.clean, batch: a batch of 8 is never full: budget.parallel lets at most 4 trials be",
        ),
        (", parallel: 8", "", "budget.parallel lets at most 1 trial be in flight. Set budget.parallel to 8 or more"),
        ("parallel: 8", "parallel: 0", "budget.parallel: found 0"),
        ("capacity: 2", "capacity: 0", "resources.oven.capacity: found 0"),
        ("priority: 4", "priority: high", "priority: found 'high'"),
        ("gives: {y: $y}, ", "", "objectives.y: no step gives this outcome; given: m"),
        ("gives: {y: $y}", "gives: {m: $y}", "already taken by the space or a step"),
    ],
)
def test_what_makes_no_sense_in_a_graph_is_named_with_its_line(old, new, words):
    with pytest.raises(InvalidCampaign, match=words):
        read(GRAPH, old, new)


def test_two_steps_without_a_name_cannot_be_told_apart():
    steps = HEAT + "  - {use: oven.heat, with: {t: $t}}\n  - {use: oven.look, after: [oven.heat]}\n"

    with pytest.raises(InvalidCampaign, match=r"2 steps use oven\.heat; give each a `name`, and say which is meant"):
        read(steps)
