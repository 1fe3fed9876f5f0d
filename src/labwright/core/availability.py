"""When a resource is to be had: its hours, its calendars, and what must hold of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from labwright.core.errors import InvalidInput
from labwright.core.telemetry import Quality, Sample
from labwright.core.units import convert, parse_quantity
from labwright.core.values import Value, is_number, show

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CONDITION = re.compile(
    r"^\s*(?:(?P<resource>[A-Za-z_]\w*)\.)?(?P<channel>[A-Za-z_]\w*)\s*(?P<sign><=|>=|=)\s*(?P<value>\S.*?)\s*$"
)


@dataclass(frozen=True, kw_only=True)
class Hours:
    """From when to when, on some days of the week, 0 for Monday; an end of midnight is that of the day's end."""

    days: frozenset[int]
    opens: time
    closes: time

    def holds(self, now: datetime) -> bool:
        """Whether a local time lies within."""
        before_closing = self.closes == time(0) or now.time() < self.closes
        return now.weekday() in self.days and self.opens <= now.time() and before_closing


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What must hold of a channel, as read back: of `resource`, or of the resource itself where that is None."""

    text: str
    resource: str | None
    channel: str
    sign: str
    value: Value
    unit: str | None = None

    def why_not(self, found: Sample | None) -> str | None:
        """Say why it does not hold of what was read; None where it does. What is not known does not hold."""
        if found is None:
            return f"{self.text} is not known: {self.channel} cannot be read"
        if found.quality is not Quality.GOOD:
            return f"{self.text} is not known: {self.channel} was read as {show(found.value)}, and is {found.quality}"
        return None if self._holds(found) else f"{self.text} does not hold: {self.channel} is {_shown(found)}"

    def _holds(self, found: Sample) -> bool:
        if isinstance(self.value, str) or isinstance(found.value, str):
            return self.sign == "=" and str(found.value) == str(self.value)
        limit = float(self.value)
        if self.unit is not None:
            limit = convert(limit, self.unit, found.unit, self.text)
        value = float(found.value)
        return {"<=": value <= limit, ">=": value >= limit, "=": value == limit}[self.sign]


@dataclass(frozen=True, kw_only=True)
class Availability:
    """When nothing is begun on a resource: outside its `hours`, during events of its `calendars`, without its `needs`.

    `calendars` are iCalendar files. Without `hours` it is open always. `timezone`: in which the hours are meant.
    """

    timezone: ZoneInfo
    hours: tuple[Hours, ...] = ()
    calendars: tuple[str, ...] = ()
    needs: tuple[Condition, ...] = ()

    def is_open(self, now: datetime) -> bool:
        """Whether a moment lies within the hours."""
        local = now.astimezone(self.timezone)
        return not self.hours or any(hours.holds(local) for hours in self.hours)


@dataclass(frozen=True, kw_only=True)
class Busy:
    """A time in which nothing is begun, and why."""

    start: datetime
    end: datetime
    why: str

    def touches(self, start: datetime, end: datetime) -> bool:
        """Whether it has a moment in common with a time; one that ends as the other begins has none."""
        return (self.start < end and start < self.end) or self.start <= start < self.end


def read_hours(said: Mapping[str, str]) -> tuple[Hours, ...]:
    """Read hours as `mon-fri: 08:00-18:00`; raises InvalidInput."""
    found = []
    for days, span in said.items():
        opens, _, closes = span.partition("-")
        try:
            start, end = time.fromisoformat(opens.strip()), _end(closes.strip())
        except ValueError as error:
            raise InvalidInput(f"{days}: found {span!r}, expected hours as 08:00-18:00.") from error
        if end != time(0) and end <= start:
            raise InvalidInput(f"{days}: found {span!r}; hours over midnight are those of two days. Write both.")
        found.append(Hours(days=_days(days), opens=start, closes=end))
    return tuple(found)


def read_condition(text: str) -> Condition:
    """Read what must hold, as `door = closed` or `chiller.water <= 15 degC`; raises InvalidInput."""
    found = _CONDITION.match(text)
    if found is None:
        raise InvalidInput(
            f"found {text!r}, expected a channel, one of = <= >=, and a value, as 'door = closed' or "
            "'chiller.water <= 15 degC'."
        )
    value, unit = _value(found["value"])
    if isinstance(value, str) and found["sign"] != "=":
        raise InvalidInput(f"found {text!r}; a word is compared by = only.")
    return Condition(
        text=text.strip(),
        resource=found["resource"],
        channel=found["channel"],
        sign=found["sign"],
        value=value,
        unit=unit,
    )


def _value(text: str) -> tuple[Value, str | None]:
    if re.match(r"[-+.\d]", text):
        return parse_quantity(text, "here")
    return text.strip("\"'"), None


def _end(text: str) -> time:
    return time(0) if text == "24:00" else time.fromisoformat(text)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise InvalidInput(f"{text}: found {part!r}, expected days as mon, mon-fri or sat,sun.")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}
    return frozenset(found)


def _shown(found: Sample) -> str:
    number = is_number(found.value) and found.unit and found.unit != "1"
    return f"{show(found.value)} {found.unit}" if number else show(found.value)


def first_busy(times: Sequence[Busy], start: datetime, end: datetime) -> Busy | None:
    """Return the first of some times that has a moment in common with another."""
    return next((busy for busy in sorted(times, key=lambda b: b.start) if busy.touches(start, end)), None)
