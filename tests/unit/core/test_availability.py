"""When a resource is to be had: hours, conditions, and times that meet."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.availability import Availability, Busy, first_busy, read_condition, read_hours
from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.telemetry import Quality, Sample

BERLIN = ZoneInfo("Europe/Berlin")


def open_at(hours, *when):
    return Availability(timezone=BERLIN, hours=read_hours(hours)).is_open(datetime(*when, tzinfo=BERLIN))


def test_it_is_open_from_the_first_minute_to_before_the_last_on_its_days():
    hours = {"mon-fri": "08:00-18:00", "sat": "09:00-12:00"}

    assert open_at(hours, 2026, 11, 23, 8, 0)
    assert open_at(hours, 2026, 11, 27, 17, 59)
    assert not open_at(hours, 2026, 11, 23, 7, 59)
    assert not open_at(hours, 2026, 11, 23, 18, 0)
    assert open_at(hours, 2026, 11, 28, 9, 0)
    assert not open_at(hours, 2026, 11, 28, 12, 0)
    assert not open_at(hours, 2026, 11, 29, 10, 0)


def test_hours_are_those_of_the_zone_in_summer_and_in_winter():
    said = Availability(timezone=BERLIN, hours=read_hours({"mon-sun": "08:00-18:00"}))

    assert said.is_open(datetime(2026, 7, 1, 6, 0, tzinfo=UTC))
    assert not said.is_open(datetime(2026, 12, 1, 6, 0, tzinfo=UTC))


def test_days_may_go_over_the_weekend_and_a_day_may_last_to_its_end():
    assert open_at({"fri-mon": "20:00-24:00"}, 2026, 11, 23, 23, 59)
    assert open_at({"fri-mon": "20:00-24:00"}, 2026, 11, 27, 20, 0)
    assert not open_at({"fri-mon": "20:00-24:00"}, 2026, 11, 24, 21, 0)
    assert open_at({"tue,thu": "00:00-24:00"}, 2026, 11, 26, 0, 0)


def test_without_hours_it_is_open_always():
    assert open_at({}, 2026, 11, 29, 3, 0)


@pytest.mark.parametrize(
    ("days", "span", "words"),
    [
        ("mon", "8-18", "found '8-18', expected hours as 08:00-18:00"),
        ("mon", "22:00-06:00", "hours over midnight are those of two days"),
        ("mon", "08:00-08:00", "hours over midnight"),
        ("mond", "08:00-18:00", "expected days as mon, mon-fri"),
        ("mon-x", "08:00-18:00", "expected days"),
        ("mon", "08:00", "expected hours"),
    ],
)
def test_hours_that_cannot_be_read_are_refused(days, span, words):
    with pytest.raises(InvalidInput, match=words):
        read_hours({days: span})


@pytest.mark.parametrize(
    ("text", "found", "holds"),
    [
        ("door = closed", Sample(value="closed"), True),
        ("door = 'closed'", Sample(value="open"), False),
        ("water <= 15 degC", Sample(value=15.0, unit="degC"), True),
        ("water <= 15 degC", Sample(value=288.0, unit="K"), True),
        ("water <= 15 degC", Sample(value=289.0, unit="K"), False),
        ("chiller.water >= 5", Sample(value=4.9), False),
        ("beam = 1", Sample(value=1), True),
        ("beam = 1", Sample(value="1"), False),
        ("beam = 1", Sample(value=0), False),
        ("beam >= 1", Sample(value="on"), False),
    ],
)
def test_a_condition_holds_of_what_was_read_or_says_why_not(text, found, holds):
    condition = read_condition(text)

    assert (condition.why_not(found) is None) is holds
    assert holds or condition.why_not(found).startswith(f"{text} does not hold: ")


def test_what_is_not_known_does_not_hold():
    condition = read_condition("chiller.water <= 15 degC")

    assert (condition.resource, condition.channel) == ("chiller", "water")
    assert condition.why_not(None) == "chiller.water <= 15 degC is not known: water cannot be read"
    suspect = Sample(value=10.0, unit="degC", quality=Quality.SUSPECT)
    assert condition.why_not(suspect) == "chiller.water <= 15 degC is not known: water was read as 10, and is suspect"


@pytest.mark.parametrize("text", ["door", "door is closed", "door < 3", "= 3", "a.b.c = 3", "door <= closed", "x ="])
def test_a_condition_that_cannot_be_read_is_refused(text):
    with pytest.raises(InvalidInput):
        read_condition(text)


def test_a_condition_in_a_unit_that_the_channel_has_not_is_said():
    with pytest.raises(InvalidUnit):
        read_condition("water <= 15 degC").why_not(Sample(value=3.0, unit="bar"))


MINUTES = st.integers(0, 1000)


@given(MINUTES, st.integers(1, 100), MINUTES, st.integers(1, 100))
def test_two_times_meet_if_and_only_if_they_have_a_minute_in_common(start, lasts, other, other_lasts):
    zero = datetime(2026, 1, 1, tzinfo=UTC)
    busy = Busy(start=zero + timedelta(minutes=start), end=zero + timedelta(minutes=start + lasts), why="")
    first, last = zero + timedelta(minutes=other), zero + timedelta(minutes=other + other_lasts)

    common = set(range(start, start + lasts)) & set(range(other, other + other_lasts))
    assert (first_busy([busy], first, last) is busy) is bool(common)
