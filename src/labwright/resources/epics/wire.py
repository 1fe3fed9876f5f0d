"""What goes over the wire: readings and errors, between EPICS's words and ours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from labwright.core.telemetry import Quality
from labwright.core.values import Value
from labwright.resources.epics.engineering import Pv

ALARMS = (
    *("NO_ALARM", "READ", "WRITE", "HIHI", "HIGH", "LOLO", "LOW", "STATE", "COS", "COMM", "TIMEOUT", "HWLIMIT", "CALC"),
    *("SCAN", "LINK", "SOFT", "BAD_SUB", "UDF", "DISABLE", "SIMM", "READ_ACCESS", "WRITE_ACCESS"),
)  # as Channel Access numbers them
SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")
UNDEFINED = "UDF"


class Refused(Exception):
    """The IOC will not do it, or it cannot be sent; it is not lost."""


class Lost(Exception):
    """The connection broke, or the IOC did not answer in time: nobody knows whether the request arrived."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A PV as it was read: its value, the IOC's time in seconds since 1970, and its alarm."""

    value: object
    at: float
    severity: int
    status: str

    @property
    def quality(self) -> Quality:
        """How far the IOC trusts it: what is INVALID is no value."""
        return (Quality.GOOD, Quality.SUSPECT, Quality.SUSPECT, Quality.BAD)[min(self.severity, 3)]

    @property
    def alarm(self) -> str:
        """The alarm in EPICS's words."""
        return f"{SEVERITIES[min(self.severity, 3)]} ({self.status})"


Tell = Callable[[Reading | None], None]  # None: it is not connected


class Transport(Protocol):
    """Speaks to PVs by their bare names; `words`: the choices of an enum, whose values are read as words.

    Each request raises Lost or Refused. A put is sent once, and never again on a new connection.
    """

    async def describe(self, name: str, *, within_s: float) -> Pv:
        """Read what the IOC says of it."""
        ...

    async def get(self, name: str, *, words: bool, within_s: float) -> Reading:
        """Read it now."""
        ...

    async def put(self, name: str, value: Value, *, words: bool, within_s: float, complete: bool) -> None:
        """Put a value, and wait until the IOC has it; `complete`: until it has carried it out."""
        ...

    async def put_anew(self, name: str, value: Value, *, words: bool, within_s: float) -> None:
        """Put a value over a new connection, and wait until the IOC has it."""
        ...

    def watch(self, name: str, tell: Tell, *, words: bool) -> Callable[[], None]:
        """Have every change told in the event loop, and each loss; returns what ends it."""
        ...

    def close(self) -> None:
        """End it."""
        ...
