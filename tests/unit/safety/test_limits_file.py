import pytest

from labwright.core.errors import InvalidInput, NotAuthorised
from labwright.safety.envelope import Dose, Rate
from labwright.safety.limits_file import digest_of, read_limits
from labwright.safety.signature import PURPOSE, public_key, sign
from labwright.testing.oven import KEY, LIMITS, limits

OTHER = bytes(range(1, 33))


def problem(old: str, new: str) -> str:
    """Return what is said of the oven's limits with one thing changed."""
    assert old in LIMITS
    with pytest.raises(InvalidInput) as caught:
        limits(LIMITS.replace(old, new, 1))
    return str(caught.value)


def test_a_signed_file_says_what_may_be_asked_of_an_instrument():
    said = limits()

    heater, gas, cold = said.channels["heater"], said.channels["gas"], said.modes["cold"]
    assert (said.version, said.instrument, said.simulated, said.heartbeat_s) == (3, "oven", True, 4)
    assert said.safe_state == {"heater": 20, "gas": "argon"}
    assert said.stop_is_safe is False
    assert (heater.range, heater.rate, heater.fresh_s) == ((0, 250), Rate(per_s=2, over_s=5), 2)
    assert said.channels["pump"].dose == Dose(most=20, window_s=64)
    assert (gas.levels, gas.range, gas.rate, gas.dose) == (("argon", "nitrogen"), (1.0, 0.0), None, None)
    assert [name for name, channel in said.channels.items() if channel.moves] == ["stage"]
    assert said.channels["pump"].fresh_s is None
    assert cold.mode == "cold"
    assert cold.channels["heater"].range == (0, 100)
    assert cold.channels["heater"].rate == heater.rate
    assert said.modes["hot"].channels["gas"].levels == ("argon",)
    assert list(said.modes["loading"].channels) == ["stage", "pump", "flow", "gas"]
    assert [str(constraint) for constraint in cold.joint] == ["heater + 2 stage is at most 210"]
    assert said.digest == digest_of(LIMITS.encode())


def test_a_rate_counts_a_second_where_nothing_else_is_said():
    assert limits(LIMITS.replace(", over_s: 5", "")).channels["heater"].rate == Rate(per_s=2, over_s=1)


def test_other_units_are_a_factor_and_an_offset():
    scales = limits().channels["heater"].scales

    assert set(scales) == {"K", "degC"}
    assert (scales["K"].factor, scales["K"].offset) == (pytest.approx(1), pytest.approx(-273.15))
    assert (scales["degC"].factor, scales["degC"].offset) == (1, 0)
    assert limits().channels["stage"].scales["um"].factor == pytest.approx(0.001)
    assert set(limits().channels["gas"].scales) == {None}


def test_what_a_channel_allows_ends_at_its_limits():
    flow, gas = limits().channels["flow"], limits().channels["gas"]

    assert [flow.allows(value) for value in (-5.1, -5, 0, 5, 5.1, float("nan"), "5")] == [0, 1, 1, 1, 0, 0, 0]
    assert [gas.allows(value) for value in ("argon", "Argon", "", 1.0, 0.5)] == [1, 0, 0, 0, 0]
    assert (flow.words, gas.words) == ("-5 to 5 L/min", "one of argon, nitrogen")
    assert limits(LIMITS.replace("unit: L/min, ", "")).channels["flow"].words == "-5 to 5"


@pytest.mark.parametrize(("length", "read"), [(100, True), (101, False)])
@pytest.mark.parametrize("old", ["argon", "flow"])
def test_names_have_at_most_100_characters(old, length, read):
    text = LIMITS.replace(old, "x" * length)

    if read:
        assert limits(text).version == 3
    else:
        with pytest.raises(InvalidInput, match="String should have at most 100 characters"):
            limits(text)


def test_one_of_several_trusted_keys_is_enough():
    data = LIMITS.encode()

    assert read_limits(data, sign(data, KEY), [public_key(OTHER), public_key(KEY)]).version == 3


