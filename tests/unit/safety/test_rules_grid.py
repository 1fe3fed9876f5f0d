"""Every assumption that a decision rests on, broken alone, in every mode and for every set of channels."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import combinations

import numpy as np

from labwright.core.telemetry import Quality
from labwright.safety.envelope import Limits
from labwright.safety.refusal import Answer, Decided
from labwright.safety.rules import decide, foresee
from labwright.safety.situation import Asked, Order, Reading, Setpoint, Situation, Trip
from labwright.testing.oven import limits, order

LIMITS = limits()
NOW = 1000.0
UNITS = {"heater": "degC", "stage": "mm", "pump": "mL", "flow": "L/min", "gas": None}
ASKED = {"heater": 25.0, "stage": 12.0, "pump": 2.0, "flow": 1.5, "gas": "argon"}
READ = {"heater": 20.0, "stage": 10.0, "flow": 1.0, "gas": "argon"}
JOINT = {"cold": ("heater", "stage"), "hot": ("heater", "stage", "flow"), "loading": ("stage", "flow")}
TOO_FAR = {"cold": 99.0, "hot": 49.0, "loading": 80.0}  # of the stage, for what must hold between the channels


class Float(float):
    """A float that is none of Python's own."""


class Int(int):
    """An int that is none of Python's own."""


class Str(str):
    """A text that is none of Python's own."""


class Liar(type):
    """A type that says that it is any other."""

    __hash__ = type.__hash__

    def __eq__(cls, other: object) -> bool:
        return True

    def __ne__(cls, other: object) -> bool:
        return False


class LyingStr(str, metaclass=Liar):
    """A text that is none."""


class LyingFloat(float, metaclass=Liar):
    """A number that is none."""


class LyingInt(int, metaclass=Liar):
    """A whole number that is none."""


class LyingAsked(Asked, metaclass=Liar):
    """What is asked, and is not."""


class LyingDict(dict, metaclass=Liar):
    """A mapping that is none."""


@dataclass(frozen=True, kw_only=True)
class World:
    """All that a decision is made of."""

    limits: Limits | None
    situation: Situation
    order: Order

    def decided(self) -> Decided:
        return decide(self.limits, self.situation, self.order)

    def asking(self, **content: Asked) -> "World":
        return replace(self, order=replace(self.order, content={**self.order.content, **content}))

    def reading(self, name: str, **changes: object) -> "World":
        readings = {**self.situation.readings, name: replace(self.situation.readings[name], **changes)}
        return self.where(readings=readings)

    def where(self, **changes: object) -> "World":
        return replace(self, situation=replace(self.situation, **changes))


Way = tuple[str, str, Callable[[World], World]]


def world(mode: str, channels: tuple[str, ...]) -> World:
    content = {name: (ASKED[name], UNITS[name]) for name in channels}
    readings = {name: Reading(value=value, at=NOW - 1) for name, value in READ.items()}
    situation = Situation(
        now=NOW,
        latest=NOW - 1,
        armed=LIMITS.digest,
        armed_at=NOW - 50,
        mode=mode,
        watched_at=NOW - 1,
        heartbeat_at=NOW - 2,
        motion=True,
        readings=readings,
        setpoints={"heater": Setpoint(value=19.0, at=NOW - 10)},
        doses={"pump": (Setpoint(value=8.0, at=NOW - 100), Setpoint(value=8.0, at=NOW - 10))},
        seen={"c0": "something"},
    )
    return World(limits=LIMITS, situation=situation, order=order("c1", mode, **content))


def worlds() -> Iterator[World]:
    for mode, envelope in LIMITS.modes.items():
        for size in range(1, len(envelope.channels) + 1):
            yield from (world(mode, chosen) for chosen in combinations(envelope.channels, size))


def standing() -> Iterator[Way]:
    yield "no limits", "armed", lambda w: replace(w, limits=None)
    yield "not armed", "armed", lambda w: w.where(armed=None)
    for digit in "0f":
        yield f"armed with {digit}", "armed", lambda w, d=digit: w.where(armed=d * 64)
    yield "tripped", "trip", lambda w: w.where(trips=(Trip(reason="smoke"),))
    yield "the clock went back", "clock", lambda w: w.where(latest=NOW + 0.001)
    yield "the clock is NaN", "clock", lambda w: w.where(now=math.nan)
    for rule, name in (("watch", "watched_at"), ("heartbeat", "heartbeat_at")):
        for at in (None, NOW - 4.001, NOW + 0.001, math.nan):
            yield f"{name} {at}", rule, lambda w, n=name, a=at: w.where(**{n: a})


