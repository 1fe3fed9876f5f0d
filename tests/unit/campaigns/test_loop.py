"""The loop on an instrument in memory: what is tried, refused, failed, and where it ends."""

import asyncio
import json
import math
import os
import signal

import pytest

from labwright.core.capability import Input, Output
from labwright.core.command import Failure, Running
from labwright.core.errors import CampaignHalted, ResourceUnavailable, StorageUnavailable
from labwright.core.states import CampaignState, RunState
from labwright.storage.database.ledger import entries
from labwright.storage.runs import Runs
from labwright.testing import FakeInstrument, FakePlanner, Session, SilentWatcher

CAMPAIGN = """
name: squares
space: {x: {kind: continuous, low: -50, high: 50}}
objectives: {y: {goal: minimize, unit: J}}
procedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]
resources: {bench: {kind: function, call: "math:sqrt", outputs: {y: null}}}
budget: {trials: 3}
planner: {kind: sampling, seed: 3}
"""


NARROW = CAMPAIGN.replace("50", "9")


@pytest.fixture
def study(tmp_path):
    """Make a session on an instrument; what it recorded is read with `trials_of` and `state_of`."""
    return lambda instrument, text=CAMPAIGN: Session(text, {"bench": instrument}, tmp_path / "labwright.db")


def points(*xs: float) -> FakePlanner:
    return FakePlanner(*({"x": x} for x in xs))


def look(session):
    laboratory = session.laboratory()
    found = laboratory.campaigns.get(session.name), laboratory.trials.of(session.name), laboratory.runs.of(session.name)
    assert laboratory.verify().problems == ()
    laboratory.database.close()
    return found


def states(session):
    return [trial.state.value for trial in look(session)[1]]


RULED = CAMPAIGN.replace("budget:", "rules: ['2*x <= 6', '$x >= -4']\ncontext: {damp: {unit: '%'}}\nbudget:").replace(
    "gives: {y: $y}", "gives: {y: $y, damp: $damp}"
)


async def test_a_campaign_ends_when_its_budget_is_spent(study):
    instrument, watcher = FakeInstrument(), SilentWatcher()
    session = study(instrument)

    assert await session.conduct(planner=points(1, 2, 3, 4), watcher=watcher) is CampaignState.FINISHED

    assert [t.outcomes for t in look(session)[1]] == [{"y": 1.0}, {"y": 4.0}, {"y": 9.0}]
    assert len(instrument.started) == 3
    assert len(watcher.seen) == 3


async def test_a_refused_proposal_never_reaches_the_resource_and_uses_no_budget(study):
    instrument = FakeInstrument()
    session = study(instrument)

    await session.conduct(planner=points(1, 20, 60, 2, 3))

    assert states(session) == ["observed", "refused", "refused", "observed", "observed"]
    assert [t.why for t in look(session)[1]][1:3] == [
        "bench.measure.x = 20 is above its limit of 10",
        "x = 60 is not -50 to 50; bench.measure.x = 60 is above its limit of 10",
    ]
    assert len(instrument.started) == 3


async def test_ten_refused_in_a_row_stop_the_campaign_with_the_reason(study):
    session = study(FakeInstrument())

    assert await session.conduct(planner=points(*range(11, 31))) is CampaignState.FAILED

    record, trials, _ = look(session)
    assert len(trials) == 10
    assert "10 proposals in a row were refused; the last because bench.measure.x = 20" in record.why


@pytest.mark.parametrize("value", [math.nan, math.inf])
async def test_a_result_that_is_not_finite_fails_the_trial_and_names_the_place(study, value):
    session = study(FakeInstrument(measure=lambda i: {"y": value if i["x"] == 2 else 0.0}))

    assert await session.conduct(planner=points(1, 2, 3)) is CampaignState.FINISHED

    assert states(session) == ["observed", "failed", "observed"]
    assert f"bench.measure gave y = {value}; a finite number was expected" in look(session)[1][1].why
    assert repr(look(session)[2][1].outcome.values["y"].value) == repr(value)


