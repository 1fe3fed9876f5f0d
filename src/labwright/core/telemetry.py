"""What a resource tells all the time while it works: channels, their samples, and where there were none."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from labwright.core.errors import InvalidInput
from labwright.core.units import parse_unit
from labwright.core.values import Value, is_number


class Kind(StrEnum):
    """What a channel's samples are."""

    NUMBER = "number"
    WORD = "word"


class Quality(StrEnum):
    """How far a sample can be trusted, as of an observation; the first is the best."""

    GOOD = "good"
    SUSPECT = "suspect"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One thing that is sampled. Beyond `low` and `high`, in `unit`, a sample is suspect."""

    id: str
    unit: str | None = None
    kind: Kind = Kind.NUMBER
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.unit is not None:
            parse_unit(self.unit)

    def judge(self, value: object, quality: Quality) -> tuple[Value, Quality]:
        """Return the value as it is kept, and how far it can be trusted; what is not of the channel's kind is bad."""
        if self.kind is Kind.WORD:
            return (value, quality) if isinstance(value, str) else (str(value), Quality.BAD)
        if isinstance(value, bool):
            return int(value), quality
        if not isinstance(value, int | float) or not is_number(value) or not math.isfinite(value):
            return math.nan, Quality.BAD
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        inside = low <= value <= high
        return value, quality if inside or quality is Quality.BAD else Quality.SUSPECT


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a channel was read to be, when it was asked for. `unit` None: the resource does not say."""

    value: Value
    unit: str | None = None
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A time, in seconds since 1970, of which nothing is known of a channel, and why; None: of all channels."""

    channel: str | None
    start: float
    end: float
    why: str


class Stream(Protocol):
    """Where a resource puts the samples of one command, as they come: late, twice or in any order."""

    def add(self, channel: str, at: float, value: object, quality: Quality = Quality.GOOD) -> None:
        """Take one sample, measured at a time of the source's clock in seconds since 1970; never waits."""
        ...

    def gap(self, gap: Gap) -> None:
        """Take note that samples are missing."""
        ...


Streaming: TypeAlias = AbstractAsyncContextManager[Stream]


def by_id(channels: Sequence[Channel]) -> Mapping[str, Channel]:
    """Return channels by their id; two of one id raise InvalidInput."""
    found = {channel.id: channel for channel in channels}
    if len(found) != len(channels):
        raise InvalidInput(
            f"Two channels have one id among {', '.join(c.id for c in channels)}. Name each differently."
        )
    return found