def forms() -> Iterator[Way]:
    for odd in ("", 7, None, "x" * 201, "x" * 10**6, "a\nb", "\ud800", "a\0", b"c1", Str("c1"), LyingStr("c1"), ["c1"]):
        yield f"id {odd!a:.20}", "form", lambda w, o=odd: replace(w, order=replace(w.order, id=o))
    for odd in ({}, [], None, "heater", 7, [("heater", 25)], LyingDict(heater=Asked(value=25.0, unit="degC"))):
        yield f"content {odd!r}", "form", lambda w, o=odd: replace(w, order=replace(w.order, content=o))
    many = {f"c{i}": Asked(value=1.0) for i in range(6)}
    yield "too many channels", "form", lambda w: replace(w, order=replace(w.order, content=many))
    yield "a channel that is a number", "form", lambda w: renamed(w, 7)
    yield "a channel of an odd type", "form", lambda w: renamed(w, Str(first(w)))
    yield "a channel of a lying type", "form", lambda w: renamed(w, LyingStr(first(w)))
    for odd in (25.0, (25.0, "degC"), None, {"value": 25.0}, LyingAsked(value=25.0, unit="degC")):
        yield f"asked {odd!r}", "form", lambda w, o=odd: w.asking(**{first(w): o})
    for odd in ("", "Cold", "frozen", None, 3, ["cold"], "x" * 10**6, Str("cold"), LyingStr("cold"), b"cold"):
        yield f"mode {odd!a:.20}", "mode", lambda w, o=odd: replace(w, order=replace(w.order, mode=o))
    for odd in ("Heater", "oven", "", "x" * 10**6, "heater ", "\ud800"):
        yield f"channel {odd!a:.20}", "channel", lambda w, o=odd: renamed(w, o)
    yield "the instrument is in another mode", "entered", lambda w: w.where(mode=other_mode(w))
    yield "the instrument is in no mode", "entered", lambda w: w.where(mode=None)
    for other in ("", "~"):
        yield f"the id is known as {other!r}", "replay", lambda w, o=other: w.where(seen={"c1": o})


def first(w: World) -> str:
    return next(iter(w.order.content))


def renamed(w: World, name: object) -> World:
    content = dict(w.order.content)
    content[name] = content.pop(first(w))
    return replace(w, order=replace(w.order, content=content))


def other_mode(w: World) -> str:
    return next(name for name in LIMITS.modes if name != w.order.mode)


def values_of(name: str) -> Iterator[Way]:
    """Yield every way to say a value or a unit wrongly."""
    asked = Asked(value=ASKED[name], unit=UNITS[name])
    if name == "gas":
        odd_values = (1, 1.0, True, None, Str("argon"), LyingStr("argon"), b"argon", ["argon"], math.nan)
        odd_units = ("1", "", "degC", 1, ["1"])
    else:
        number = ASKED[name]
        odd_values = (
            math.nan,
            math.inf,
            -math.inf,
            1e400,
            True,
            False,
            str(number),
            f"{number} mm",
            "",
            None,
            [number],
        )
        odd_values += (Decimal(number), Fraction(number), np.float64(number), np.int64(number), np.array(number))
        odd_values += (
            Float(number),
            Int(number),
            LyingFloat(number),
            LyingInt(number),
            complex(number),
            10**400,
            -(10**400),
            b"1",
            "9" * 10**6,
            {"x": 1},
        )
        odd_units = (
            None,
            "",
            "1",
            "kg",
            str(UNITS[name]).upper(),
            " mm",
            1,
            ["mm"],
            "x" * 10**6,
            "9**9**9**9",
            "\ud800",
        )
        odd_units += (Str(UNITS[name]), LyingStr(UNITS[name]))
    for value in odd_values:
        why = f"{name} is {type(value).__name__} {str(value)[:12]!a}"
        yield why, "value", lambda w, v=value: w.asking(**{name: replace(asked, value=v)})
    for unit in odd_units:
        yield f"{name} in {unit!a:.20}", "unit", lambda w, u=unit: w.asking(**{name: replace(asked, unit=u)})


