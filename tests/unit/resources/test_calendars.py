"""Calendars as other programs write them, and as we do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from labwright.core.availability import Busy
from labwright.core.errors import InvalidInput
from labwright.resources.calendars import read_calendar, write_calendar

BERLIN = ZoneInfo("Europe/Berlin")
CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y//
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Berlin:20261019T080000
DTEND;TZID=Europe/Berlin:20261019T100000
RRULE:FREQ=WEEKLY;COUNT=3
EXDATE;TZID=Europe/Berlin:20261102T080000
SUMMARY:Maintenance
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTAMP:20260101T000000Z
DTSTART;VALUE=DATE:20261021
DTEND;VALUE=DATE:20261022
SUMMARY:Beam down
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTAMP:20260101T000000Z
DTSTART:20261022T080000Z
DTEND:20261022T090000Z
STATUS:CANCELLED
SUMMARY:Off
END:VEVENT
BEGIN:VEVENT
UID:4
DTSTAMP:20260101T000000Z
DTSTART:20261022T080000Z
DTEND:20261022T090000Z
TRANSP:TRANSPARENT
SUMMARY:Reminder
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")
START, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


def test_events_that_recur_keep_their_local_time_over_the_end_of_summer(tmp_path):
    (tmp_path / "oven.ics").write_text(CALENDAR)

    found = sorted(read_calendar(tmp_path / "oven.ics", START, END, BERLIN), key=lambda b: b.start)

    assert [(b.start.astimezone(UTC).isoformat(), b.why) for b in found] == [
        ("2026-10-19T06:00:00+00:00", "Maintenance"),
        ("2026-10-20T22:00:00+00:00", "Beam down"),
        ("2026-10-26T07:00:00+00:00", "Maintenance"),
    ]
    assert found[1].end - found[1].start == timedelta(days=1)


def test_what_is_written_is_read_again(tmp_path):
    times = [
        Busy(start=START, end=START + timedelta(hours=2), why="Ada: beamtime; with, odd\nsigns"),
        Busy(start=START + timedelta(days=3), end=START + timedelta(days=4), why="oven.heat of trial a/1"),
    ]

    written = write_calendar("oven", times)
    (tmp_path / "out.ics").write_bytes(written)

    assert read_calendar(tmp_path / "out.ics", START - timedelta(days=1), END, BERLIN) == times
    assert write_calendar("oven", times) == written


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"hello", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"])
def test_a_file_that_is_no_calendar_is_refused_by_its_name(tmp_path, content):
    if content is not None:
        (tmp_path / "oven.ics").write_bytes(content)

    with pytest.raises(InvalidInput, match=r"oven\.ics"):
        read_calendar(tmp_path / "oven.ics", START, END, BERLIN)