async def test_a_missing_output_fails_the_trial(study):
    session = study(FakeInstrument(measure=lambda i: {"z": 1.0}))

    await session.conduct(planner=points(1, 2, 3))

    assert look(session)[1][0].why == "bench.measure did not return y; it returned z."


async def test_a_failure_is_a_failed_trial_with_its_reason_and_uses_budget(study):
    session = study(FakeInstrument(measure=lambda i: Failure(reason="the heater broke") if i["x"] == 1 else {"y": 0.0}))

    await session.conduct(planner=points(1, 2, 3))

    assert states(session) == ["failed", "observed", "observed"]
    assert look(session)[1][0].why == "the heater broke"


async def test_five_failures_in_a_row_pause_the_campaign_and_the_next_process_goes_on(study):
    broken = FakeInstrument(measure=lambda i: Failure(reason="broken"))
    session = study(broken, NARROW.replace("trials: 3", "trials: 8"))

    with pytest.raises(CampaignHalted, match="5 trials in a row failed; the last, squares/5, because: broken"):
        await session.conduct()
    assert look(session)[0].state is CampaignState.PAUSED

    broken.measure = lambda i: {"y": 0.0}
    assert await session.conduct() is CampaignState.FINISHED
    assert states(session) == ["failed"] * 5 + ["observed"] * 3


async def test_an_unplugged_instrument_pauses_the_campaign_and_its_run_is_taken_up_later(study):
    instrument = FakeInstrument(unplugged=True)
    session = study(instrument)

    with pytest.raises(ResourceUnavailable, match="unplugged"):
        await session.conduct()
    record, trials, runs = look(session)
    assert record.state is CampaignState.PAUSED
    assert "unplugged" in record.why
    assert [r.state for r in runs] == [RunState.INTENDED]

    instrument.unplugged = False
    assert await session.conduct() is CampaignState.FINISHED
    assert len(instrument.started) == 3
    assert look(session)[1][0].number == trials[0].number


async def test_a_lost_answer_is_asked_for_and_nothing_is_done_twice(study):
    class Flaky(FakeInstrument):
        lost = False

        async def run(self, command, recorder):
            outcome = await super().run(command, recorder)
            if not self.lost:
                self.lost = True
                raise ResourceUnavailable("the cable fell out after the command was sent")
            return outcome

    instrument = Flaky()
    session = study(instrument, NARROW)

    assert await session.conduct() is CampaignState.FINISHED

    assert len(instrument.started) == 3
    assert states(session) == ["observed"] * 3


async def test_a_run_that_is_still_going_is_waited_for(study):
    class Slow(FakeInstrument):
        asked = 0

        async def ask(self, command_id):
            self._reach()
            self.asked += 1
            return Running()

    instrument = Slow(unplugged=True)
    session = study(instrument, NARROW)
    with pytest.raises(ResourceUnavailable):
        await session.conduct()

    instrument.unplugged = False
    assert await session.conduct() is CampaignState.FINISHED

    assert instrument.asked == 1
    assert len(instrument.started) == 3


async def test_an_adapter_that_breaks_is_asked_and_a_repeatable_one_just_fails(study, caplog):
    class Broken(FakeInstrument):
        async def run(self, command, recorder):
            raise ZeroDivisionError("a bug")

    session = study(Broken(repeatable=True))
    await session.conduct(planner=points(1, 2, 3))

    assert look(session)[1][0].why == "ZeroDivisionError: a bug"
    assert "a bug" in caplog.text


async def test_outcomes_are_converted_to_the_units_of_the_campaign(study):
    instrument = FakeInstrument(
        outputs=(Output(name="y", unit="mJ"),), inputs=(Input(name="x", unit="cm", low=-1, high=1),)
    )
    session = study(instrument, CAMPAIGN.replace("high: 50}", "high: 50, unit: mm}"))

    await session.conduct(planner=points(1, 2, 3))

    assert [t.outcomes["y"] for t in look(session)[1]] == pytest.approx([1e-5, 4e-5, 9e-5])
    assert [r.inputs["x"] for r in look(session)[2]] == pytest.approx([0.1, 0.2, 0.3])


