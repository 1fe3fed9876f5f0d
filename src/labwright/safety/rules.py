"""The rules: each looks at one assumption and says why not, or nothing. What no rule allows is refused.

Pre-flight and device ask the same functions: `foresee` those that need no instrument, `decide` all of them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import mul
from types import MappingProxyType
from typing import TypeAlias, cast

from labwright.core.restriction import SLACK, LinearConstraint
from labwright.core.telemetry import Quality
from labwright.core.values import Value, canonical, digest, show
from labwright.safety.envelope import Channel, Envelope, Limits
from labwright.safety.refusal import Answer, Decided, Refusal, refused, shortened, shown
from labwright.safety.situation import Asked, Order, Reading, Situation

LONGEST_ID = 200

StaticRule: TypeAlias = Callable[[Limits, Order], Refusal | None]
LiveRule: TypeAlias = Callable[[Limits, Situation, Order], Refusal | None]


def decide(limits: Limits | None, situation: Situation, order: Order) -> Decided:
    """Say whether an order may be acted on now: total, pure, and no unless every rule has nothing against it."""
    try:
        return _decide(limits, situation, order)
    except Exception as error:  # whatever it was: a rule that fails has not said yes
        return crashed(error)


def crashed(error: Exception) -> Decided:
    """Return the answer of a rule, or of a monitor, that failed."""
    words = f"it failed: {shortened(type(error).__name__)}. Look for the cause; two people reset it."
    return Decided(answer=Answer.REFUSED, refusal=refused("crash", words), crashed=True)


def _decide(limits: Limits | None, situation: Situation, order: Order) -> Decided:
    if not limits:
        return _no(refused("armed", "no limits are in force. Arm the instrument with a signed limits file."))
    refusal = _first(rule(limits, situation, order) for rule in STANDING) or foresee(limits, order)
    if refusal:
        return _no(refusal)
    values = settings(limits, order)
    asked = digest(canonical({"mode": str(order.mode), "values": values}))
    if situation.seen.get(str(order.id)) == asked:
        return Decided(answer=Answer.KNOWN, digest=asked)
    refusal = _first(rule(limits, situation, order) for rule in LIVE)
    return _no(refusal) if refusal else Decided(answer=Answer.ACT, values=values, digest=asked)


def foresee(limits: Limits, order: Order) -> Refusal | None:
    """Say what the limits alone have against an order, whatever the instrument does at that moment."""
    return _first(rule(limits, order) for rule in STATIC)


def settings(limits: Limits, order: Order) -> dict[str, Value]:
    """Return what an order that `foresee` allows would set, in the units of the channels."""
    channels = _envelope(limits, order).channels
    return {name: _in_own_unit(channels[name], asked) for name, asked in _content(order).items()}


def is_value_of(channel: Channel, value: object) -> bool:
    """Say whether a value is a word for a channel of words, a plain finite number for one of numbers."""
    if channel.levels:
        return type(value) is str
    if type(value) is int:
        return value.bit_length() <= 1000  # beyond about 1e301 no float is sure to hold it
    return type(value) is float and math.isfinite(value)


def _no(refusal: Refusal) -> Decided:
    return Decided(answer=Answer.REFUSED, refusal=refusal)


def _first(refusals: Iterable[Refusal | None]) -> Refusal | None:
    return next((refusal for refusal in refusals if refusal is not None), None)


def _content(order: Order) -> Mapping[str, Asked]:
    return cast("Mapping[str, Asked]", order.content)


def _envelope(limits: Limits, order: Order) -> Envelope:
    return limits.modes[str(order.mode)]


def _in_own_unit(channel: Channel, asked: Asked) -> Value:
    if isinstance(asked.value, str):
        return asked.value
    scale = channel.scales[cast("str | None", asked.unit)]
    return scale.factor * float(cast("float", asked.value)) + scale.offset


# Whether anything may be ordered at all.


def _armed(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    if situation.armed == limits.digest:
        return None
    return refused("armed", "the instrument is not armed with these limits. Arm it, naming their digest.")


def _untripped(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    if not situation.trips:
        return None
    reason = situation.trips[0].reason
    return refused("trip", f"it is tripped: {reason}. Remove the cause; two people reset it, and one arms it again.")


def _clock(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    if situation.now >= situation.latest:
        return None
    return refused("clock", f"the clock went from {situation.latest} s back to {situation.now} s. Mend the clock.")


def _watched(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    if is_recent(situation.watched_at, situation.now, limits.heartbeat_s):
        return None
    return refused("watch", f"nobody has watched the heartbeat for {limits.heartbeat_s} s. Start the dead man's watch.")


def _alive(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    if is_recent(situation.heartbeat_at, situation.now, limits.heartbeat_s):
        return None
    words = f"no heartbeat came for {limits.heartbeat_s} s. See whether the controlling program still runs."
    return refused("heartbeat", words)


def is_recent(at: float | None, now: float, most_s: float) -> bool:
    """Say whether something was at most so long ago, and not in a time to come."""
    return at is not None and 0 <= now - at <= most_s


# What the limits alone say of an order.


def _formed(limits: Limits, order: Order) -> Refusal | None:
    name, content = order.id, order.content
    if type(name) is not str or not name or len(name) > LONGEST_ID or not name.isprintable():
        return refused("form", f"the id is {shown(name)}; a text of 1 to {LONGEST_ID} printable characters is one.")
    if type(content) is not MappingProxyType or not content or len(content) > len(limits.channels):
        most = len(limits.channels)
        return refused("form", f"1 to {most} channels with a value each were expected. Order what is to be set.")
    if any(type(key) is not str or type(asked) is not Asked for key, asked in content.items()):
        return refused("form", "channels are named by texts, each with a value and a unit. Order it so.")
    return None


def _moded(limits: Limits, order: Order) -> Refusal | None:
    if type(order.mode) is str and order.mode in limits.modes:
        return None
    return refused("mode", f"found {shown(order.mode)}, expected one of {', '.join(limits.modes)}. Name one of them.")


def _named(limits: Limits, order: Order) -> Refusal | None:
    allowed = _envelope(limits, order).channels
    for name in _content(order):
        if name not in allowed:
            words = f"found {shown(name)}, expected one of {', '.join(allowed)}. Name one, or ask for another mode."
            return refused("channel", words, name)
    return None


def _valued(limits: Limits, order: Order) -> Refusal | None:
    for channel, asked in _asked(limits, order):
        if not is_value_of(channel, asked.value):
            return refused("value", f"found {shown(asked.value)}, expected {channel.words}. Send one.", channel.name)
    return None


def _united(limits: Limits, order: Order) -> Refusal | None:
    for channel, asked in _asked(limits, order):
        is_unit = asked.unit is None or type(asked.unit) is str
        if not is_unit or asked.unit not in channel.scales:
            units = ", ".join(shown(unit) for unit in channel.scales)
            return refused("unit", f"found {shown(asked.unit)}, expected {units}. Send one of these.", channel.name)
    return None


def _ranged(limits: Limits, order: Order) -> Refusal | None:
    for channel, asked in _asked(limits, order):
        value = _in_own_unit(channel, asked)
        if not channel.allows(value):
            return refused("range", f"found {shown(value)}, expected {channel.words}. Stay within.", channel.name)
    return None


def _jointly_named(limits: Limits, order: Order) -> Refusal | None:
    values = {name: (value,) for name, value in settings(limits, order).items()}
    joint = _envelope(limits, order).joint
    return _unkept((c for c in joint if c.coefficients.keys() <= values.keys()), values)


def _asked(limits: Limits, order: Order) -> Iterator[tuple[Channel, Asked]]:
    channels = _envelope(limits, order).channels
    return ((channels[name], asked) for name, asked in _content(order).items())


# What the instrument and its past say of an order.


def _in_mode(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    if situation.mode == order.mode:
        return None
    words = f"found {shown(order.mode)}, but the instrument is in {shown(situation.mode)}. Enter the mode first."
    return refused("entered", words)


def _unlike_seen(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    if str(order.id) not in situation.seen:
        return None
    return refused("replay", f"the id {shown(order.id)} asked for something else before. Give each order its own id.")


def _movable(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    for channel, _ in _asked(limits, order):
        if channel.moves and not situation.motion:
            return refused("motion", "motion is disabled, and setting it moves. Enable motion first.", channel.name)
    return None


def _fresh(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    joint = (name for constraint in _envelope(limits, order).joint for name in constraint.coefficients)
    for name in dict.fromkeys([*_content(order), *joint]):
        channel = limits.channels[name]
        if channel.fresh_s is None:
            continue
        found = _doubt(channel, channel.fresh_s, situation.readings.get(name), situation.now)
        if found:
            return refused("read-back", f"{found}. See to it that the channel is read.", name)
    return None


def _doubt(channel: Channel, fresh_s: float, reading: Reading | None, now: float) -> str | None:
    if not reading:
        return "it was never read back"
    if not is_recent(reading.at, now, fresh_s):
        return f"it was read back at {reading.at} s of {now} s, and at most {fresh_s} s ago was expected"
    if reading.quality is not Quality.GOOD or not is_value_of(channel, reading.value):
        return f"it was read back as {shown(reading.value)}, {shortened(str(reading.quality))}, and that is not good"
    return None


def _slow(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    for name, value in settings(limits, order).items():
        rate, last = limits.channels[name].rate, situation.setpoints.get(name)
        if not rate:
            continue
        since = last.at if last else situation.armed_at
        most = rate.per_s * min(situation.now - since, rate.over_s)
        for found in _places(situation, name):
            if not abs(float(value) - float(found)) <= most * (1 + SLACK):
                words = f"found a step from {show(found)} to {show(value)}, expected at most {show(most)} by now"
                return refused("rate", f"{words}. Take smaller steps, or wait.", name)
    return None


def _sparing(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    for name, value in settings(limits, order).items():
        dose = limits.channels[name].dose
        if not dose:
            continue
        recent = [d.value for d in situation.doses.get(name, ()) if situation.now - d.at <= dose.window_s]
        total = math.fsum(abs(float(amount)) for amount in (*recent, value))
        if not total <= dose.most * (1 + SLACK):
            words = f"found {show(total)} in {show(dose.window_s)} s, expected at most {show(dose.most)}"
            return refused("dose", f"{words}. Order less, or wait.", name)
    return None


def _jointly(limits: Limits, situation: Situation, order: Order) -> Refusal | None:
    """Hold the whole state to come against what must hold between its numbers.

    Another channel may still be on its way from where it was read to where it was last set: the worse counts.
    """
    joint, values = _envelope(limits, order).joint, settings(limits, order)
    names = {name for constraint in joint for name in constraint.coefficients}
    return _unkept(joint, {n: (values[n],) if n in values else _places(situation, n) for n in names})


def _places(situation: Situation, name: str) -> tuple[Value, ...]:
    """Return where a channel was read to be, and where it was last set."""
    last = situation.setpoints.get(name)
    return (situation.readings[name].value, *((last.value,) if last else ()))


def _unkept(joint: Iterable[LinearConstraint], options: Mapping[str, Sequence[Value]]) -> Refusal | None:
    for constraint in joint:
        for worst in (min, max):
            found = {
                name: worst(map(float, options[name]), key=partial(mul, factor))
                for name, factor in constraint.coefficients.items()
            }
            if not constraint.holds(found):
                state = ", ".join(f"{name} = {show(value)}" for name, value in found.items())
                return refused("joint", f"with {state} it would not hold that {constraint}. Order another state.")
    return None


STANDING: tuple[LiveRule, ...] = (_untripped, _armed, _clock, _watched, _alive)
STATIC: tuple[StaticRule, ...] = (_formed, _moded, _named, _valued, _united, _ranged, _jointly_named)
LIVE: tuple[LiveRule, ...] = (_in_mode, _unlike_seen, _movable, _fresh, _slow, _sparing, _jointly)
