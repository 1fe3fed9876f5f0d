"""The process dies before or after every call to storage, and around the act; nothing is lost or repeated."""

import shutil
from pathlib import Path

import pytest

from labwright.app import Laboratory, assemble, capabilities_of
from labwright.campaigns.file import CampaignFile, parse_campaign
from labwright.campaigns.wiring import wire
from labwright.core.capability import Input
from labwright.core.errors import CampaignHalted
from labwright.core.run import Run
from labwright.core.states import RunState, TrialState
from labwright.sites.worker import Worker
from labwright.storage.database import Database
from labwright.testing import Crash, CrashingStorage, FakeInstrument, SilentWatcher

CAMPAIGN = """
name: squares
space: {x: {kind: continuous, low: -5, high: 5}}
objectives: {y: {goal: minimize}}
procedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]
resources: {bench: {kind: function, call: "math:sqrt", outputs: {y: null}}}
budget: {trials: 3}
planner: {kind: sampling, seed: 3}
"""
TWO_STEPS = CAMPAIGN.replace(
    "gives: {y: $y}}]", "gives: {mid: $y}}, {use: bench.measure, with: {x: $mid}, gives: {y: $y}}]"
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database without campaigns; copied, since bringing one up to date takes longer than a whole campaign."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    Database.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(autouse=True)
def databases(empty, tmp_path, monkeypatch):
    opened = Database.open

    def open_copy(url: str) -> Database:
        path = Path(url.removeprefix("sqlite:///"))
        if not path.exists():
            shutil.copy(empty, path)
        return opened(url)

    monkeypatch.setattr(Database, "open", open_copy)


def wide_instrument() -> FakeInstrument:
    return FakeInstrument(inputs=(Input(name="x", low=-1000, high=1000),))


def campaign_file(text: str = CAMPAIGN) -> CampaignFile:
    return parse_campaign(text, Path("squares.yaml"))


async def conduct(file: CampaignFile, path: Path, instrument: FakeInstrument, storage: CrashingStorage) -> None:
    """Be one process: begin or take up the campaign, and go on to its end or to the crash."""
    database = Database.open(f"sqlite:///{path}")
    try:
        laboratory = Laboratory.of(database)
        resources = {"bench": instrument}
        wiring = wire(file.campaign, capabilities_of(resources), file.problems())
        if laboratory.campaigns.find("squares") is None:
            laboratory.campaigns.add("squares", file.campaign.text, "")
            laboratory.campaigns.change("squares", "start")
        conductor, worker = assemble(wiring, resources, laboratory.records(storage), SilentWatcher())
        await conductor.conduct(worker)
    finally:
        storage.close()
        database.close()


async def conduct_through_a_crash(
    file: CampaignFile, path: Path, instrument: FakeInstrument, crashing: CrashingStorage
) -> None:
    with pytest.raises(Crash):
        await conduct(file, path, instrument, crashing)
    await conduct(file, path, instrument, CrashingStorage())


def outcome_of(path: Path) -> tuple[list[dict[str, object]], list[TrialState], tuple[str, ...]]:
    database = Database.open(f"sqlite:///{path}")
    laboratory = Laboratory.of(database)
    trials = laboratory.trials.of("squares")
    problems = laboratory.verify().problems
    database.close()
    return [dict(t.point) | dict(t.outcomes) for t in trials], [t.state for t in trials], problems


async def calls_of(file: CampaignFile, path: Path, instrument: FakeInstrument) -> int:
    storage = CrashingStorage()
    await conduct(file, path, instrument, storage)
    return storage.calls


@pytest.mark.parametrize("text", [CAMPAIGN, TWO_STEPS], ids=["one step", "two steps"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_at_any_storage_call_loses_and_repeats_nothing(tmp_path, text, after):
    file, whole = campaign_file(text), wide_instrument()
    calls = await calls_of(file, tmp_path / "whole.db", whole)
    undisturbed, _, _ = outcome_of(tmp_path / "whole.db")

    for at in range(1, calls + 1):
        path, instrument = tmp_path / f"{at}.db", wide_instrument()
        await conduct_through_a_crash(file, path, instrument, CrashingStorage(at=at, after=after))
        trials, states, problems = outcome_of(path)

        assert trials == undisturbed
        assert states == [TrialState.OBSERVED] * 3
        assert len(instrument.started) == len(set(instrument.started)) == len(whole.started)
        assert problems == ()


async def test_a_worker_that_repeats_instead_of_asking_is_caught_by_the_same_test(tmp_path, monkeypatch):
    """The planted fault: after a crash every intended run is queued again under a new command id."""

    async def guess(self: Worker, run: Run, recorder: object) -> bool:
        await self._storage(self._runs.requeue, run, "guessed")
        with self._runs._database.write() as connection:
            connection.exec_driver_sql("UPDATE runs SET command_id = command_id || '+' WHERE id = ?", (run.id,))
        return True

    monkeypatch.setattr(Worker, "_settle", guess)
    file, repeated = campaign_file(), 0
    calls = await calls_of(file, tmp_path / "whole.db", FakeInstrument())

    for at in range(1, calls + 1):
        instrument = FakeInstrument()
        await conduct_through_a_crash(file, tmp_path / f"{at}.db", instrument, CrashingStorage(at=at))
        repeated += len(instrument.started) - 3

    assert repeated > 0


async def test_a_crash_around_an_act_that_cannot_be_asked_about_leaves_the_run_unknown(tmp_path):
    file, unknown = campaign_file(), 0
    calls = await calls_of(file, tmp_path / "whole.db", FakeInstrument(forgetful=True))

    for at in range(1, calls + 1):
        path, instrument = tmp_path / f"{at}.db", FakeInstrument(forgetful=True)
        with pytest.raises(Crash):
            await conduct(file, path, instrument, CrashingStorage(at=at, after=True))
        try:
            await conduct(file, path, instrument, CrashingStorage())
        except CampaignHalted:
            unknown += 1
            assert runs_in(path, RunState.UNKNOWN) == 1
        assert len(instrument.started) == len(set(instrument.started)) <= 3

    assert unknown > 0


def runs_in(path: Path, state: RunState) -> int:
    database = Database.open(f"sqlite:///{path}")
    found = sum(r.state is state for r in Laboratory.of(database).runs.of("squares"))
    database.close()
    return found
