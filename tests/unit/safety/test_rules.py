import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.restriction import SLACK
from labwright.core.telemetry import Quality
from labwright.safety.refusal import LONGEST, Answer, Refusal, shown
from labwright.safety.rules import LIVE, STANDING, STATIC, crashed, decide, foresee, is_value_of, settings
from labwright.safety.situation import Asked, Order, Reading, Setpoint, Situation
from labwright.testing.oven import LIMITS, limits, order

SAID = limits()
NOW = 1000.0
AT_REST = Situation(
    now=NOW,
    latest=NOW,
    armed_at=NOW - 50,
    armed=SAID.digest,
    mode="cold",
    watched_at=NOW,
    heartbeat_at=NOW,
    motion=True,
    readings={
        "heater": Reading(value=20.0, at=NOW),
        "stage": Reading(value=10.0, at=NOW),
        "flow": Reading(value=1.0, at=NOW),
        "gas": Reading(value="argon", at=NOW),
    },
)


def reason(asked: Order, **known) -> str:
    decided = decide(SAID, replace(AT_REST, **known), asked)
    return "" if decided.acts else str(decided.refusal or decided.answer)


def set_at(name: str, value: float, at: float) -> dict:
    return {name: Setpoint(value=value, at=at)}


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [
        ("stage", 0.0, "mm"),
        ("stage", 0, "mm"),
        ("stage", 95.0, "mm"),
        ("stage", 95_000, "um"),
        ("flow", -5.0, "L/min"),
        ("flow", 5, "L/min"),
        ("pump", 8.0, "mL"),
        ("pump", 0.008, "L"),
        ("heater", 10.0, "degC"),
        ("heater", 30.0, "degC"),
        ("heater", 303.15, "K"),
        ("gas", "nitrogen", None),
    ],
)
def test_what_lies_on_its_limit_is_allowed(name, value, unit):
    assert reason(order(**{name: (value, unit)})) == ""


def test_what_is_judged_is_handed_back_in_the_units_of_the_channels():
    asked = order(heater=(298.15, "K"), stage=(12_000, "um"), pump=(1, "mL"), gas=("argon", None))

    decided = decide(SAID, AT_REST, asked)

    assert decided.values == {
        "heater": pytest.approx(25),
        "stage": pytest.approx(12),
        "pump": 1.0,
        "gas": "argon",
    }
    assert type(decided.values["pump"]) is float
    assert settings(SAID, asked) == decided.values


def test_an_order_is_not_changed_after_it_was_made():
    content = {"flow": Asked(value=1.0, unit="L/min")}
    asked = Order(id="c1", mode="cold", content=content)

    content["flow"] = Asked(value=99.0, unit="L/min")

    assert decide(SAID, AT_REST, asked).values == {"flow": 1.0}


@pytest.mark.parametrize(
    ("known", "rule"),
    [
        ({"watched_at": NOW - 4}, ""),
        ({"watched_at": NOW - 4.5}, "watch"),
        ({"heartbeat_at": NOW - 4}, ""),
        ({"heartbeat_at": NOW - 4.5}, "heartbeat"),
        ({"watched_at": 333.0}, "watch"),
        ({"heartbeat_at": 333.0}, "heartbeat"),
        ({"latest": NOW - 1}, ""),
        ({"latest": NOW + 1}, "clock"),
    ],
)
def test_what_is_as_old_as_it_may_be_still_counts(known, rule):
    assert reason(order(flow=(1.0, "L/min")), **known).partition(":")[0] == rule


@pytest.mark.parametrize(("age", "allowed"), [(0.0, True), (2.0, True), (2.5, False), (-0.5, False)])
def test_a_read_back_is_fresh_or_it_is_none(age, allowed):
    readings = {**AT_REST.readings, "flow": Reading(value=1.0, at=NOW - age)}

    assert (reason(order(flow=(1.0, "L/min")), readings=readings) == "") is allowed


def test_a_channel_without_read_back_needs_none():
    joint = {name: AT_REST.readings[name] for name in ("heater", "stage")}

    assert reason(order(pump=(1.0, "mL")), readings=joint) == ""
    assert reason(order(flow=(1.0, "L/min")), readings=joint).startswith("read-back: flow: it was never read back")


