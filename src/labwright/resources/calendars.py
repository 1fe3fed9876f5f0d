"""Calendars in the iCalendar format (RFC 5545): the times in which something is taken, read and written."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, tzinfo
from importlib.util import find_spec
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from labwright.core.availability import Busy
from labwright.core.errors import InvalidInput, MissingExtra


def read_calendar(path: Path, start: datetime, end: datetime, zone: tzinfo) -> list[Busy]:
    """Return the events of a calendar between two moments, with those that recur; a day without a zone is in `zone`.

    An event that is cancelled, or that its calendar shows as free, takes no time. A file that is none raises
    InvalidInput.
    """
    _require("The calendar")
    import icalendar
    import recurring_ical_events

    try:
        calendar = icalendar.Calendar.from_ical(path.read_bytes())
        found = recurring_ical_events.of(calendar).between(start, end)
        return [
            Busy(start=_moment(e.start, zone), end=_moment(e.end, zone), why=str(e.get("SUMMARY") or "taken"))
            for e in found
            if str(e.get("STATUS")) != "CANCELLED" and str(e.get("TRANSP")) != "TRANSPARENT"
        ]
    except OSError as error:
        raise InvalidInput(f"The calendar {path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # a stranger's file, and the libraries raise whatever they met
        raise InvalidInput(f"{path} is no calendar that can be read (iCalendar, RFC 5545): {error}") from error


def write_calendar(name: str, times: Sequence[Busy]) -> bytes:
    """Return a calendar of these times; the same times make the same events."""
    _require("A calendar")
    import icalendar

    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Labwright//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    for busy in times:
        event = icalendar.Event()
        event.add("uid", str(uuid5(NAMESPACE_URL, f"{name} {busy.start.isoformat()} {busy.why}")))
        event.add("dtstamp", busy.start.astimezone(UTC))
        event.add("dtstart", busy.start.astimezone(UTC))
        event.add("dtend", busy.end.astimezone(UTC))
        event.add("summary", busy.why)
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _moment(found: date, zone: tzinfo) -> datetime:
    if not isinstance(found, datetime):
        return datetime.combine(found, time(0), zone)
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def _require(what: str) -> None:
    if find_spec("icalendar") is None or find_spec("recurring_ical_events") is None:
        raise MissingExtra("calendar", what)
