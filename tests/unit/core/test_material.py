"""How a sample stands by all that was done with it, and what a lot lacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.material import Act, Fate, Handled, Lot, SampleState, shortage, stand

DONE, FAILED, UNKNOWN = Fate.DONE, Fate.FAILED, Fate.UNKNOWN
MADE = (Act.MAKE, "coater", DONE)


def handled(*done):
    return [Handled(act=act, place=place, fate=fate, run=i) for i, (act, place, fate) in enumerate(done, start=1)]


@pytest.mark.parametrize(
    ("done", "state", "place"),
    [
        ([], SampleState.NOT_MADE, None),
        ([MADE], SampleState.MADE, "coater"),
        ([MADE, (Act.MOVE, "oven", DONE)], SampleState.MADE, "oven"),
        ([MADE, (Act.MOVE, "oven", FAILED)], SampleState.MADE, None),
        ([MADE, (Act.MEASURE, None, FAILED)], SampleState.MADE, "coater"),
        ([MADE, (Act.MEASURE, None, UNKNOWN)], SampleState.UNKNOWN, "coater"),
        ([MADE, (Act.MOVE, "oven", UNKNOWN)], SampleState.UNKNOWN, None),
        ([MADE, (Act.USE_UP, None, DONE)], SampleState.USED_UP, None),
        ([MADE, (Act.USE_UP, None, FAILED)], SampleState.SPOILT, "coater"),
        ([(Act.MAKE, "coater", FAILED)], SampleState.SPOILT, "coater"),
        ([(Act.MAKE, "coater", FAILED), MADE], SampleState.MADE, "coater"),
    ],
)
def test_a_sample_stands_by_what_was_done_with_it(done, state, place):
    assert stand(handled(*done))[:2] == (state, place)


@given(st.lists(st.tuples(st.sampled_from(list(Act)), st.just("there"), st.sampled_from(list(Fate)))))
def test_a_sample_is_unknown_exactly_while_one_of_its_runs_is(done):
    assert (stand(handled(*done))[0] is SampleState.UNKNOWN) is any(fate is UNKNOWN for *_, fate in done)


def test_ten_tenths_may_be_taken_from_one():
    lot = Lot(name="ink", unit="mL", left=1.0 - sum([0.1] * 9), reserved=0.0)

    assert shortage(lot, "ink", 0.1, "this trial") is None
    assert "needs 0.11 mL" in (shortage(lot, "ink", 0.11, "this trial") or "")