async def test_later_steps_use_what_earlier_ones_gave(study):
    text = CAMPAIGN.replace(
        "gives: {y: $y}}]", "gives: {mid: $y}}, {use: bench.measure, with: {x: $mid}, gives: {y: $y}}]"
    )
    session = study(FakeInstrument(), text)

    await session.conduct(planner=points(1, 2, 3))

    _, trials, runs = look(session)
    assert [t.outcomes for t in trials] == [{"y": 1.0, "mid": 1.0}, {"y": 16.0, "mid": 4.0}, {"y": 81.0, "mid": 9.0}]
    assert [r.inputs["x"] for r in runs] == [1, 1, 2, 4, 3, 9]


async def test_what_a_step_gave_is_checked_at_the_device_before_it_is_used(study):
    text = CAMPAIGN.replace(
        "gives: {y: $y}}]", "gives: {mid: $y}}, {use: bench.measure, with: {x: $mid}, gives: {y: $y}}]"
    )
    instrument = FakeInstrument()
    session = study(instrument, text)

    await session.conduct(planner=points(1, 4, 2))

    assert states(session) == ["observed", "failed", "observed"]
    assert look(session)[1][1].why == "refused at the device: bench.measure.x = 16 is above its limit of 10"
    assert len(instrument.started) == 5
    assert [r.state for r in look(session)[2]][3] is RunState.CANCELLED


async def test_an_interrupt_lets_the_trial_in_flight_end_and_pauses_the_campaign(study):
    class Interrupting(FakeInstrument):
        async def run(self, command, recorder):
            if len(self.started) == 1:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.05)
            return await super().run(command, recorder)

    instrument = Interrupting()
    session = study(instrument, NARROW)

    assert await session.conduct() is CampaignState.PAUSED
    assert states(session) == ["observed", "observed"]
    assert instrument.stopped == 0
    assert "Ending after the trial in flight" in session.told[0]

    assert await session.conduct() is CampaignState.FINISHED
    assert states(session) == ["observed"] * 3


async def test_a_second_interrupt_stops_the_instrument_and_keeps_what_it_reports(study):
    class Stoppable(FakeInstrument):
        async def run(self, command, recorder):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.02)
            os.kill(os.getpid(), signal.SIGINT)
            while not self.stopped:
                await asyncio.sleep(0.01)
            return await super().run(command, recorder)

    instrument = Stoppable()
    session = study(instrument)

    assert await session.conduct() is CampaignState.PAUSED
    assert instrument.stopped == 1
    assert states(session) == ["observed"]


async def test_a_campaign_that_another_process_stops_ends_after_the_instrument_is_safe(study):
    class Stoppable(FakeInstrument):
        async def run(self, command, recorder):
            laboratory = session.laboratory()
            laboratory.campaigns.change("squares", "stop", "stopped by a person")
            laboratory.database.close()
            while not self.stopped:
                await asyncio.sleep(0.01)
            return await super().run(command, recorder)

    instrument = Stoppable()
    session = study(instrument)

    assert await session.conduct() is CampaignState.STOPPED
    assert instrument.stopped == 1
    assert states(session) == ["observed"]


async def test_the_same_seed_gives_the_same_proposals_byte_for_byte(tmp_path):
    from labwright.core.values import canonical

    def proposals(session):
        return [canonical(dict(t.point)) for t in look(session)[1]]

    text = NARROW.replace("kind: sampling", "kind: gp").replace("trials: 3", "trials: 12")
    one = Session(text, {"bench": FakeInstrument()}, tmp_path / "one.db")
    two = Session(text, {"bench": FakeInstrument()}, tmp_path / "two.db")
    await one.conduct()
    await two.conduct()

    assert proposals(one) == proposals(two)
    assert len(set(proposals(one))) == 12


