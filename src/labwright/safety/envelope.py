"""What may be asked of an instrument: its channels, and the envelope of each mode, as declared and signed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from labwright.core.errors import InvalidInput
from labwright.core.restriction import LinearConstraint
from labwright.core.units import convert, parse_unit
from labwright.core.values import Value, show


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How fast a channel may be changed, in its unit; time without an order counts for at most `over_s`."""

    per_s: float
    over_s: float


@dataclass(frozen=True, kw_only=True)
class Dose:
    """The most that may be ordered of a channel, in sum and in its unit, within any `window_s` seconds."""

    most: float
    window_s: float


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How a number in another unit becomes one in the channel's own: `factor * number + offset`."""

    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One thing that may be set: a number from `low` to `high` in `unit`, or one of the words `levels`.

    `units`: other units in which it may be ordered; `fresh_s`: how old its read-back may be, None where it has none;
    `moves`: whether setting it is motion.
    """

    name: str
    unit: str | None = None
    units: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    rate: Rate | None = None
    dose: Dose | None = None
    fresh_s: float | None = None
    moves: bool = False
    scales: Mapping[str | None, Scale] = field(init=False)

    def __post_init__(self) -> None:
        _check_channel(self)
        found = {unit: _scale(unit, self) for unit in self.units}
        object.__setattr__(self, "scales", MappingProxyType({**found, self.unit: Scale()}))

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest number; a channel of words allows no number."""
        return (1.0, 0.0) if self.low is None or self.high is None else (self.low, self.high)

    def allows(self, value: Value) -> bool:
        """Say whether a number in the channel's unit, or a word, is in its limits; NaN is not."""
        low, high = self.range
        return value in self.levels if isinstance(value, str) else low <= value <= high

    @property
    def words(self) -> str:
        """What is allowed, for people."""
        if self.levels:
            return f"one of {', '.join(self.levels)}"
        return f"{show(self.low)} to {show(self.high)}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What one mode allows: its channels, each as narrow as the mode says, and what must hold between all numbers."""

    mode: str
    channels: Mapping[str, Channel]
    joint: tuple[LinearConstraint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Limits:
    """All that one signed file says of one instrument; `digest` is the sha256 of its bytes.

    `stop_is_safe`: its own stop brings the instrument to the safe state, so that nothing is to be set besides.
    """

    version: int
    instrument: str
    simulated: bool
    heartbeat_s: float
    safe_state: Mapping[str, Value]
    channels: Mapping[str, Channel]
    modes: Mapping[str, Envelope]
    digest: str
    stop_is_safe: bool

    def __post_init__(self) -> None:
        _above_0("heartbeat_s", self.heartbeat_s)
        if not self.safe_state:
            raise InvalidInput("safe_state: found nothing; say to what at least one channel is set when work stops.")
        for name, value in self.safe_state.items():
            channel = _known("safe_state", name, self.channels)
            if not channel.allows(value):
                raise InvalidInput(
                    f"safe_state: {name}: found {show(value)}, expected {channel.words}: a safe state lies within the "
                    "limits of its channel. Change one of the two."
                )
        for envelope in self.modes.values():
            _check_envelope(envelope, self.channels)


_NOT_OF_WORDS = (None, None, None, (), None, None)


def _check_channel(channel: Channel) -> None:
    name, (low, high) = channel.name, channel.range
    if channel.unit is not None:
        parse_unit(channel.unit)
    for place, number in _durations(channel):
        _above_0(f"{name}: {place}", number)
    if channel.levels:
        if (channel.low, channel.high, channel.unit, channel.units, channel.rate, channel.dose) != _NOT_OF_WORDS:
            raise InvalidInput(f"{name}: levels are words; low, high, unit, units, rate and dose go with numbers only.")
        return
    if not (low <= high and math.isfinite(low) and math.isfinite(high)):
        raise InvalidInput(
            f"{name}: found low {show(channel.low)} and high {show(channel.high)}, expected two finite numbers, low "
            "not above high, or a list of levels. Every channel has limits: give them."
        )
    if channel.rate and channel.fresh_s is None:
        raise InvalidInput(f"{name}: found a rate without fresh_s; a rate is held against a read-back. Give fresh_s.")


def _durations(channel: Channel) -> list[tuple[str, float]]:
    found = [] if channel.fresh_s is None else [("fresh_s", channel.fresh_s)]
    if channel.rate:
        found += [("rate.per_s", channel.rate.per_s), ("rate.over_s", channel.rate.over_s)]
    if channel.dose:
        found += [("dose.most", channel.dose.most), ("dose.window_s", channel.dose.window_s)]
    return found


def _above_0(place: str, number: float) -> None:
    if not (number > 0 and math.isfinite(number)):
        raise InvalidInput(f"{place}: found {show(number)}, expected a finite number above 0. Change it.")


def _scale(unit: str, channel: Channel) -> Scale:
    """Return how a unit is converted; only what is a factor and an offset can be, so that rules need no library."""
    place = f"{channel.name}: units"
    at_0, at_1, at_7 = (convert(number, unit, channel.unit or "1", place) for number in (0.0, 1.0, 7.0))
    scale = Scale(factor=at_1 - at_0, offset=at_0)
    if not math.isclose(at_7, 7 * scale.factor + scale.offset, rel_tol=1e-9):
        raise InvalidInput(f"{place}: found {unit!r}, which is no multiple of {channel.unit!r}. Leave it out.")
    return scale


def _known(place: str, name: str, channels: Mapping[str, Channel]) -> Channel:
    if name not in channels:
        raise InvalidInput(f"{place}: found {name!r}, expected one of the channels: {_listed(channels)}. Change it.")
    return channels[name]


def _check_envelope(envelope: Envelope, channels: Mapping[str, Channel]) -> None:
    place = f"modes: {envelope.mode}"
    if not envelope.channels:
        raise InvalidInput(f"{place}: found no channel; a mode refuses what it does not name. Name one, or drop it.")
    for name, narrow in envelope.channels.items():
        wide = _known(f"{place}: channels", name, channels)
        if not _within(narrow, wide):
            raise InvalidInput(
                f"{place}: channels: {name}: found {narrow.words}, expected nothing beyond the channel's own limits, "
                f"{wide.words}. Narrow the mode."
            )
    for constraint in envelope.joint:
        for name in constraint.coefficients:
            channel = _known(f"{place}: joint: {constraint}", name, channels)
            if channel.levels or channel.fresh_s is None:
                raise InvalidInput(
                    f"{place}: joint: {constraint}: {name} was found to have no number that is read back, and one was "
                    "expected. Give it low, high and fresh_s, or leave it out here."
                )


def _within(narrow: Channel, wide: Channel) -> bool:
    if wide.levels:
        return set(narrow.levels) <= set(wide.levels)
    return wide.range[0] <= narrow.range[0] and narrow.range[1] <= wide.range[1]


def _listed(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(names)
