"""A command as orders to a monitor, and what the limits alone say of it."""

from dataclasses import replace

import pytest

from labwright.core.campaign import Guard
from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Command
from labwright.core.errors import InvalidInput
from labwright.core.verdict import ALLOWED, Action, Decision, Plan
from labwright.safety.orders import GuardReviewer, Orders, orders_of
from labwright.safety.situation import Asked
from labwright.testing.oven import LIMITS, limits

WITH_CAPABILITY = LIMITS.replace("channels:\n  heater", "channels:\n  capability: {levels: [heat, home]}\n  heater")
SAID = WITH_CAPABILITY.replace("channels: {heater", "channels: {capability: , heater").replace(
    "channels: {stage: , pump", "channels: {capability: {levels: [home]}, stage: , pump"
)
HEAT = Capability(
    name="heat",
    inputs=(Input(name="temperature", unit="degC"), Input(name="gas"), Input(name="stage", unit="mm")),
    outputs=(Output(name="y"),),
    batch=2,
)
HOME = Capability(name="home", inputs=(), outputs=())
KNOWN = {"heat": HEAT, "home": HOME}
GUARD = Guard(limits="limits.yaml", mode="cold", channels={"temperature": "heater"})


def orders(guard=GUARD, capabilities=KNOWN):
    return Orders(guard=guard, capabilities=capabilities)


def command(**changes):
    told = {"command_id": "c1", "epoch": 1, "capability": "heat", "inputs": {"temperature": 50.0, "gas": "argon"}}
    return Command(**{**told, **changes})


def test_each_input_sets_its_channel_in_the_unit_of_the_capability_and_the_capability_is_a_word_besides():
    [order] = orders().of(command())

    assert (order.id, order.mode) == ("c1", "cold")
    assert dict(order.content) == {
        "capability": Asked(value="heat"),
        "heater": Asked(value=50.0, unit="degC"),
        "gas": Asked(value="argon"),
    }


def test_a_word_has_no_unit_even_where_one_is_declared():
    [order] = orders().of(command(inputs={"temperature": "hot"}))

    assert order.content["heater"] == Asked(value="hot", unit=None)


def test_each_trial_of_a_batch_is_an_order_with_an_id_of_its_own():
    found = orders().of(command(batch=({"temperature": 50.0}, {"temperature": 60.0})))

    assert [order.id for order in found] == ["c1#0", "c1#1"]
    assert [order.content["heater"].value for order in found] == [50.0, 60.0]


def test_a_channel_named_for_one_capability_goes_before_one_named_for_all():
    guard = Guard(limits="", mode="cold", channels={"temperature": "heater", "heat.temperature": "stage"})

    assert orders(guard).channel("heat", "temperature") == "stage"
    assert orders(guard).channel("cool", "temperature") == "heater"
    assert orders(guard).channel("cool", "flow") == "flow"


def test_an_input_that_nobody_declared_has_no_unit_and_the_channels_say_no():
    [order] = orders().of(command(capability="unheard", inputs={"x": 1.0}))

    assert order.content["x"] == Asked(value=1.0, unit=None)


WHOLE = {"temperature": 50.0, "gas": "argon", "stage": 1.0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": WHOLE}, None),
        ({"batch": (WHOLE, WHOLE)}, None),
        ({"capability": "home", "inputs": {}}, None),
        ({"capability": "cool"}, "it has no capability 'cool'; it has heat, home."),
        ({"capability": ["heat"]}, "it has no capability something of type list; it has heat, home."),
        ({}, "heat was given 'temperature', 'gas'; it takes gas, stage, temperature."),
        ({"inputs": {**WHOLE, "x": 1}}, "heat was given 'temperature', 'gas', 'stage', 'x'; it takes gas, stage, temp"),
        ({"batch": (WHOLE, {})}, "heat was given nothing; it takes gas, stage, temperature."),
        ({"batch": (WHOLE, WHOLE, WHOLE)}, "heat was given 3 trials; it takes 2 at once."),
        ({"command_id": None, "inputs": WHOLE}, "the command id is None; a text is one."),
    ],
)
def test_a_command_that_is_none_of_the_resource_is_malformed(changes, words):
    said = orders().malformed(command(**changes))

    assert said == words or (words is not None and said.startswith(words))