@pytest.mark.parametrize(
    ("signature", "trusted"),
    [
        (sign(LIMITS.encode(), OTHER), [public_key(KEY)]),
        (sign(LIMITS.encode(), KEY), []),
        (sign(LIMITS.encode() + b" ", KEY), [public_key(KEY)]),
        (b"", [public_key(KEY)]),
        (bytes(64), [public_key(KEY), public_key(OTHER)]),
    ],
)
def test_a_file_that_nobody_trusted_signed_is_not_read(signature, trusted):
    with pytest.raises(NotAuthorised, match=rf"^lim.yaml: its signature was .* one of {len(trusted)} trusted keys"):
        read_limits(LIMITS.encode(), signature, trusted, "lim.yaml")


def test_a_signature_for_another_purpose_is_none():
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    bare = Ed25519PrivateKey.from_private_bytes(KEY).sign(LIMITS.encode())

    with pytest.raises(NotAuthorised):
        read_limits(LIMITS.encode(), bare, [public_key(KEY)])
    assert PURPOSE.endswith(b"\n")


def test_any_change_of_the_bytes_breaks_the_signature():
    data = LIMITS.encode()
    signature = sign(data, KEY)

    for i in range(0, len(data), 7):
        changed = data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
        with pytest.raises(NotAuthorised):
            read_limits(changed, signature, [public_key(KEY)])


def test_a_trusted_key_of_another_kind_is_said():
    with pytest.raises(InvalidInput, match=r"^limits: found a trusted key of 5 bytes, expected 32 raw ones"):
        read_limits(b"", b"", [b"short"])


def test_a_file_that_is_no_text_is_said_with_the_byte():
    data = b"version: 3\n\xff"

    with pytest.raises(InvalidInput, match=r"^limits: byte 11 is no UTF-8. Save the file as UTF-8 and sign it."):
        read_limits(data, sign(data, KEY), [public_key(KEY)])