def test_what_must_hold_between_channels_needs_a_read_back_of_each():
    lone = {"flow": AT_REST.readings["flow"], "heater": AT_REST.readings["heater"]}

    assert reason(order(flow=(1.0, "L/min")), readings=lone).startswith("read-back: stage")


@pytest.mark.parametrize(
    ("value", "setpoint", "read", "armed_at", "allowed"),
    [
        (30.0, None, 20.0, NOW - 50, True),  # 5 s at 2 degC/s, however long ago it was armed
        (30.001, None, 20.0, NOW - 50, False),
        (30.0, None, 20.0, 333.0, True),
        (24.0, None, 20.0, NOW - 2, True),
        (24.001, None, 20.0, NOW - 2, False),
        (20.0, None, 20.0, NOW, True),
        (16.0, None, 20.0, NOW - 2, True),
        (15.999, None, 20.0, NOW - 2, False),
        (22.0, Setpoint(value=20.0, at=NOW - 1), 20.0, NOW - 50, True),
        (22.001, Setpoint(value=20.0, at=NOW - 1), 20.0, NOW - 50, False),
        (22.001, Setpoint(value=21.0, at=NOW - 1), 20.0, NOW - 50, False),
        (22.001, Setpoint(value=20.0, at=NOW - 1), 21.0, NOW - 50, False),
        (22.5, Setpoint(value=21.0, at=NOW - 1), 21.0, NOW - 50, True),
        (20.1, Setpoint(value=20.0, at=NOW - 0.05), 20.0, NOW - 50, True),  # 20.1 - 20 is a little above 0.1
        (20.1001, Setpoint(value=20.0, at=NOW - 0.05), 20.0, NOW - 50, False),
    ],
)
def test_a_step_is_held_against_the_time_since_the_last_and_against_the_read_back(
    value, setpoint, read, armed_at, allowed
):
    readings = {**AT_REST.readings, "heater": Reading(value=read, at=NOW)}
    setpoints = {"heater": setpoint} if setpoint else {}

    found = reason(order(heater=(value, "degC")), readings=readings, setpoints=setpoints, armed_at=armed_at)

    assert found.partition(":")[0] == ("" if allowed else "rate")


def test_a_channel_that_is_named_after_one_without_a_rate_is_held_to_its_own():
    asked = order(stage=(10.0, "mm"), heater=(90.0, "degC"))

    assert reason(asked, armed_at=NOW - 2).startswith("rate: heater: found a step from 20 to 90")


@pytest.mark.parametrize(
    ("value", "doses", "allowed"),
    [
        (8.0, [(12.0, 10)], True),
        (8.0, [(12.001, 10)], False),
        (8.0, [(6.0, 10), (6.001, 20)], False),
        (8.0, [(-12.001, 10)], False),  # what was taken back was handled as well
        (8.0, [(12.001, 64)], False),
        (8.0, [(12.001, 64.5)], True),
        (8.0, [(12.001, 667)], True),
    ],
)
def test_a_dose_is_summed_over_its_window(value, doses, allowed):
    known = {"pump": tuple(Setpoint(value=amount, at=NOW - age) for amount, age in doses)}

    found = reason(order(pump=(value, "mL")), doses=known)

    assert found.partition(":")[0] == ("" if allowed else "dose")


@pytest.mark.parametrize(("value", "allowed"), [(0.2, True), (0.20001, False)])
def test_a_dose_is_not_refused_for_what_rounding_costs(value, allowed):
    small = limits(LIMITS.replace("most: 20", "most: 0.3"))  # 0.1 + 0.2 is a little more
    known = replace(AT_REST, armed=small.digest, doses={"pump": (Setpoint(value=0.1, at=NOW),)})

    assert decide(small, known, order(pump=(value, "mL"))).acts is allowed


