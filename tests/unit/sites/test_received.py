"""Whatever an adapter returns can be put on record, and what was good in it is kept."""

import pytest

from labwright.core.command import Failure, Gathered, Measurement, Observation
from labwright.core.run import Member, Run
from labwright.core.states import RunState
from labwright.sites.received import received
from labwright.storage.database.packing import pack, unpack
from labwright.storage.records import outcome_from, outcome_record


class Unspeakable:
    def __repr__(self):
        raise RuntimeError("no words")


def a_run(trials=1):
    members = tuple(Member(trial=n, inputs={}) for n in range(1, trials + 1))
    told = {"campaign": "squares", "step": 0, "attempt": 1, "resource": "bench", "key": "bench"}
    return Run(
        id=1, **told, capability="measure", command_id="c", members=members, room=1, state=RunState.INTENDED, epoch=1
    )


def observation(value, **more):
    return Observation(values={"y": Measurement(value=value, **more), "good": Measurement(value=2.5)})


@pytest.mark.parametrize(
    "found",
    [
        *(None, {"y": 1}, [1.0], Unspeakable(), Gathered(outcomes=(None,)), Gathered(outcomes=None)),
        *(Observation(values=None), Observation(values={"y": 1.0}), Observation(values={Unspeakable(): None})),
        Failure(reason=Unspeakable()),
    ],
)
def test_what_is_no_outcome_is_a_failure(found):
    outcome = received(a_run(), found)

    [failure] = outcome.outcomes if isinstance(outcome, Gathered) else [outcome]
    assert isinstance(failure, Failure)
    assert "bench.measure returned" in failure.reason


@pytest.mark.parametrize("value", [object(), 10**400, "half \ud800", "zero \0", [1, 2], Unspeakable(), float("nan")])
def test_an_odd_value_loses_none_beside_it(value):
    outcome = received(a_run(), observation(value, unit="\ud800", sd=10**400))

    kept = outcome_from(unpack(pack(outcome_record(outcome)).encode().decode()))
    assert kept.values["good"].value == 2.5
    assert "\0" not in str(kept.values["y"].value)


def test_the_words_of_a_failure_can_be_written():
    assert received(a_run(), Failure(reason="a\0b \ud800")) == Failure(reason="a\\x00b \\ud800")


def test_as_many_results_as_trials_are_wanted():
    outcome = received(a_run(trials=2), Gathered(outcomes=(observation(1.0),)))

    assert isinstance(outcome, Failure)