HEATER = "heater: {unit: degC, units: [K], low: 0, high: 250, rate: {per_s: 2, over_s: 5}, fresh_s: 2}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 3", "version: 3\nversion: 4", "line 2: the key 'version' stands twice; the first is on line 1."),
        ("version: 3", "version: [", "line 3: this is not YAML"),
        ("version: 3\n", "", "line 1: version: found 'instrument', 'simulated', 'heartbeat_s', "),
        ("version: 3", "version: 0", "line 1: version: found 0. Input should be greater than 0. Change it."),
        ("version: 3", "version: 3.5", "line 1: version: found 3.5."),
        ("version: 3", "version: true", "line 1: version: found True."),
        ("version: 3", "version: '3'", "line 1: version: found '3'."),
        ("instrument: oven", "instrument: 7", "line 2: instrument: found 7."),
        ("instrument: oven", "instrument: ''", "line 2: instrument: found ''."),
        ("simulated: true", "simulated: 1", "line 3: simulated: found 1."),
        ("simulated: true", "simulated: 'true'", "line 3: simulated: found 'true'."),
        ("heartbeat_s: 4", "heartbeat_s: .nan", "line 4: heartbeat_s: found nan."),
        ("heartbeat_s: 4", "heartbeat_s: .inf", "line 4: heartbeat_s: found inf."),
        ("heartbeat_s: 4", "heartbeat_s: true", "line 4: heartbeat_s: found True."),
        ("heartbeat_s: 4", "heartbeat_s: '4'", "line 4: heartbeat_s: found '4'."),
        ("heartbeat_s: 4", "heartbeat_s: 0", "line 4: heartbeat_s: found 0, expected a finite number above 0."),
        ("heartbeat_s: 4", "heartbeat_s: 0.0", "line 4: heartbeat_s: found 0, expected a finite number above 0."),
        (
            "heartbeat_s: 4",
            "hartbeat_s: 4",
            "line 1: heartbeat_s: found 'version', 'instrument', 'simulated', 'hartbeat_s'",
        ),
        ("heartbeat_s: 4\n", "", "line 1: heartbeat_s: found 'version', 'instrument', 'simulated', 'safe_state'"),
        ("{heater: 20, gas: argon}", "{}", "line 5: safe_state: found nothing; say to what at least one channel"),
        ("{heater: 20, gas: argon}", "{lamp: 20}", "line 5: safe_state: found 'lamp', expected one of the channels: "),
        ("{heater: 20, gas: argon}", "{heater: 251}", "line 5: safe_state: heater: found 251, expected 0 to 250 degC"),
        ("{heater: 20, gas: argon}", "{gas: air}", "line 5: safe_state: gas: found air, expected one of argon, nit"),
        ("{heater: 20, gas: argon}", "{gas: 1}", "line 5: safe_state: gas: found 1, expected one of argon"),
        ("{heater: 20, gas: argon}", "{heater: warm}", "line 5: safe_state: heater: found warm, expected 0 to 250"),
        ("{heater: 20, gas: argon}", "{heater: true}", "line 5: safe_state.heater"),
        ("low: 0, high: 250", "low: 1, high: 0", "line 7: heater: found low 1 and high 0, expected two finite"),
        ("low: 0, high: 250", "high: 250", "line 7: heater: found low None and high 250, expected two finite"),
        ("low: 0, high: 250", "low: 0", "line 7: heater: found low 0 and high None, expected two finite"),
        ("low: 0, high: 250", "low: -.inf, high: 250", "line 7: channels.heater.low: found -inf."),
        ("low: 0, high: 250", "low: 0, hihg: 250", "line 7: channels.heater.hihg: found 250. Nothing reads this key."),
        ("low: 0, high: 250", "low: 0, high: 1e400", "line 7: channels.heater.high: found '1e400'."),
        ("low: 0, high: 250", "low: 0, high: '250'", "line 7: channels.heater.high: found '250'."),
        ("unit: degC", "unit: flurb", "line 7: 'flurb' is not a unit"),
        ("units: [K]", "units: [m]", "line 7: heater: units: 'm' cannot be converted to 'degC': another dimension"),
        ("unit: mL, units: [L]", "unit: mL, units: [dB]", "line 9: pump: units: 'dB' cannot be converted to 'mL'"),
        ("unit: mL, units: [L]", "unit: '1', units: [dB]", "line 9: pump: units: found 'dB', which is no multiple of"),
        ("unit: mL, units: [L]", "units: [dB]", "line 9: pump: units: found 'dB', which is no multiple of"),
        ("per_s: 2", "per_s: 0", "line 7: heater: rate.per_s: found 0, expected a finite number above 0. Change it."),
        ("over_s: 5", "over_s: -1", "line 7: heater: rate.over_s: found -1, expected"),
        ("per_s: 2", "per_s: .inf", "line 7: channels.heater.rate.per_s: found inf."),
        (
            "per_s: 2",
            "fast: 2",
            "line 7: channels.heater.rate.per_s: found 'fast', 'over_s'. A key is missing here. Add",
        ),
        (", fresh_s: 2}", "}", "line 7: heater: found a rate without fresh_s; a rate is held against a read-back."),
        (", fresh_s: 2}", ", fresh_s: 0}", "line 7: heater: fresh_s: found 0, expected"),
        ("levels: [argon, nitrogen], fresh_s: 2", "levels: [a], fresh_s: -1", "line 11: gas: fresh_s: found -1, exp"),
        ("most: 20", "most: 0", "line 9: pump: dose.most: found 0, expected"),
        ("window_s: 64", "window_s: -64", "line 9: pump: dose.window_s: found -64, expected"),
        ("window_s: 64", "window: 64", "line 9: channels.pump.dose.window_s: found 'most', 'window'."),
        ("levels: [argon, ", "levels: [1, ", "line 11: channels.gas.levels.0: found 1."),
        ("levels: [argon, ", "levels: [off, ", "line 11: channels.gas.levels.0: found False."),
        ("levels: [argon,", "low: 0, levels: [argon,", "line 11: gas: levels are words; low, high, unit, units, rate"),
        ("levels: [argon,", "high: 0, levels: [argon,", "line 11: gas: levels are words"),
        ("levels: [argon,", "unit: mm, levels: [argon,", "line 11: gas: levels are words"),
        ("levels: [argon,", "units: [mm], levels: [argon,", "line 11: gas: "),
        ("levels: [argon,", "rate: {per_s: 1}, levels: [argon,", "line 11: gas: levels are words"),
        ("levels: [argon,", "dose: {most: 1, window_s: 1}, levels: [argon,", "line 11: gas: levels are words"),
        ("moves: true", "moves: 1", "line 8: channels.stage.moves: found 1."),
        (
            "{high: 100}",
            "{high: 251}",
            "line 14: modes: cold: channels: heater: found 0 to 251 degC, expected nothing beyond",
        ),
        (
            "{high: 100}",
            "{low: -1}",
            "line 14: modes: cold: channels: heater: found -1 to 250 degC, expected nothing beyond the",
        ),
        ("{high: 100}", "{low: 101, high: 100}", "line 14: heater: found low 101 and high 100, expected"),
        ("{high: 100}", "{unit: K}", "line 14: modes.cold.channels.heater.unit: found 'K'. Nothing reads this key."),
        ("{high: 100}", "{levels: [hot]}", "line 14: heater: levels are words"),
        ("{high: 100}, stage: ,", "{high: 100}, lamp: ,", "line 14: lamp: expected one of the channels: heater, stage"),
        (
            "levels: [argon]}",
            "levels: [argon, air]}",
            "line 17: modes: hot: channels: gas: found one of argon, air, expected",
        ),
        ("levels: [argon]}", "levels: []}", "line 17: gas: found low None and high None"),
        ("levels: [argon]}", "low: 0}", "line 17: gas: levels are words"),
        (
            "[heater + 2*stage <= 210]",
            "[lamp <= 210]",
            "line 15: modes: cold: joint: lamp is at most 210: found 'lamp'",
        ),
        ("[heater + 2*stage <= 210]", "[gas <= 2]", "line 15: modes: cold: joint: gas is at most 2: gas was found to"),
        ("[heater + 2*stage <= 210]", "[pump <= 2]", "line 15: modes: cold: joint: pump is at most 2: pump was found"),
        ("[heater + 2*stage <= 210]", "[heater < 2]", "line 15: found 'heater < 2'; only <= and >="),
        ("[heater + 2*stage <= 210]", "[heater <= 1e999]", "line 15: "),
        ("[heater + 2*stage <= 210]", "[__import__('os')]", "line 15: found \"__import__('os')\"; a sum of channels"),
        ("[heater + 2*stage <= 210]", "[7]", "line 15: modes.cold.joint.0: found 7."),
    ],
)
def test_what_is_wrong_is_said_with_its_line_what_was_found_and_what_to_do(old, new, said):
    assert problem(old, new).startswith(f"limits.yaml: {said}")