def test_what_rounding_may_cost_ends_at_one_in_a_thousand_million():
    most, step = 4 * (1 + SLACK), 10 * (1 + SLACK)
    small = limits(LIMITS.replace("most: 20", "most: 4"))
    known = replace(AT_REST, armed=small.digest, readings={**AT_REST.readings, "heater": Reading(value=0.0, at=NOW)})

    def acts(**content: tuple[float, str]) -> bool:
        return decide(small, known, order(**content)).acts

    assert acts(pump=(most, "mL")) and not acts(pump=(math.nextafter(most, 9), "mL"))
    assert acts(heater=(step, "degC")) and not acts(heater=(math.nextafter(step, 99), "degC"))


def test_a_channel_without_a_rate_or_a_dose_is_not_held_to_those_of_others():
    asked = order(stage=(90.0, "mm"), heater=(20.0, "degC"), pump=(1.0, "mL"), flow=(5.0, "L/min"))

    assert reason(asked, setpoints=set_at("stage", 0.0, NOW), doses={"flow": (Setpoint(value=1e9, at=NOW),)}) == ""


@pytest.mark.parametrize(
    ("asked", "heater", "setpoint", "allowed"),
    [
        (order(stage=(95.0, "mm")), 20.0, None, True),
        (order(stage=(95.001, "mm")), 20.0, None, False),
        (order(stage=(95.0, "mm")), 20.0, 21.0, False),  # it is still on its way up
        (order(stage=(95.0, "mm")), 21.0, 20.0, False),  # it is still on its way down
        (order(stage=(94.0, "mm")), 20.0, 21.0, True),
        (order(flow=(1.0, "L/min")), 191.0, None, False),  # whatever is ordered, the whole state counts
    ],
)
def test_what_must_hold_between_channels_is_held_against_the_worse_of_read_and_set(asked, heater, setpoint, allowed):
    readings = {**AT_REST.readings, "heater": Reading(value=heater, at=NOW)}
    setpoints = {} if setpoint is None else set_at("heater", setpoint, NOW - 10)

    found = reason(asked, readings=readings, setpoints=setpoints)

    assert found.partition(":")[0] == ("" if allowed else "joint")


@pytest.mark.parametrize(
    ("stage", "read", "setpoint", "allowed"),
    [
        (0.0, 10.0, None, True),
        (0.0, 9.0, None, False),
        (0.0, 10.0, 9.0, False),
        (0.0, 9.0, 10.0, False),
        (45.0, 20.0, None, True),
        (45.0, 21.0, None, False),
        (45.0, 20.0, 21.0, False),
        (45.0, 21.0, 20.0, False),
    ],
)
def test_a_band_between_channels_is_kept_on_both_sides(stage, read, setpoint, allowed):
    readings = {**AT_REST.readings, "heater": Reading(value=read, at=NOW), "flow": Reading(value=-5.0, at=NOW)}
    setpoints = {} if setpoint is None else set_at("heater", setpoint, NOW - 10)
    asked = order(mode="hot", stage=(stage, "mm"))

    found = reason(asked, mode="hot", readings=readings, setpoints=setpoints)

    assert found.partition(":")[0] == ("" if allowed else "joint")


def test_the_digest_in_force_is_compared_by_what_it_says():
    assert reason(order(flow=(1.0, "L/min")), armed="".join(SAID.digest)) == ""


def test_motion_that_is_disabled_holds_only_what_moves():
    assert reason(order(flow=(1.0, "L/min")), motion=False) == ""
    assert reason(order(stage=(1.0, "mm")), motion=False).startswith("motion: stage")


def test_an_id_has_at_most_200_characters():
    assert reason(order("x" * 200, flow=(1.0, "L/min"))) == ""
    assert reason(order("x" * 201, flow=(1.0, "L/min"))).startswith("form: the id is 'xxxx")


def test_a_known_order_is_known_and_not_acted_on_again():
    asked = order(flow=(2, "L/min"))
    digest = decide(SAID, AT_REST, asked).digest

    again = decide(SAID, replace(AT_REST, seen={"c1": digest}), order(flow=(2.0, "L/min")))
    other = decide(SAID, replace(AT_REST, seen={"c1": digest}), order(flow=(3.0, "L/min")))
    unlike = decide(SAID, replace(AT_REST, mode="hot", seen={"c1": digest}), order(mode="hot", flow=(2.0, "L/min")))

    assert (again.answer, again.acts, again.values, again.digest) == (Answer.KNOWN, False, {}, digest)
    assert other.refusal.rule == unlike.refusal.rule == "replay"
    assert len(digest) == 64


