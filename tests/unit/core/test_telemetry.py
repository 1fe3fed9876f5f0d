"""What a channel takes, and what it makes of it."""

import math

import pytest

from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.telemetry import Channel, Kind, Quality, by_id

HEAT = Channel(id="heat", unit="degC", low=0, high=100)


@pytest.mark.parametrize(("value", "quality"), [(20, Quality.GOOD), (0.0, Quality.GOOD), (101, Quality.SUSPECT)])
def test_a_sample_beyond_its_range_is_suspect(value, quality):
    assert HEAT.judge(value, Quality.GOOD) == (value, quality)


def test_what_the_source_calls_bad_stays_bad_wherever_it_lies():
    assert HEAT.judge(500.0, Quality.BAD) == (500.0, Quality.BAD)


@pytest.mark.parametrize("value", ["warm", None, math.nan, math.inf, [20.0]])
def test_what_is_no_finite_number_is_a_bad_sample_and_no_number(value):
    kept, quality = HEAT.judge(value, Quality.GOOD)

    assert isinstance(kept, float) and math.isnan(kept)
    assert quality is Quality.BAD


def test_a_switch_is_kept_as_0_and_1():
    assert Channel(id="door").judge(True, Quality.GOOD) == (1, Quality.GOOD)


def test_a_channel_of_words_keeps_words():
    state = Channel(id="state", kind=Kind.WORD)

    assert state.judge("heating", Quality.GOOD) == ("heating", Quality.GOOD)
    assert state.judge(3, Quality.GOOD) == ("3", Quality.BAD)


def test_a_unit_that_nobody_knows_is_refused():
    with pytest.raises(InvalidUnit, match="'warmth' is not a unit"):
        Channel(id="heat", unit="warmth")


def test_two_channels_of_one_id_are_refused():
    with pytest.raises(InvalidInput, match="one id among heat, heat"):
        by_id([HEAT, Channel(id="heat")])