def test_a_mode_names_at_least_one_channel():
    text = LIMITS + "  idle:\n    channels: {}\n"

    with pytest.raises(
        InvalidInput, match=r"^limits.yaml: line 22: modes: idle: found no channel; a mode refuses what"
    ):
        limits(text)


@pytest.mark.parametrize("text", ["", "7", "[]", "version: 3"])
def test_a_file_that_says_nothing_of_limits_is_refused(text):
    with pytest.raises(InvalidInput, match=r"^limits.yaml: line 1: "):
        limits(text)


def test_every_key_that_is_wrong_is_said():
    with pytest.raises(InvalidInput) as caught:
        limits(LIMITS.replace("version: 3", "version: x").replace("moves: true", "moves: x"))

    assert [line[:20] for line in str(caught.value).splitlines()] == ["limits.yaml: line 1:", "limits.yaml: line 8:"]


def test_a_mode_may_be_as_wide_as_the_channel_and_a_channel_may_have_one_value():
    said = limits(LIMITS.replace("{high: 100}", "{low: 0, high: 250}").replace("low: -5, high: 5", "low: 0, high: 0"))

    assert said.modes["cold"].channels["heater"].range == (0, 250)
    assert said.channels["flow"].range == (0, 0)


def test_a_file_may_say_that_the_instruments_own_stop_is_its_safe_state():
    assert limits(LIMITS.replace("channels:\n", "stop_is_safe: true\nchannels:\n", 1)).stop_is_safe is True


def test_what_is_wrong_inside_a_channel_is_said_with_its_own_line():
    one = "heater: {unit: degC, units: [K], low: 0, high: 250, rate: {per_s: 2, over_s: 5}, fresh_s: 2}"
    lines = "heater:\n    unit: degC\n    units: [bar]\n    low: 0\n    high: 250\n    fresh_s: 2"

    with pytest.raises(InvalidInput, match=r"^limits\.yaml: line 9: heater: units: "):
        limits(LIMITS.replace(one, lines))
