"""A resource that stands elsewhere the next time: what was begun is asked about where it was begun, or is unknown."""

import asyncio

import pytest

from labwright.core.errors import CampaignHalted, ResourceUnavailable
from labwright.core.states import CampaignState, RunState, TrialState
from labwright.testing import FakeInstrument, Session
from labwright.testing.faults import crash_at

CAMPAIGN = """
name: squares
space: {x: {kind: continuous, low: -9, high: 9}}
objectives: {y: {goal: minimize}}
procedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]
resources: {bench: {kind: function, call: "math:sqrt", outputs: {y: null}}}
budget: {trials: 2}
planner: {kind: sampling, seed: 3}
"""
PARALLEL = CAMPAIGN.replace("trials: 2", "trials: 2, parallel: 2")
HERE, ELSEWHERE = "opcua here|a", "opcua elsewhere|b"


class Broken(FakeInstrument):
    """Acts, and is out of reach from then on."""

    async def run(self, command, recorder):
        if self.started:
            return await super().run(command, recorder)
        await super().run(command, recorder)
        self.unplugged = True
        raise ResourceUnavailable("the cable fell out")


@pytest.fixture
def at(tmp_path):
    """A session on an instrument that stands at a place."""
    return lambda instrument, key, text=CAMPAIGN: Session(
        text, {"bench": instrument}, tmp_path / "labwright.db", {"bench": key}
    )


def look(session):
    laboratory = session.laboratory()
    found = laboratory.trials.of("squares"), laboratory.runs.of("squares")
    assert laboratory.verify().problems == ()
    laboratory.database.close()
    return found


async def broken_off(at, text=CAMPAIGN):
    """An instrument in the middle of whose act its process ended."""
    bench = Broken()
    with pytest.raises(ResourceUnavailable):
        await at(bench, HERE, text).conduct()
    return bench


async def test_what_was_begun_on_one_instrument_is_not_asked_of_another(at):
    await broken_off(at)
    other = FakeInstrument()
    session = at(other, ELSEWHERE)

    with pytest.raises(CampaignHalted, match="Nobody can say what became of bench"):
        await session.conduct()

    [trial], [run] = look(session)
    assert (trial.state, run.state, other.started) == (TrialState.UNKNOWN, RunState.UNKNOWN, [])
    assert trial.why == "run 1: it was begun on opcua here, and bench is opcua elsewhere now"


async def test_it_is_asked_when_its_own_instrument_is_back(at):
    bench = await broken_off(at)
    with pytest.raises(CampaignHalted):
        await at(FakeInstrument(), ELSEWHERE).conduct()
    bench.unplugged = False
    session = at(bench, HERE)

    assert await session.conduct() is CampaignState.FINISHED

    assert [t.state.value for t in look(session)[0]] == ["observed", "observed"]
    assert len(bench.started) == 2


async def test_what_a_person_says_never_ran_goes_on_where_the_resource_stands_now(at):
    await broken_off(at)
    other = FakeInstrument()
    session = at(other, ELSEWHERE)
    with pytest.raises(CampaignHalted):
        await session.conduct()
    laboratory = session.laboratory()
    laboratory.decide_never_ran(1, why="the counter stood still", by="ada")
    laboratory.database.close()

    assert await session.conduct() is CampaignState.FINISHED

    assert len(other.started) == 2
    assert {run.key for run in look(session)[1]} == {ELSEWHERE}


async def test_another_set_up_of_the_same_instrument_is_asked(at):
    bench = await broken_off(at)
    bench.unplugged = False
    session = at(bench, "opcua here|c")

    assert await session.conduct() is CampaignState.FINISHED

    assert len(bench.started) == 2


async def test_what_may_be_repeated_goes_on_anywhere(at):
    bench = FakeInstrument(repeatable=True)
    session = at(bench, HERE)
    with crash_at("after act") as blow:
        await session.conduct()
    assert (blow.fell, look(session)[1][0].state) == (True, RunState.INTENDED)
    other = FakeInstrument(repeatable=True)

    assert await at(other, ELSEWHERE).conduct() is CampaignState.FINISHED

    assert [t.state.value for t in look(session)[0]] == ["observed", "observed"]
    assert len(other.started) == 2


async def test_whoever_saw_a_run_where_it_stood_before_cannot_claim_it_any_more(at):
    await broken_off(at, PARALLEL)
    session = at(FakeInstrument(), ELSEWHERE, PARALLEL)
    laboratory = session.laboratory()
    [seen] = laboratory.runs.queued([HERE], 5)

    laboratory.runs.follow("squares", {"bench": ELSEWHERE}, ())

    assert laboratory.runs.claim([seen], {HERE: 5}) == []
    assert [run.state for run in look(session)[1]] == [RunState.UNKNOWN, RunState.QUEUED]
    assert [run.key for run in look(session)[1]] == [HERE, ELSEWHERE]
    laboratory.database.close()


async def test_what_a_living_process_has_begun_elsewhere_is_left_to_it(at):
    slow = FakeInstrument(duration_s=0.5)
    session = at(slow, HERE)
    conducting = asyncio.create_task(session.conduct())
    while not slow.started:
        await asyncio.sleep(0.01)
    laboratory = session.laboratory()

    laboratory.runs.follow("squares", {"bench": ELSEWHERE}, ())

    assert [(run.state, run.key) for run in laboratory.runs.of("squares")] == [(RunState.INTENDED, HERE)]
    laboratory.database.close()
    assert await conducting is CampaignState.FINISHED
    assert len(slow.started) == 2


TASKS = CAMPAIGN.replace(
    'kind: function, call: "math:sqrt", outputs: {y: null}',
    "kind: person, capabilities: {measure: {instructions: Measure it., outputs: {y: {}}}}",
)


async def test_a_task_before_people_goes_on_where_they_are_asked_now(at):
    await broken_off(at, TASKS)
    session = at(FakeInstrument(), ELSEWHERE, TASKS)

    with crash_at("before Runs.adopt") as blow:
        await session.conduct()

    assert blow.fell
    assert [(run.state, run.key) for run in look(session)[1]] == [(RunState.INTENDED, ELSEWHERE)]
