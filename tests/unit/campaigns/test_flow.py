"""Several trials and several steps in flight, people in the loop, and what nobody can tell."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from labwright.core.approval import Say
from labwright.core.command import Failure, Measurement
from labwright.core.errors import CampaignHalted, InvalidInput, InvalidTransition
from labwright.core.states import CampaignState, RunState, TrialState
from labwright.resources.person import PersonResource
from labwright.storage.approvals import Approvals
from labwright.storage.people import People
from labwright.storage.tasks import Tasks
from labwright.testing import FakeInstrument, FakePlanner, Session

CAMPAIGN = """
name: squares
space: {x: {kind: continuous, low: -9, high: 9}}
objectives: {y: {goal: minimize}}
procedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]
resources: {bench: {kind: function, call: "math:sqrt", outputs: {y: null}}}
budget: {trials: 6}
planner: {kind: sampling, seed: 3}
"""
PARALLEL = CAMPAIGN.replace("trials: 6", "trials: 6, parallel: 3")


@dataclass(kw_only=True)
class Counted(FakeInstrument):
    """Notes how many of its runs are in flight at the same time."""

    duration_s: float = 0.02
    flying: int = 0
    most: int = 0
    sizes: list[int] = field(default_factory=list)

    async def run(self, command, recorder):
        self.sizes.append(len(command.batch))
        self.flying += 1
        self.most = max(self.most, self.flying)
        try:
            return await super().run(command, recorder)
        finally:
            self.flying -= 1


@pytest.fixture
def study(tmp_path):
    return lambda text, **resources: Session(text, resources, tmp_path / "labwright.db")


class Records:
    """What a session has put on record, open for the length of a block."""

    def __init__(self, session):
        self._session = session

    def __enter__(self):
        self._laboratory = self._session.laboratory()
        return self._laboratory

    def __exit__(self, *_):
        problems = self._laboratory.verify().problems
        self._laboratory.database.close()
        assert problems == ()


def trials_of(session):
    with Records(session) as laboratory:
        return laboratory.trials.of("squares")


def runs_of(session):
    with Records(session) as laboratory:
        return laboratory.runs.of("squares")


def states(session):
    return [t.state.value for t in trials_of(session)]


@pytest.mark.parametrize(("capacity", "most"), [(1, 1), (2, 2), (5, 3)])
async def test_as_many_runs_are_in_flight_as_the_campaign_wants_and_the_resource_takes(study, capacity, most):
    instrument = Counted()
    session = study(PARALLEL.replace("kind: function", f"kind: function, capacity: {capacity}"), bench=instrument)

    assert await session.conduct() is CampaignState.FINISHED

    assert instrument.most == most
    assert len(instrument.started) == 6
    assert states(session) == ["observed"] * 6


async def test_an_instrument_works_on_one_trial_while_another_is_at_the_next(study):
    text = PARALLEL.replace(
        "gives: {y: $y}}]", "gives: {mid: $y}}, {use: oven.measure, with: {x: $x}, gives: {y: $y}}]"
    ).replace("resources: {", 'resources: {oven: {kind: function, call: "math:sqrt", outputs: {y: null}}, ')
    together = Counted()

    class Watched(Counted):
        async def run(self, command, recorder):
            together.flying += 1
            together.most = max(together.most, together.flying)
            try:
                return await super().run(command, recorder)
            finally:
                together.flying -= 1

    bench, oven = Watched(), Watched(name="oven")
    session = study(text, bench=bench, oven=oven)

    assert await session.conduct() is CampaignState.FINISHED

    assert (bench.most, oven.most, together.most) == (1, 1, 2)


async def test_trials_that_gather_are_one_run_and_each_gets_its_own_result(study):
    text = PARALLEL.replace("use: bench.measure", "use: bench.measure, batch: 3, wait: 1 min")
    plate = Counted(batch=3)
    session = study(text, bench=plate)

    assert await session.conduct() is CampaignState.FINISHED

    assert plate.sizes == [3, 3]
    assert [t.outcomes["y"] for t in trials_of(session)] == pytest.approx(
        [t.point["x"] ** 2 for t in trials_of(session)]
    )
    with Records(session) as laboratory:
        for trial in laboratory.trials.of("squares"):
            record = laboratory.record("squares", trial.number)
            assert [record.sent(run)["x"].value for run in record.runs] == [trial.point["x"]]


async def test_a_batch_that_is_not_full_goes_when_it_has_waited_long_enough(study):
    text = PARALLEL.replace("use: bench.measure", "use: bench.measure, batch: 3, wait: 50 ms").replace(
        "trials: 6", "trials: 4"
    )
    plate = Counted(batch=3)

    assert await study(text, bench=plate).conduct() is CampaignState.FINISHED

    assert plate.sizes == [3, 1]


async def test_a_trial_of_a_batch_that_fails_alone_fails_alone(study):
    text = PARALLEL.replace("use: bench.measure", "use: bench.measure, batch: 3, wait: 1 min")
    plate = Counted(batch=3, measure=lambda i: {"y": 1.0} if i["x"] > 0 else Failure(reason="the well was empty"))
    session = study(text, bench=plate)

    await session.conduct()

    for trial in trials_of(session):
        assert trial.state is (TrialState.OBSERVED if trial.point["x"] > 0 else TrialState.FAILED)


async def test_a_clean_up_runs_after_a_failure_and_the_steps_between_do_not(study):
    text = CAMPAIGN.replace(
        "gives: {y: $y}}]",
        "gives: {mid: $y}}, {name: second, use: bench.measure, with: {x: $mid}, gives: {y: $y}}, "
        "{name: rinse, use: bench.measure, with: {x: 0}, always: true}]",
    ).replace("trials: 6", "trials: 1")
    bench = FakeInstrument(measure=lambda i: {"y": 0.0} if i["x"] == 0 else Failure(reason="it broke"))
    session = study(text, bench=bench)

    await session.conduct(planner=FakePlanner({"x": 3.0}))

    assert [(t.state.value, t.why) for t in trials_of(session)] == [("failed", "it broke")]
    assert [(r.step, r.state.value) for r in runs_of(session)] == [(0, "failed"), (2, "done")]


async def test_a_step_whose_condition_does_not_hold_is_skipped_with_the_reason(study):
    text = CAMPAIGN.replace(
        "gives: {y: $y}}]", "gives: {y: $y}}, {name: again, use: bench.measure, with: {x: 0}, when: $y > 4}]"
    ).replace("trials: 6", "trials: 2")
    session = study(text, bench=FakeInstrument())

    await session.conduct(planner=FakePlanner({"x": 1.0}, {"x": 3.0}))

    skipped = [r for r in runs_of(session) if r.state is RunState.SKIPPED]
    assert [r.trials for r in skipped] == [(1,)]
    assert skipped[0].outcome.reason == "y > 4 does not hold: y is 1"


async def test_a_failed_attempt_of_a_repeatable_step_is_made_again(study):
    tries = []

    def flaky(inputs):
        tries.append(inputs["x"])
        return {"y": 1.0} if len(tries) % 3 == 0 else Failure(reason="no licence")

    text = CAMPAIGN.replace("use: bench.measure", "use: bench.measure, retries: 2").replace("trials: 6", "trials: 2")
    session = study(text, bench=FakeInstrument(repeatable=True, measure=flaky))

    await session.conduct()

    assert states(session) == ["observed", "observed"]
    assert [r.attempt for r in runs_of(session)] == [1, 2, 3, 1, 2, 3]


async def test_a_run_past_its_time_limit_is_stopped_and_what_the_instrument_then_reports_counts(study, monkeypatch):
    monkeypatch.setattr("labwright.sites.sending.GRACE_S", 0.05)

    class Deaf(FakeInstrument):
        halted = False

        async def run(self, command, recorder):
            self.started.append(command.command_id)
            while not self.halted:
                await asyncio.sleep(0.01)
            return Failure(reason="stopped at the device")

        async def stop(self):
            await super().stop()
            self.halted = True

    text = CAMPAIGN.replace("use: bench.measure", "use: bench.measure, timeout: 50 ms").replace(
        "trials: 6", "trials: 1"
    )
    deaf = Deaf()
    session = study(text, bench=deaf)

    await session.conduct()

    assert deaf.stopped == 1
    assert trials_of(session)[0].why == "stopped at the device"


APPROVAL = CAMPAIGN.replace(
    "planner:", "safety: {approval: [{when: $x > 2, by: [ada, grace], people: 2, expires: 1 h}]}\nplanner:"
).replace("trials: 6", "trials: 2")


def sign(session, name, say, number=1):
    with Records(session) as laboratory:
        people = People(laboratory.database)
        known = [p.name for p in people.all()]
        first = people.get(known[0]) if known else None
        person = people.get(name) if name in known else people.add(name, f"$argon2id${name}", by=first)
        approvals = Approvals(laboratory.database)
        seen = approvals.of("squares", number).digest
        approvals.sign("squares", number, person=person, say=say, seen=seen, why="no" if say is Say.REFUSE else None)


async def until(session, number, state):
    while not trials_of(session)[number - 1 :] or trials_of(session)[number - 1].state is not state:
        await asyncio.sleep(0.02)


async def test_a_trial_that_needs_two_people_waits_for_both_and_then_runs(study):
    bench = FakeInstrument()
    session = study(APPROVAL, bench=bench)
    work = asyncio.create_task(session.conduct(planner=FakePlanner({"x": 3.0}, {"x": 1.0})))
    await until(session, 1, TrialState.WAITING)

    sign(session, "ada", Say.APPROVE)
    await asyncio.sleep(0.1)
    assert bench.started == []
    sign(session, "grace", Say.APPROVE)

    assert await work is CampaignState.FINISHED
    assert states(session) == ["observed", "observed"]


async def test_a_refusal_ends_the_waiting_trial_with_its_reason_and_costs_nothing(study):
    bench = FakeInstrument()
    session = study(APPROVAL, bench=bench)
    work = asyncio.create_task(session.conduct(planner=FakePlanner({"x": 3.0}, {"x": 1.0}, {"x": 0.5})))
    await until(session, 1, TrialState.WAITING)

    sign(session, "grace", Say.REFUSE)

    assert await work is CampaignState.FINISHED
    assert states(session) == ["refused", "observed", "observed"]
    assert trials_of(session)[0].why == "grace: no"
    assert len(bench.started) == 2


BY_HAND = """
name: squares
space: {x: {kind: continuous, low: -9, high: 9}}
objectives: {y: {goal: minimize}}
procedure:
  - {use: oven.measure, with: {x: $x}}
  - {use: ada.weigh, gives: {y: $y}}