def test_what_the_limits_alone_forbid_is_foreseen_without_an_instrument():
    assert foresee(SAID, order(stage=(50.0, "mm"), heater=(99.0, "degC"))) is None
    assert foresee(SAID, order(stage=(101.0, "mm"))).rule == "range"
    assert foresee(SAID, order(stage=(99.0, "mm"), heater=(99.0, "degC"))).rule == "joint"
    assert foresee(SAID, order(stage=(99.0, "mm"), heater=(99.0, "degC"), flow=(1.0, "L/min"))).rule == "joint"
    assert foresee(SAID, order(stage=(99.0, "mm"))) is None  # it depends on the heater


def test_there_is_a_rule_for_each_assumption():
    assert (len(STANDING), len(STATIC), len(LIVE)) == (5, 7, 7)


def test_a_rule_that_fails_refuses():
    decided = decide(SAID, replace(AT_REST, seen=None), order(flow=(1.0, "L/min")))

    assert decided.crashed
    assert decided.answer is Answer.REFUSED
    assert str(decided.refusal) == "crash: it failed: AttributeError. Look for the cause; two people reset it."
    assert not crashed(ValueError("x" * 10**6)).acts
    assert not decide(SAID, AT_REST, order(flow=(99.0, "L/min"))).crashed


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (order(""), "form: the id is ''; a text of 1 to 200 printable characters is one."),
        (order(), "form: 1 to 5 channels with a value each were expected. Order what is to be set."),
        (
            order(mode="x", flow=(1.0, "L/min")),
            "mode: found 'x', expected one of cold, hot, loading. Name one of them.",
        ),
        (order(gas=("air", None)), "range: gas: found 'air', expected one of argon, nitrogen. Stay within."),
        (order(flow=(9, "L/min")), "range: flow: found 9.0, expected -5 to 5 L/min. Stay within."),
        (order(flow=(9, "K")), "unit: flow: found 'K', expected 'L/min'. Send one of these."),
        (order(heater=(9, None)), "unit: heater: found None, expected 'K', 'degC'. Send one of these."),
        (
            order(heater=(90, "degC")),
            "rate: heater: found a step from 20 to 90, expected at most 10 by now. Take smaller steps, or wait.",
        ),
        (
            order(stage=(99, "mm")),
            "joint: with heater = 20, stage = 99 it would not hold that heater + 2 stage is at most 210. "
            "Order another state.",
        ),
        (
            order(mode="hot", gas=("argon", None)),
            "entered: found 'hot', but the instrument is in 'cold'. Enter the mode first.",
        ),
    ],
)
def test_a_refusal_says_what_was_found_what_was_expected_and_what_to_do(asked, words):
    assert reason(asked) == words


def test_a_read_back_that_is_not_good_is_said_as_it_was():
    readings = {**AT_REST.readings, "flow": Reading(value=1.0, at=NOW, quality=Quality.SUSPECT)}

    assert reason(order(flow=(1.0, "L/min")), readings=readings) == (
        "read-back: flow: it was read back as 1.0, suspect, and that is not good. See to it that the channel is read."
    )


def test_a_dose_too_much_is_said_with_its_window():
    doses = {"pump": (Setpoint(value=16.0, at=NOW),)}

    assert reason(order(pump=(8.0, "mL")), doses=doses) == (
        "dose: pump: found 24 in 64 s, expected at most 20. Order less, or wait."
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x" * 60, f"'{'x' * 60}'"),
        ("x" * 61, f"'{'x' * 60}' and 1 more"),
        ("x" * 200, f"'{'x' * 60}' and 140 more"),
        ("é\n", r"'\xe9\n'"),
        (2**60 - 1, "1152921504606846975"),
        (2**60, "a whole number of 61 bits"),
        (math.nan, "nan"),
        (None, "None"),
        (True, "True"),
        ([1], "something of type list"),
    ],
)
def test_what_a_stranger_sent_is_written_in_a_few_characters(value, text):
    assert shown(value) == text


