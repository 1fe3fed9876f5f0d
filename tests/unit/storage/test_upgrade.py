"""A database that the first version wrote, with what was killed in the act: it is brought up to date, and goes on.

`databases/0001.sql` was made by that version: a campaign that ended, and three whose process was killed in the act.
"""

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from labwright.app import Laboratory
from labwright.core.errors import CampaignHalted
from labwright.core.states import CampaignState, RunState, TrialState
from labwright.storage.database import Database
from labwright.testing import FakeInstrument, Session

WRITTEN = Path(__file__).parent / "databases" / "0001.sql"


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "labwright.db")) as connection:
        connection.executescript(WRITTEN.read_text())
    return tmp_path / "labwright.db"


@contextmanager
def laboratory(path):
    with closing(Database.open(f"sqlite:///{path}")) as database:
        yield Laboratory.of(database)


def session(path, name, instrument):
    """A process that takes a campaign up, with the file that it began with."""
    with laboratory(path) as found:
        text = found.campaigns.get(name).text
    return Session(text, {"bench": instrument}, path, {"bench": "function /lab/bench.py:measure|a"})


def test_it_holds_as_it_is_and_shows_what_was_in_flight(path):
    with laboratory(path) as found:
        assert found.verify().problems == ()
        runs = {
            name: [run.state.value for run in found.runs.of(name)] for name in ("ended", "repeatable", "once", "lost")
        }
        assert runs == {"ended": ["done"], "repeatable": ["intended"], "once": ["intended"], "lost": ["unknown"]}


async def test_what_may_be_repeated_goes_on_by_itself(path):
    instrument = FakeInstrument(repeatable=True)

    assert await session(path, "repeatable", instrument).conduct() is CampaignState.FINISHED

    with laboratory(path) as found:
        assert [trial.state for trial in found.trials.of("repeatable")] == [TrialState.OBSERVED] * 2
        assert found.verify().problems == ()


@pytest.mark.parametrize("name", ["once", "lost"])
async def test_what_was_begun_is_unknown_until_a_person_has_decided_since_nobody_kept_where(path, name):
    instrument = FakeInstrument()
    with pytest.raises(CampaignHalted, match=f"{name}/1"):
        await session(path, name, instrument).conduct()
    with laboratory(path) as found:
        [run] = found.runs.of(name)
        assert (run.state, instrument.started) == (RunState.UNKNOWN, [])
        found.decide_done(run.id, {"y": 0.25}, why="I read it off", by="ada")

    assert await session(path, name, instrument).conduct() is CampaignState.FINISHED

    with laboratory(path) as found:
        assert [trial.state for trial in found.trials.of(name)] == [TrialState.OBSERVED] * 2
        assert len(instrument.started) == 1
        assert found.verify().problems == ()