async def test_a_third_interrupt_leaves_an_instrument_that_never_reports_and_its_run_is_asked_about_later(study):
    class Deaf(FakeInstrument):
        deaf = True

        async def run(self, command, recorder):
            outcome = await super().run(command, recorder)
            while self.deaf:
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0.05)
            return outcome

    instrument = Deaf()
    session = study(instrument, NARROW)

    assert await session.conduct() is CampaignState.PAUSED
    assert instrument.stopped == 1
    assert [r.state for r in look(session)[2]] == [RunState.INTENDED]

    instrument.deaf = False
    assert await session.conduct() is CampaignState.FINISHED
    assert len(instrument.started) == 3


async def test_a_result_is_kept_in_hand_while_storage_cannot_take_it(study, monkeypatch, caplog):
    record, tries = Runs.end, []

    def reluctant(self, *args):
        tries.append(args)
        if len(tries) < 3:
            raise StorageUnavailable("the disk is full")
        record(self, *args)

    monkeypatch.setattr(Runs, "end", reluctant)
    monkeypatch.setattr("labwright.sites.patience.Endurance.FIRST_S", 0.01)
    instrument = FakeInstrument(forgetful=True)
    session = study(instrument, NARROW)

    assert await session.conduct() is CampaignState.FINISHED

    assert states(session) == ["observed"] * 3
    assert "not on record yet" in caplog.text


ENOUGH = NARROW.replace("{trials: 3}", "{trials: 60}").replace(
    "{kind: sampling, seed: 3}", "{kind: gp, seed: 3}\nstop: {when_gain_below: 0.5 J}"
)


async def test_a_campaign_with_nothing_to_gain_ends_before_its_budget_and_says_why(study):
    session = study(FakeInstrument(), ENOUGH)

    assert await session.conduct() is CampaignState.FINISHED

    record, trials, _ = look(session)
    assert 8 <= len(trials) < 30
    assert min(t.outcomes["y"] for t in trials) < 0.5
    assert record.why.startswith("the next experiment is expected to gain ")
    assert record.why.endswith("it was to stop below 0.5 J")
    laboratory = session.laboratory()
    with laboratory.database.read() as connection:
        last = list(entries(connection, f"campaign/{session.name}"))[-1]
    laboratory.database.close()
    assert (last.kind, json.loads(last.body)["why"]) == ("campaign.finish", record.why)


async def test_a_campaign_that_a_person_extended_goes_on_to_its_budget(study):
    session = study(FakeInstrument(), ENOUGH.replace("60", "25"))
    await session.conduct()
    assert len(look(session)[1]) < 25
    laboratory = session.laboratory()
    laboratory.hand(session.name).extend(3)
    laboratory.database.close()

    assert await session.conduct() is CampaignState.FINISHED

    record, trials, _ = look(session)
    assert len(trials) == 28
    assert record.why == "the budget of 28 trials is spent"


async def test_with_several_in_flight_it_waits_for_what_they_give_before_it_ends(study):
    text = ENOUGH.replace("{trials: 60}", "{trials: 60, parallel: 3}")
    session = study(FakeInstrument(duration_s=0.01), text)

    assert await session.conduct() is CampaignState.FINISHED

    _, trials, runs = look(session)
    assert len(trials) < 40
    assert {t.state.value for t in trials} == {"observed"}
    assert {run.state for run in runs} == {RunState.DONE}


async def test_a_proposal_that_breaks_a_rule_is_refused_in_its_words_and_never_reaches_the_resource(study):
    instrument = FakeInstrument(
        measure=lambda inputs: {"y": float(inputs["x"]), "damp": 0.4},
        outputs=(Output(name="y"), Output(name="damp", unit="1")),
    )
    session = study(instrument, RULED)

    await session.conduct(planner=points(5, 1, -6, 2, 3))

    trials = look(session)[1]
    assert [t.state.value for t in trials] == ["refused", "observed", "refused", "observed", "observed"]
    assert trials[0].why == "2 x = 10 is not at most 6"
    assert trials[2].why == "x = -6 is not at least -4"
    assert trials[1].outcomes == {"y": 1.0, "damp": 40.0}
    assert len(instrument.started) == 3