def test_a_stranger_s_channel_is_not_repeated_whole():
    refusal = foresee(SAID, order(**{"x" * 10**6: (1.0, None)}))

    assert refusal.channel == "x" * LONGEST
    assert str(Refusal(rule="form", words="no")) == "form: no"


def test_a_whole_number_is_one_that_a_float_can_hold():
    channel = SAID.channels["flow"]

    assert is_value_of(channel, 2**1000 - 1)
    assert not is_value_of(channel, 2**1000)
    assert not is_value_of(channel, -(10**400))


hostile = st.one_of(
    st.sampled_from([math.nan, math.inf, -math.inf, 1e400, True, None, "25", "x" * 10**5, 10**400, -(10**500), b"1"]),
    st.floats(min_value=100.001),
    st.floats(max_value=-5.001),
    st.text(),
    st.lists(st.floats()),
)
anything = st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.binary(), st.lists(st.integers()))


@given(
    channel=st.sampled_from([*SAID.channels, "oven", "x" * 10**5]),
    value=hostile,
    unit=st.one_of(anything, st.sampled_from(["degC", "mm", "mL", "L/min", "K"])),
)
def test_no_hostile_value_is_admitted(channel, value, unit):
    if channel == "gas" and value in ("argon", "nitrogen"):
        return
    decided = decide(SAID, AT_REST, order(**{channel: (value, unit)}))

    assert not decided.acts
    assert not decided.crashed
    assert len(str(decided.refusal)) < 600


@given(command_id=anything, mode=anything, content=st.one_of(anything, st.dictionaries(st.text(), anything)))
def test_no_malformed_order_is_admitted_nor_fails_a_rule(command_id, mode, content):
    decided = decide(SAID, AT_REST, Order(id=command_id, mode=mode, content=content))

    assert not decided.acts
    assert not decided.crashed


TIGHTER = [
    (
        "heater: {unit: degC, units: [K], low: 0, high: 250",
        "heater: {{unit: degC, units: [K], low: {low}, high: {high}",
    ),
    ("per_s: 2", "per_s: {part}"),
    ("over_s: 5", "over_s: {part}"),
    ("most: 20", "most: {part}"),
    ("heartbeat_s: 4", "heartbeat_s: {part}"),
    ("<= 210", "<= {part}"),
    ("fresh_s: 2}", "fresh_s: {part}}}"),
    ("levels: [argon, nitrogen]", "levels: [argon]"),
    ("low: -5, high: 5", "low: {nearer}, high: {part}"),
]


@given(
    tighten=st.lists(st.sampled_from(TIGHTER), min_size=1, unique=True),
    part=st.floats(0.01, 1.99),
    asked=st.fixed_dictionaries(
        {"flow": st.floats(-6, 6)},
        optional={"heater": st.floats(9, 31), "stage": st.floats(0, 99), "pump": st.floats(0, 9)},
    ),
    age=st.floats(0, 5),
    gas=st.sampled_from([None, "argon", "nitrogen"]),
)
def test_tightening_a_limit_never_allows_more(tighten, part, asked, age, gas):
    text = LIMITS
    for old, new in tighten:
        change = new.format(part=part, low=part, high=99 + part, nearer=-part)
        text = text.replace(old, change)
    text = text.replace("safe_state: {heater: 20, gas: argon}", "safe_state: {heater: 50}")
    narrow = limits(text.replace("high: 100}, stage: ,", "high: 99}, stage: ,").replace("flow: {low: 0}", "flow: "))
    units = {"heater": "degC", "stage": "mm", "pump": "mL", "flow": "L/min"}
    content = {name: (value, units[name]) for name, value in asked.items()}
    wanted = order(**content, **({"gas": (gas, None)} if gas else {}))
    known = replace(AT_REST, heartbeat_at=NOW - age, armed_at=NOW - age, watched_at=NOW - age / 2)

    before = decide(SAID, known, wanted)
    after = decide(narrow, replace(known, armed=narrow.digest), wanted)

    assert before.acts or not after.acts
