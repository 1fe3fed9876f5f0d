"""What trials would take from a lot, held against what is there."""

import math

import pytest

from labwright.core.material import Lot
from labwright.core.need import Need, Supply


def supply(least, most, left, *, unit="mL", kept_in="mL", trials=4, reserved=0.0, has_expired=False):
    lot = Lot(name="ink", unit=kept_in, left=left, reserved=reserved, expires="2026-01-01", has_expired=has_expired)
    return Supply(need=Need(lot="ink", least=least, most=most, unit=unit), trials=trials, lot=lot)


@pytest.mark.parametrize(
    ("found", "enough", "words"),
    [
        (supply(1, 3, 12), True, "ink: each trial takes 1 to 3 mL; 12 mL free, enough for 4 trials"),
        (supply(0.1, 0.1, 0.3, trials=3), True, "each trial takes 0.1 mL; 0.3 mL free, enough for 3 trials"),
        (supply(1, 3, 13, reserved=2), None, "11 mL free, and 4 trials take 4 to 12 mL: it may run out"),
        (supply(5, 5, 12), False, "each trial takes 5 mL; 12 mL free, enough for 2 of 4 trials"),
        (supply(5, 9, 12), False, "enough for at most 2 of 4 trials"),
        (supply(5, 5, 2, reserved=3), False, "enough for 0 of 4 trials"),
        (supply(0, 2, 1), None, "each trial takes 0 to 2 mL; 1 mL free, and 4 trials take 0 to 8 mL: it may run out"),
        (supply(0, math.inf, 1, unit=None), None, "each trial takes what a result tells; 1 mL free, which may not be"),
        (supply(2, math.inf, 1), False, "each trial takes 2 mL or more; 1 mL free, enough for at most 0 of 4 trials"),
        (supply(500, 500, 2, kept_in="L"), True, "each trial takes 500 mL; 2 L free, enough for 4 trials"),
        (supply(1, 1, 2, unit=None, kept_in="1"), False, "each trial takes 1; 2 free, enough for 2 of 4 trials"),
        (supply(1, 1, 9, trials=1), True, "enough for 1 trial"),
        (supply(1, 1, 9, kept_in="g"), False, "it is kept in g, which is another dimension"),
        (supply(1, 1, 9, has_expired=True), False, "it expired at the end of 2026-01-01"),
        (Supply(need=Need(lot="ink", least=1, most=1), trials=4, lot=None), False, "takes 1; it is not on record"),
    ],
)
def test_a_lot_is_enough_or_not_or_that_depends_on_what_is_chosen(found, enough, words):
    assert found.is_enough is enough
    assert words in str(found)


def test_what_several_steps_take_is_added_in_one_unit():
    total = Need(lot="ink", least=0, most=math.inf) + Need(lot="ink", least=1, most=2, unit="mL")
    more = Need(lot="ink", least=1, most=1, unit="mL") + Need(lot="ink", least=0.5, most=1, unit="cL")

    assert (total.least, total.most, total.unit) == (1, math.inf, "mL")
    assert (more.least, more.most, more.unit) == (pytest.approx(6), pytest.approx(11), "mL")