def test_an_input_that_is_not_required_may_be_left_out():
    known = {"heat": replace(HEAT, inputs=tuple(replace(i, required=i.name == "gas") for i in HEAT.inputs))}

    assert orders(capabilities=known).malformed(command(inputs={"gas": "argon"})) is None


def test_what_fits_the_limits_is_taken():
    assert list(orders().problems(limits(SAID))) == []
    assert orders_of(GUARD, KNOWN, limits(SAID), "oven.guard") == orders()


@pytest.mark.parametrize(
    ("guard", "capabilities", "text", "words"),
    [
        (
            Guard(limits="", mode="tepid"),
            KNOWN,
            SAID,
            "the mode 'tepid' is none of the limits', which has cold, hot",
        ),
        (
            Guard(limits="", mode="cold", channels={"temperature": "heater", "heat.pressure": "pump"}),
            KNOWN,
            SAID,
            r"channels: heat.pressure is no input of it; it has heat.gas, heat.stage, heat.temperature",
        ),
        (GUARD, KNOWN, LIMITS, r"allow no capability of it in the mode cold.*levels: \[heat, home\]"),
        (
            Guard(limits="", mode="cold"),
            {"home": replace(HOME, name="cool")},
            SAID,
            "allow no capability of it in the mode cold",
        ),
        (
            Guard(limits="", mode="cold", channels={"temperature": "stage"}),
            KNOWN,
            SAID,
            "heat: two of its inputs, or one and `capability`, set one channel",
        ),
        (
            Guard(limits="", mode="cold", channels={"temperature": "capability"}),
            KNOWN,
            SAID,
            "heat: two of its inputs, or one and `capability`, set one channel",
        ),
        (
            Guard(limits="", mode="cold"),
            KNOWN,
            SAID,
            "heat.temperature sets the channel 'temperature', and the mode cold names capability, heater, stage",
        ),
        (
            GUARD,
            {"heat": Capability(name="heat", inputs=(Input(name="temperature", unit="degF"),), outputs=())},
            SAID,
            "heat.temperature comes in degF, the channel heater takes K, degC",
        ),
    ],
)
def test_what_can_never_be_right_is_said_with_its_place(guard, capabilities, text, words):
    with pytest.raises(InvalidInput, match=rf"^oven.guard: .*{words}"):
        orders_of(guard, capabilities, limits(text), "oven.guard")


def test_a_channel_named_by_the_input_alone_or_with_its_capability_is_known():
    guard = Guard(limits="", mode="cold", channels={"heat.temperature": "heater", "gas": "gas"})

    assert list(orders(guard).problems(limits(SAID))) == []


def test_an_input_without_a_unit_may_set_a_channel_of_words_whatever_its_unit():
    known = {"heat": Capability(name="heat", inputs=(Input(name="gas", unit="degC"),), outputs=())}

    assert list(orders(GUARD.__class__(limits="", mode="cold"), known).problems(limits(SAID))) == []


def test_a_capability_that_the_mode_does_not_name_may_have_inputs_that_it_does_not_name():
    guard = Guard(limits="", mode="loading")

    assert list(orders(guard).problems(limits(SAID))) == []


def test_before_a_trial_the_limits_alone_refuse_what_they_never_allow():
    reviewer = GuardReviewer({"oven": (limits(SAID), orders())})
    good = Action(resource="oven", capability="heat", inputs={"temperature": 60.0, "gas": "argon", "stage": 1.0})
    bad = Action(resource="oven", capability="heat", inputs={"temperature": 160.0, "gas": "argon", "stage": 1.0})
    other = Action(resource="pump", capability="heat", inputs={"temperature": 160.0})

    assert reviewer(Plan(point={}, actions=(good, other))) == ALLOWED
    verdict = reviewer(Plan(point={}, actions=(good, bad)))
    assert verdict.decision is Decision.REFUSE
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith("oven.heat: range: heater: found 160.0, expected 0 to 100 degC")