resources:
  oven: {kind: function, call: "math:sqrt", outputs: {y: null}}
  ada: {kind: person, capabilities: {weigh: {instructions: Weigh it., outputs: {y: {}}}}}
budget: {trials: 1}
planner: {kind: sampling}
"""


async def test_what_a_person_reports_is_the_result_of_the_step(study):
    options = PersonResource.Options(capabilities={"weigh": {"instructions": "Weigh it.", "outputs": {"y": {}}}})
    async with PersonResource.open("ada", options, None) as ada:
        session = study(BY_HAND, ada=ada, oven=FakeInstrument(name="oven"))
        work = asyncio.create_task(session.conduct())
        while not (tasks := open_tasks(session)):
            await asyncio.sleep(0.05)
        with Records(session) as laboratory:
            Tasks(laboratory.database).answer(tasks[0].id, {"y": Measurement(value=4.2)}, by="ada")
        assert await work is CampaignState.FINISHED

    assert trials_of(session)[0].outcomes == {"y": 4.2}


def open_tasks(session):
    with Records(session) as laboratory:
        return Tasks(laboratory.database).open("squares")


@pytest.fixture
def unknown(study):
    """A session with an unknown run: an instrument that forgets was cut off in the act."""

    class Cut(FakeInstrument):
        async def run(self, command, recorder):
            if not self.started:
                self.started.append(command.command_id)
                raise RuntimeError("the cable fell out")
            return await super().run(command, recorder)

    return study(CAMPAIGN.replace("trials: 6", "trials: 2"), bench=Cut(forgetful=True))


async def test_an_unknown_run_holds_its_resource_until_a_person_has_decided(unknown, caplog):
    with pytest.raises(CampaignHalted, match=r"labwright decide 1 --as NAME --done VALUES\.json"):
        await unknown.conduct()

    [trial] = trials_of(unknown)
    assert trial.state is TrialState.UNKNOWN
    assert trial.why.startswith("run 1: bench cannot say what became of it")
    with pytest.raises(CampaignHalted):
        await unknown.conduct()
    assert len(trials_of(unknown)) == 1


async def test_an_unknown_run_halts_another_campaign_that_gives_the_same_instrument_more_room(unknown, study, caplog):
    with pytest.raises(CampaignHalted):
        await unknown.conduct()
    text = CAMPAIGN.replace("name: squares", "name: more").replace("kind: function", "kind: function, capacity: 3")
    bench = FakeInstrument(forgetful=True)

    with pytest.raises(CampaignHalted, match="squares/1"):
        async with asyncio.timeout(20):
            await study(text, bench=bench).conduct()

    assert bench.started == []


@pytest.mark.parametrize(
    ("decide", "first", "starts"),
    [
        (lambda lab: lab.decide_done(1, {"y": 7.5}, why="I read it off", by="ada"), ("observed", {"y": 7.5}), 2),
        (lambda lab: lab.decide_failed(1, why="the cup broke", by="ada"), ("failed", {}), 2),
        (lambda lab: lab.decide_never_ran(1, why="the counter stood still", by="ada"), ("observed", None), 3),
    ],
)
async def test_what_a_person_decides_is_on_record_with_who_and_why_and_the_campaign_goes_on(
    unknown, decide, first, starts, caplog
):
    with pytest.raises(CampaignHalted):
        await unknown.conduct()

    with Records(unknown) as laboratory:
        decide(laboratory)
    assert await unknown.conduct() is CampaignState.FINISHED

    trial = trials_of(unknown)[0]
    assert trial.state.value == first[0]
    assert first[1] is None or trial.outcomes == first[1]
    with Records(unknown) as laboratory, laboratory.database.read() as connection:
        decided = connection.exec_driver_sql('SELECT count(*) FROM ledger WHERE body LIKE \'%"by":"ada"%\'').scalar()
        assert decided == 1
        assert len(laboratory.runs.of("squares")) == 2


def reason(session, name="squares"):
    with Records(session) as laboratory:
        return laboratory.campaigns.get(name).why


async def test_a_campaign_that_halted_for_a_run_says_that_it_can_go_on_as_soon_as_that_is_decided(unknown, caplog):
    with pytest.raises(CampaignHalted):
        await unknown.conduct()
    assert reason(unknown).startswith("Nobody can say what became of bench.measure of trial squares/1 (run 1)")

    with Records(unknown) as laboratory:
        laboratory.campaigns.add("other", "name: other", "")
        laboratory.campaigns.change("other", "start")
        laboratory.campaigns.change("other", "pause", reason(unknown))  # it wants the same instrument

        laboratory.decide_failed(1, why="the cup broke", by="ada")

    for name in ("squares", "other"):
        assert reason(unknown, name) == "ada has said what became of run 1; it can go on"


async def test_why_a_person_paused_a_campaign_stays_when_a_run_is_decided(unknown, caplog):
    with pytest.raises(CampaignHalted):
        await unknown.conduct()
    with Records(unknown) as laboratory:
        laboratory.campaigns.change("squares", "resume")
        laboratory.campaigns.change("squares", "pause", "paused by a person")

        laboratory.decide_never_ran(1, why="the counter stood still", by="ada")

    assert reason(unknown) == "paused by a person"


async def test_a_run_that_gives_nothing_can_be_decided_as_done(study, caplog):
    class Cut(FakeInstrument):
        async def run(self, command, recorder):
            raise RuntimeError("the cable fell out")

    tap = 'tap: {kind: function, call: "math:sqrt", outputs: {}}'
    text = CAMPAIGN.replace("resources: {", f"resources: {{{tap}, ").replace("trials: 6", "trials: 1")
    text = text.replace("procedure: [", "procedure: [{use: tap.measure, with: {x: 1}}, ")
    session = study(text, tap=Cut(name="tap", outputs=(), forgetful=True), bench=FakeInstrument())
    with pytest.raises(CampaignHalted, match=r"tap\.measure"):
        await session.conduct()

    with Records(session) as laboratory:
        laboratory.decide_done(1, {}, why="the tap is open", by="ada")

    assert await session.conduct() is CampaignState.FINISHED
    assert trials_of(session)[0].state is TrialState.OBSERVED


async def test_only_what_is_unknown_can_be_decided_and_only_with_its_outputs(unknown, caplog):
    with pytest.raises(CampaignHalted):
        await unknown.conduct()

    with Records(unknown) as laboratory:
        with pytest.raises(InvalidInput, match="no output named z; y is missing; its outputs are y"):
            laboratory.decide_done(1, {"z": 1}, why="?", by="ada")
        for value in (float("nan"), float("inf"), "1e999", "as before"):
            with pytest.raises(InvalidInput, match=r"y is .+; a finite number was expected"):
                laboratory.decide_done(1, {"y": value}, why="?", by="ada")
        laboratory.decide_failed(1, why="broken", by="ada")
        with pytest.raises(InvalidTransition, match="is failed"):
            laboratory.decide_failed(1, why="broken", by="ada")


@dataclass(kw_only=True)
class Deaf(FakeInstrument):
    """Hears nobody who cancels it."""

    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, command, recorder):
        await super().run(command, recorder)
        while not self.released.is_set():
            with suppress(asyncio.CancelledError):
                await self.released.wait()
        return self.journal[command.command_id]


async def test_an_adapter_that_ends_for_nobody_holds_nobody_up(study, monkeypatch, caplog):
    monkeypatch.setattr("labwright.sites.sending.GRACE_S", 0.05)
    text = CAMPAIGN.replace("gives: {y: $y}", "gives: {y: $y}, timeout: 50 ms")
    bench = Deaf(forgetful=True)
    session = study(text, bench=bench)

    with pytest.raises(CampaignHalted, match="Nobody can say"):
        await session.conduct()

    bench.released.set()
    assert [r.state for r in runs_of(session)] == [RunState.UNKNOWN]


async def test_an_adapter_that_is_cancelled_from_within_is_asked_what_became_of_its_run(study, caplog):
    class Cancelled(FakeInstrument):
        async def run(self, command, recorder):
            await super().run(command, recorder)
            raise asyncio.CancelledError

    bench = Cancelled()
    session = study(CAMPAIGN, bench=bench)

    assert await session.conduct() is CampaignState.FINISHED

    assert len(bench.started) == 6


async def test_an_instrument_that_can_tell_by_now_is_asked_before_its_campaign_halts(study, caplog):
    class Slow(FakeInstrument):
        async def run(self, command, recorder):
            outcome = await super().run(command, recorder)
            if self.forgetful:
                raise RuntimeError("the cable fell out")
            return outcome

        async def ask(self, command):
            await asyncio.sleep(0 if self.forgetful else 0.3)
            return await super().ask(command)

        def capabilities(self):
            return tuple(replace(c, queryable=True) for c in super().capabilities())

    bench = Slow(forgetful=True)
    session = study(CAMPAIGN, bench=bench)
    with pytest.raises(CampaignHalted):
        await session.conduct()
    bench.forgetful = False

    assert await session.conduct() is CampaignState.FINISHED

    assert len(bench.started) == 6
