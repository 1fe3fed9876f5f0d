"""The worker beside adapters that do what no adapter should: whatever they raise, nothing else ends with it."""

import asyncio
import logging

import pytest

from labwright.core.errors import CampaignHalted, ResourceUnavailable
from labwright.core.run import NewRun, Next
from labwright.core.states import CampaignState, RunState
from labwright.core.trial import Proposal
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


class SpeechlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class OwnError(BaseException):
    pass


ERRORS = [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), OwnError(), SpeechlessError()]
whatever_it_raises = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


class Raising(FakeInstrument):
    """Raises something once, after it has acted; or whenever it is asked, or stopped."""

    when = "run"
    error: BaseException

    async def run(self, command, recorder):
        known = bool(self.started)
        outcome = await super().run(command, recorder)
        if self.when != "stop" and not known:
            raise self.error if self.when == "run" else RuntimeError("the cable fell out")
        return outcome

    async def ask(self, command):
        if self.when == "ask":
            raise self.error
        return await super().ask(command)

    async def stop(self):
        if self.when == "stop":
            raise self.error


def raising(error, when="run", **how):
    instrument = Raising(**how)
    instrument.error, instrument.when = error, when
    return instrument


@pytest.fixture
def study(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    return lambda instrument: Session(CAMPAIGN, {"bench": instrument}, tmp_path / "labwright.db")


def runs_of(session):
    laboratory = session.laboratory()
    found = laboratory.runs.of("squares")
    assert laboratory.verify().problems == ()
    laboratory.database.close()
    return found


@whatever_it_raises
async def test_an_adapter_that_fails_in_the_act_is_asked_what_became_of_it(study, error):
    bench = raising(error)
    session = study(bench)

    assert await session.conduct() is CampaignState.FINISHED

    assert len(bench.started) == 2
    assert [run.state for run in runs_of(session)] == [RunState.DONE, RunState.DONE]


@whatever_it_raises
async def test_where_it_cannot_tell_either_the_run_is_unknown(study, error):
    bench = raising(error, forgetful=True)
    session = study(bench)

    with pytest.raises(CampaignHalted, match="Nobody can say"):
        await session.conduct()

    assert len(bench.started) == 1
    assert [run.state for run in runs_of(session)] == [RunState.UNKNOWN]


@whatever_it_raises
async def test_what_may_be_repeated_has_failed_with_its_words(study, error):
    session = study(raising(error, repeatable=True))

    assert await session.conduct() is CampaignState.FINISHED

    first, second = runs_of(session)
    assert (first.state, second.state) == (RunState.FAILED, RunState.DONE)
    assert first.outcome.reason.startswith(f"{type(error).__name__}: ")


@whatever_it_raises
async def test_an_adapter_that_fails_when_it_is_asked_cannot_tell(study, error):
    bench = raising(error, "ask")
    session = study(bench)
    for _ in range(2):
        with pytest.raises(CampaignHalted, match="Nobody can say"):
            await session.conduct()
    bench.when = "run"

    assert await session.conduct() is CampaignState.FINISHED

    assert len(bench.started) == 2


@whatever_it_raises
async def test_an_adapter_that_fails_when_it_is_stopped_is_named(study, error):
    bench = raising(error, "stop", duration_s=0.2)
    session = study(bench)
    laboratory = session.laboratory()

    async def stop():
        while not bench.started:
            await asyncio.sleep(0.01)
        laboratory.campaigns.change("squares", "stop", "stopped by a person")

    with pytest.raises(ResourceUnavailable, match=f"bench did not stop: {type(error).__name__}"):
        await asyncio.gather(session.conduct(), stop())
    laboratory.database.close()


async def test_the_words_of_a_resource_that_is_out_of_reach_can_be_written(study):
    class Garbled(FakeInstrument):
        async def run(self, command, recorder):
            raise ResourceUnavailable("no \0 answer \ud800")

    session = study(Garbled())
    with pytest.raises(ResourceUnavailable):
        await session.conduct()

    laboratory = session.laboratory()
    assert laboratory.campaigns.get("squares").why == "no \\x00 answer \\ud800"
    laboratory.database.close()


async def test_what_a_device_has_seen_a_newer_order_of_stays_unknown(study):
    bench = FakeInstrument(fenced=True, forgetful=True)
    session = study(bench)

    async def cut(command, recorder):
        await FakeInstrument.run(bench, command, recorder)
        raise RuntimeError("the cable fell out")

    bench.run = cut
    with pytest.raises(CampaignHalted):
        await session.conduct()
    bench.forgetful = False
    bench.epochs = dict.fromkeys(bench.epochs, 9)  # given after the backup from which this database was restored

    with pytest.raises(CampaignHalted, match="Nobody can say"):
        await session.conduct()


OTHER = CAMPAIGN.replace("name: squares", "name: other")


@pytest.fixture
def on_record(tmp_path):
    """What stands in the database, open for the test."""
    laboratories = []

    def opened(session):
        laboratories.append(session.laboratory())
        return laboratories[-1]

    yield opened
    for laboratory in laboratories:
        laboratory.database.close()


async def broken_off(session):
    """Let the process die in the middle of the first act."""
    with crash_at("after act") as blow:
        await session.conduct()
    assert blow.fell


async def test_what_was_begun_in_a_set_up_that_nobody_here_can_ask_is_unknown_and_holds_the_instrument(
    tmp_path, on_record
):
    def in_set_up(text, which, instrument):
        return Session(text, {"bench": instrument}, tmp_path / "labwright.db", {"bench": f"oven here|{which}"})

    first, second = FakeInstrument(), FakeInstrument()
    await broken_off(in_set_up(CAMPAIGN, "a", first))
    session = in_set_up(OTHER, "b", second)

    with pytest.raises(CampaignHalted, match="squares/1"):
        await asyncio.wait_for(session.conduct(), 20)

    laboratory = on_record(session)
    [run] = laboratory.runs.of("squares")
    assert (run.state, second.started) == (RunState.UNKNOWN, [])
    why = "run 1: its process has ended, and bench is served in another set-up now"
    assert laboratory.trials.get("squares", 1).why == why
    laboratory.decide_failed(run.id, why="the cup was cold", by="ada")
    assert await session.conduct() is CampaignState.FINISHED
    assert len(second.started) == 2


async def test_what_a_living_process_has_begun_in_another_set_up_is_left_to_it(tmp_path, on_record):
    keys = {"bench": "oven here|a"}
    slow = FakeInstrument(duration_s=0.5, fenced=True)
    session = Session(CAMPAIGN, {"bench": slow}, tmp_path / "labwright.db", keys)
    conducting = asyncio.create_task(session.conduct())
    while not slow.started:
        await asyncio.sleep(0.01)

    found = on_record(session).runs.stranded(["oven here"], ["oven here|b"])

    assert found == []
    assert await conducting is CampaignState.FINISHED


@pytest.mark.parametrize("text", ["name: [", "name: squares"])
async def test_a_campaign_that_cannot_be_read_any_more_holds_up_no_other(study, tmp_path, on_record, text):
    bench = FakeInstrument()
    await broken_off(study(bench))
    session = Session(OTHER, {"bench": bench}, tmp_path / "labwright.db")
    laboratory = on_record(session)
    queued = NewRun(step=0, resource="bench", key="bench", capability="measure", command_id="q", inputs={"x": 1.0})
    point = Proposal(point={"x": 1.0}, source="test", reason="test")
    laboratory.trials.begin("squares", [(point, Next(runs=(queued,)))], budget=2, parallel=2)
    with laboratory.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE campaigns SET text = '{text}' WHERE name = 'squares'")

    with pytest.raises(CampaignHalted, match="squares/1"):  # nobody can say whether the instrument is still at it
        await asyncio.wait_for(session.conduct(), 20)
    laboratory.decide_never_ran(1, why="the counter stood still", by="ada")
    assert await asyncio.wait_for(session.conduct(), 20) is CampaignState.FINISHED

    assert {run.state for run in laboratory.runs.of("other")} == {RunState.DONE}
    assert {run.state for run in laboratory.runs.of("squares")} == {RunState.QUEUED}
