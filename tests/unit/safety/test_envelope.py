import math
from dataclasses import replace

import pytest

from labwright.core.errors import InvalidInput
from labwright.safety.envelope import Channel, Dose, Rate
from labwright.testing.oven import limits


@pytest.mark.parametrize(
    ("low", "high"), [(-math.inf, 1.0), (0.0, math.inf), (math.nan, 1.0), (0.0, math.nan), (2.0, 1.0), (None, 1.0)]
)
def test_a_number_has_two_finite_limits(low, high):
    with pytest.raises(InvalidInput, match=r"^x: found low .* and high .*, expected two finite numbers, low not above"):
        Channel(name="x", low=low, high=high)


@pytest.mark.parametrize("odd", [0.0, -1.0, math.inf, math.nan])
@pytest.mark.parametrize(
    ("place", "declare"),
    [
        ("fresh_s", lambda odd: {"fresh_s": odd}),
        ("rate.per_s", lambda odd: {"rate": Rate(per_s=odd, over_s=1.0), "fresh_s": 1.0}),
        ("rate.over_s", lambda odd: {"rate": Rate(per_s=1.0, over_s=odd), "fresh_s": 1.0}),
        ("dose.most", lambda odd: {"dose": Dose(most=odd, window_s=1.0)}),
        ("dose.window_s", lambda odd: {"dose": Dose(most=1.0, window_s=odd)}),
    ],
)
def test_what_is_counted_or_timed_is_finite_and_above_0(place, declare, odd):
    with pytest.raises(InvalidInput, match=rf"^x: {place}: found .*, expected a finite number above 0. Change it."):
        Channel(name="x", low=0.0, high=1.0, **declare(odd))
    assert Channel(name="x", low=0.0, high=1.0, **declare(0.5)).name == "x"


@pytest.mark.parametrize("odd", [0.0, math.inf, math.nan])
def test_a_heartbeat_is_finite_and_above_0(odd):
    with pytest.raises(InvalidInput, match=r"^heartbeat_s: found .*, expected a finite number above 0"):
        replace(limits(), heartbeat_s=odd)


def test_setting_a_channel_is_no_motion_unless_it_says_so():
    assert Channel(name="pump", low=0, high=1).moves is False
