"""The fault kit, on a campaign in memory."""

import pytest

from labwright.core.errors import ResourceUnavailable
from labwright.core.states import CampaignState
from labwright.testing import FakeInstrument, Session
from labwright.testing.faults import Fault, FaultyInstrument, crash_at, crash_point

CAMPAIGN = """
name: squares
space: {x: {kind: continuous, low: -9, high: 9}}
objectives: {y: {goal: minimize, unit: J}}
procedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}, timeout: TIMEOUT}]
resources: {bench: {kind: function, call: "math:sqrt", outputs: {y: null}}}
budget: {trials: 3}
planner: {kind: sampling, seed: 3}
"""
POINTS = ("before begin", "after begin", "after claim", "before act", "after act", "before Runs.end", "after record")


@pytest.fixture
def study(tmp_path):
    """Make a campaign on a resource; each call of `conduct` is a process of its own."""

    def session(resource, timeout="1 min"):
        return Session(CAMPAIGN.replace("TIMEOUT", timeout), {"bench": resource}, tmp_path / "labwright.db")

    return session


def states(session):
    laboratory = session.laboratory()
    try:
        assert laboratory.verify().problems == ()
        return [trial.state.value for trial in laboratory.trials.of(session.name)]
    finally:
        laboratory.database.close()


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.TWICE, Fault.CRASH])
async def test_a_faulty_instrument_is_asked_and_nothing_is_repeated(study, fault):
    instrument = FakeInstrument()
    faulty = FaultyInstrument(instrument, [fault, None, fault])
    session = study(faulty)

    assert await session.conduct() is CampaignState.FINISHED

    assert [found for _, found in faulty.happened] == [fault, fault]
    assert len(instrument.started) == len(set(instrument.started)) == 3
    assert states(session) == ["observed"] * 3


async def test_an_instrument_that_hangs_is_stopped_after_its_time_limit(study, monkeypatch):
    monkeypatch.setattr("labwright.sites.sending.GRACE_S", 0.05)
    instrument = FakeInstrument()
    session = study(FaultyInstrument(instrument, [Fault.HANG]), timeout="0.05 s")

    assert await session.conduct() is CampaignState.FINISHED

    assert instrument.stopped == 1
    assert states(session) == ["observed"] * 3


async def test_an_instrument_that_only_says_it_is_ready_pauses_the_campaign_and_has_moved_nothing(study):
    instrument = FakeInstrument()
    session = study(FaultyInstrument(instrument, [Fault.NOT_READY]))

    with pytest.raises(ResourceUnavailable, match="not ready"):
        await session.conduct()
    assert instrument.started == []

    assert await session.conduct() is CampaignState.FINISHED
    assert states(session) == ["observed"] * 3


def test_the_same_seed_draws_the_same_faults():
    one, two = (FaultyInstrument.drawn(FakeInstrument(), seed=5, chance=0.5) for _ in range(2))

    assert one.faults == two.faults
    assert set(one.faults) == {None, *Fault}


@pytest.mark.parametrize("point", POINTS)
async def test_a_campaign_that_dies_at_a_crash_point_goes_on_without_loss_or_repetition(study, point):
    instrument = FakeInstrument()
    session = study(instrument)

    with crash_at(point, count=2) as blow:
        await session.conduct()
    assert blow.fell

    assert await session.conduct() is CampaignState.FINISHED
    assert len(instrument.started) == len(set(instrument.started)) == 3
    assert states(session) == ["observed"] * 3


def test_a_block_that_never_comes_to_its_crash_point_does_not_die():
    with crash_at("after lid closed", count=2) as blow:
        crash_point("after lid closed")

    assert not blow.fell


async def test_one_command_meets_a_fault_when_it_is_told_to(study):
    instrument = FakeInstrument()
    faulty = FaultyInstrument(instrument, [])
    faulty.meet(Fault.LOST_REPLY)

    assert await study(faulty).conduct() is CampaignState.FINISHED

    assert [fault for _, fault in faulty.happened] == ["lost reply"]
    assert len(instrument.started) == len(set(instrument.started)) == 3
