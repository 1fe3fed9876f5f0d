"""The process dies before or after every call to storage, and around the act; nothing is lost or repeated."""

import shutil
from pathlib import Path

import pytest

from labwright.core.capability import Input
from labwright.core.errors import CampaignHalted
from labwright.core.run import Run
from labwright.core.states import TrialState
from labwright.sites.worker import Worker
from labwright.storage.database import Database
from labwright.testing import Crash, CrashingStorage, FakeInstrument, Session

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


def session(path: Path, instrument: FakeInstrument, text: str = CAMPAIGN) -> Session:
    return Session(text, {"bench": instrument}, path)


async def conduct_through_a_crash(session: Session, storage: CrashingStorage) -> None:
    with pytest.raises(Crash):
        await session.conduct(storage=storage, poll_s=1000)
    await session.conduct()


def found_in(session: Session) -> tuple[list[dict[str, object]], list[TrialState], tuple[str, ...]]:
    laboratory = session.laboratory()
    trials, problems = laboratory.trials.of(session.name), laboratory.verify().problems
    laboratory.database.close()
    return [dict(t.point) | dict(t.outcomes) for t in trials], [t.state for t in trials], problems


async def calls_of(session: Session) -> int:
    storage = CrashingStorage()
    await session.conduct(storage=storage, poll_s=1000)
    return storage.calls


@pytest.mark.parametrize("text", [CAMPAIGN, TWO_STEPS], ids=["one step", "two steps"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_at_any_storage_call_loses_and_repeats_nothing(tmp_path, text, after):
    whole = wide_instrument()
    undisturbed = session(tmp_path / "whole.db", whole, text)
    calls = await calls_of(undisturbed)

    for at in range(1, calls + 1):
        instrument = wide_instrument()
        disturbed = session(tmp_path / f"{at}.db", instrument, text)
        await conduct_through_a_crash(disturbed, CrashingStorage(at=at, after=after))

        assert found_in(disturbed) == found_in(undisturbed)
        assert found_in(disturbed)[1:] == ([TrialState.OBSERVED] * 3, ())
        assert len(instrument.started) == len(set(instrument.started)) == len(whole.started)


async def test_a_worker_that_repeats_instead_of_asking_is_caught_by_the_same_test(tmp_path, monkeypatch):
    """The planted fault: after a crash every intended run is queued again under a new command id."""

    async def guess(self: Worker, run: Run, recorder: object) -> bool:
        await self._storage(self._runs.requeue, run, "guessed")
        with self._runs._database.write() as connection:
            connection.exec_driver_sql("UPDATE runs SET command_id = command_id || '+' WHERE id = ?", (run.id,))
        return True

    monkeypatch.setattr(Worker, "_settle", guess)
    repeated = 0

    for at in range(1, await calls_of(session(tmp_path / "whole.db", FakeInstrument())) + 1):
        instrument = FakeInstrument()
        await conduct_through_a_crash(session(tmp_path / f"{at}.db", instrument), CrashingStorage(at=at))
        repeated += len(instrument.started) - 3

    assert repeated > 0


async def test_a_crash_around_an_act_that_cannot_be_asked_about_leaves_the_run_unknown(tmp_path):
    unknown = 0

    for at in range(1, await calls_of(session(tmp_path / "whole.db", FakeInstrument(forgetful=True))) + 1):
        instrument = FakeInstrument(forgetful=True)
        disturbed = session(tmp_path / f"{at}.db", instrument)
        with pytest.raises(Crash):
            await disturbed.conduct(storage=CrashingStorage(at=at, after=True), poll_s=1000)
        try:
            await disturbed.conduct()
        except CampaignHalted as error:
            assert "Nobody can say what became of bench.measure" in str(error)
            assert found_in(disturbed)[1][-1] is TrialState.UNKNOWN
            unknown += 1
        assert len(instrument.started) == len(set(instrument.started)) <= 3

    assert unknown > 0
