"""What is ordered, and what is known of the instrument at that moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from labwright.core.telemetry import Quality
from labwright.core.values import Value


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of one channel: nothing in it has been checked."""

    value: object
    unit: object = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be set under one command id, in the mode that the sender believes in: nothing has been checked."""

    id: object
    mode: object
    content: object

    def __post_init__(self) -> None:
        if type(self.content) is dict:  # nobody changes it between the decision and the deed
            object.__setattr__(self, "content", MappingProxyType(dict(self.content)))


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a channel was read to be, in its own unit, at a time of the monotonic clock."""

    value: Value
    at: float
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, kw_only=True)
class Setpoint:
    """What a channel was last set to, in its own unit, and when."""

    value: Value
    at: float


@dataclass(frozen=True, kw_only=True)
class Trip:
    """Why work was ended until two people look."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that a decision rests on; times are seconds of one monotonic clock.

    `latest`: when anything was last recorded; `armed`: the digest of the limits in force; `watched_at`: when the dead
    man's watch last looked; `doses`: what was ordered of a channel, and when; `seen`: the digest of what each command
    id asked for.
    """

    now: float
    latest: float
    armed_at: float
    armed: str | None = None
    mode: str | None = None
    trips: tuple[Trip, ...] = ()
    watched_at: float | None = None
    heartbeat_at: float | None = None
    motion: bool = False
    readings: Mapping[str, Reading] = field(default_factory=dict)
    setpoints: Mapping[str, Setpoint] = field(default_factory=dict)
    doses: Mapping[str, tuple[Setpoint, ...]] = field(default_factory=dict)
    seen: Mapping[str, str] = field(default_factory=dict)