def ranges_of(name: str, mode: str) -> Iterator[Way]:
    channel = LIMITS.modes[mode].channels[name]
    if name == "gas":
        beyond = ["Argon", "", "air", "x" * 10**6, *({"argon", "nitrogen"} - set(channel.levels))]
    else:
        low, high = channel.range
        beyond = [math.nextafter(low, -math.inf), math.nextafter(high, math.inf), low - 1, high + 1, -1e308, 1e308]
        beyond += [int(high) + 1, 10**300]
    for value in beyond:
        asked = Asked(value=value, unit=UNITS[name])
        yield f"{name} is {str(value)[:24]}", "range", lambda w, a=asked: w.asking(**{name: a})
    for unit in channel.units:
        asked = Asked(value=1e7, unit=unit)
        yield f"{name} is 1e7 {unit}", "range", lambda w, a=asked: w.asking(**{name: a})


def read_backs_of(name: str) -> Iterator[Way]:
    def missing(w: World) -> World:
        return w.where(readings={n: r for n, r in w.situation.readings.items() if n != name})

    yield f"{name} was never read", "read-back", missing
    odd = (1.0, None, True) if name == "gas" else (math.nan, math.inf, "20", None, True, np.float64(20.0))
    changes = [{"at": NOW - 2.001}, {"at": NOW + 0.001}, {"at": math.nan}, {"at": -math.inf}]
    changes += [{"quality": Quality.SUSPECT}, {"quality": Quality.BAD}, {"quality": "good"}, {"quality": None}]
    changes += [{"value": value} for value in odd]
    for change in changes:
        yield f"{name} was read with {change}", "read-back", lambda w, c=change: w.reading(name, **c)


def histories_of(name: str, mode: str) -> Iterator[Way]:
    """Yield what the instrument's state and past forbid to one channel."""
    if name == "stage":
        far = Asked(value=TOO_FAR[mode], unit="mm")
        yield "stage while motion is disabled", "motion", lambda w: w.where(motion=False)
        yield "stage too far for the others", "joint", lambda w: w.asking(stage=far)
    if name == "heater":
        steep = Asked(value=30.5, unit="degC")
        near = {"heater": Setpoint(value=14.5, at=NOW - 10)}
        soon = {"heater": Setpoint(value=20.0, at=NOW - 2.25)}
        yield "heater too far from where it was read", "rate", lambda w: w.asking(heater=steep)
        yield "heater too far from where it was set", "rate", lambda w: w.where(setpoints=near)
        yield "heater too soon after it was set", "rate", lambda w: w.where(setpoints=soon)
        yield "heater too soon after arming", "rate", lambda w: w.where(setpoints={}, armed_at=NOW - 2.25)
    if name == "pump":
        for age in (0.0, 64.0):
            spent = {"pump": (Setpoint(value=18.5, at=NOW - age),)}
            yield f"pump after a dose {age} s ago", "dose", lambda w, s=spent: w.where(doses=s)


def ways(w: World) -> Iterator[Way]:
    mode = str(w.order.mode)
    yield from standing()
    yield from forms()
    for name in w.order.content:
        yield from values_of(name)
        yield from ranges_of(name, mode)
        yield from histories_of(name, mode)
        if name not in LIMITS.modes["loading"].channels:
            yield (
                f"{name} in a mode without it",
                "channel",
                lambda w: replace(w, order=replace(w.order, mode="loading")),
            )
    for name in dict.fromkeys([*w.order.content, *JOINT[mode]]):
        if name != "pump":
            yield from read_backs_of(name)


def cases() -> Iterator[tuple[World, Way]]:
    return ((base, way) for base in worlds() for way in ways(base))


def test_each_broken_assumption_alone_is_refused_by_its_own_rule():
    wrong = []
    for base, (name, rule, broken) in cases():
        decided = broken(base).decided()
        found = decided.refusal.rule if decided.refusal else decided.answer
        if found != rule or decided.acts or decided.values or len(str(decided.refusal)) > 600:
            wrong.append(f"{base.order.mode} {list(base.order.content)}: {name}: {found}, not {rule}")

    assert wrong == []
    assert sum(1 for _ in cases()) >= 1000


def test_with_every_assumption_kept_each_order_is_allowed():
    answers = {tuple(w.order.content): (w.decided().answer, foresee(LIMITS, w.order)) for w in worlds()}

    assert set(answers.values()) == {(Answer.ACT, None)}
    assert len(answers) == 31
