"""A backup holds everything; what is restored from it begins a new era, in which what was in flight is unknown."""

import sqlite3
from contextlib import ExitStack, closing, contextmanager

import pytest
from sqlalchemy import insert, select

from labwright.core.errors import InvalidInput, LedgerBroken, NotFound, StorageUnavailable
from labwright.core.states import RunState, TrialState
from labwright.storage.backup import backup, restore
from labwright.storage.database import Database
from labwright.storage.database.ledger import append, entries
from labwright.storage.database.schema import campaigns, laboratory, members, metadata, runs, trials, workers
from labwright.storage.verification import verify

STATES = {
    "queued": "running",
    "leased": "running",
    "intended": "running",
    "done": "observed",
    "failed": "failed",
    "unknown": "unknown",
}
WORKER = {"id": "w", "host": "h", "boot": "b", "pid": 1, "purpose": "p", "started_at": "then", "lease_until": 1e12}


def add_run(connection, number, run_state, trial_state):
    trial = {"number": number, "state": trial_state, "proposal": "{}", "outcomes": "{}", "why": None}
    connection.execute(insert(trials).values(id=number, campaign_id=1, proposed_at="then", **trial))
    told = {"trial": number, "trial_state": trial_state, "proposal": {}, "proposed_at": "then"}
    told |= {"outcomes": {}} if trial_state in ("observed", "failed") else {}
    append(connection, "campaign/study", "trial.began", told)
    asked = {
        "step": 0,
        "attempt": 1,
        "resource": "r",
        "key": "r",
        "thing": "r",
        "capability": "c",
        "command_id": f"c{number}",
    }
    asked |= {"room": 1, "epoch": 2}
    connection.execute(insert(runs).values(id=10 * number, campaign_id=1, state=run_state, **asked))
    connection.execute(
        insert(members).values(run_id=10 * number, place=0, trial_id=number, step=0, attempt=1, inputs="{}")
    )
    told = {"run": 10 * number, "run_state": run_state, "trial": number, "inputs": {}, **asked}
    append(connection, "campaign/study", "run.queued", told)


def fill(database):
    row = {"name": "study", "digest": "d", "text": "t: µ", "folder": "f", "state": "running"}
    with database.write() as connection:
        connection.execute(insert(campaigns).values(created_at="then", **row))
        told = {"campaign_state": "running", "text": "t: µ", "digest": "d", "folder": "f"}
        append(connection, "campaign/study", "campaign.added", told)
        connection.execute(insert(workers).values(WORKER))
        for number, (run_state, trial_state) in enumerate(STATES.items(), start=1):
            add_run(connection, number, run_state, trial_state)


def everything(database):
    with database.read() as connection:
        return {t.name: connection.execute(select(t).order_by(*t.primary_key)).all() for t in metadata.sorted_tables}


@contextmanager
def opened(url):
    database = Database.open(url)
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def database(database_url):
    """A laboratory at work, in a database of each kind."""
    with opened(database_url) as database:
        fill(database)
        yield database


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request, tmp_path):
    """Another database of each kind, with nothing in it."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/empty.db"
        if request.param == "postgres":
            url = stack.enter_context(request.getfixturevalue("postgres_databases")())
        yield stack.enter_context(opened(url))


@pytest.fixture
def empty_file(tmp_path):
    """A SQLite file with nothing in it."""
    with opened(f"sqlite:///{tmp_path}/empty.db") as database:
        yield database


@pytest.fixture
def kept(tmp_path):
    """A backup."""
    with opened(f"sqlite:///{tmp_path}/labwright.db") as database:
        fill(database)
        backup(database, tmp_path / "kept.db")
    return tmp_path / "kept.db"


def test_a_backup_holds_every_row(database, tmp_path):
    backup(database, tmp_path / "kept.db")

    copy = Database.open(f"sqlite:///{tmp_path}/kept.db")
    assert everything(copy) == everything(database)
    assert len(everything(copy)["ledger"]) == 13
    copy.close()


def test_a_backup_is_one_file_that_stands_by_itself(database, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()

    backup(database, folder / "kept.db")

    assert [path.name for path in folder.iterdir()] == ["kept.db"]
    with closing(sqlite3.connect(folder / "kept.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_what_is_written_during_a_backup_is_not_in_it(database, tmp_path, monkeypatch):
    from labwright.storage import backup as module

    copied = module._copy

    def write_then_copy(source, target):
        source.execute(select(laboratory)).all()
        with database.write() as connection:
            append(connection, "campaign/study", "late", None)
        copied(source, target)

    monkeypatch.setattr(module, "_copy", write_then_copy)
    backup(database, tmp_path / "kept.db")

    copy = Database.open(f"sqlite:///{tmp_path}/kept.db")
    assert len(everything(copy)["ledger"]) == 13
    copy.close()


def test_a_file_that_exists_is_never_replaced(database, tmp_path):
    (tmp_path / "kept.db").write_text("mine")

    with pytest.raises(InvalidInput, match="exists already"):
        backup(database, tmp_path / "kept.db")

    assert (tmp_path / "kept.db").read_text() == "mine"


def test_a_folder_that_is_not_there_is_told(database, tmp_path):
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        backup(database, tmp_path / "nowhere" / "kept.db")


def test_a_restored_database_begins_a_new_era_in_which_all_in_flight_is_unknown(database, empty, tmp_path):
    backup(database, tmp_path / "kept.db")

    restored = restore(tmp_path / "kept.db", empty)

    assert (restored.era, restored.entries, restored.unknown) == (2, 13, (10, 20, 30))
    found = everything(empty)
    assert [row.era for row in found["laboratory"]] == [2]
    assert [RunState(row.state) for row in found["runs"]] == ["unknown"] * 3 + ["done", "failed", "unknown"]
    assert [TrialState(row.state) for row in found["trials"]] == ["unknown"] * 3 + ["observed", "failed", "unknown"]
    assert [row.ended for row in found["workers"]] == [True]
    assert verify(empty).problems == ()
    with empty.read() as connection:
        assert [e.body for e in entries(connection, "laboratory")] == ['{"era":2}']
        assert [e.kind for e in entries(connection, "campaign/study")][13:] == ["run.unknown", "trial.unknown"] * 3
        seqs = [e.seq for e in entries(connection, "campaign/study") if e.kind == "trial.unknown"]
    assert [row.changed for row in found["trials"]][:3] == seqs


def test_a_restored_database_goes_on_counting(kept, empty):
    restore(kept, empty)

    with empty.write() as connection:
        row = {"name": "next", "digest": "d", "text": "t", "folder": "f", "state": "draft", "created_at": "now"}
        added = connection.execute(insert(campaigns).values(row)).inserted_primary_key

    assert added == (2,)


def test_a_database_that_is_not_empty_is_left_alone(kept, empty_file):
    fill(empty_file)
    before = everything(empty_file)

    with pytest.raises(InvalidInput, match="is not empty"):
        restore(kept, empty_file)

    assert everything(empty_file) == before


def test_a_backup_whose_ledger_was_changed_is_refused(kept, empty_file):
    with closing(sqlite3.connect(kept)) as connection, connection:
        connection.execute("UPDATE ledger SET body = '{}' WHERE seq = 3")

    with pytest.raises(LedgerBroken, match="entry 3"):
        restore(kept, empty_file)

    assert everything(empty_file)["ledger"] == []


def test_a_restore_leaves_the_backup_as_it_is(kept, empty_file):
    before = kept.read_bytes()

    restore(kept, empty_file)

    assert kept.read_bytes() == before


def test_the_file_of_a_laboratory_at_work_can_be_restored_from(tmp_path, empty_file):
    database = Database.open(f"sqlite:///{tmp_path}/labwright.db")
    fill(database)

    assert restore(tmp_path / "labwright.db", empty_file).entries == 13
    database.close()


def test_a_backup_of_a_newer_version_is_named(tmp_path, empty_file):
    database = Database.open(f"sqlite:///{tmp_path}/kept.db")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()

    with pytest.raises(StorageUnavailable, match=r"kept.db is of another version"):
        restore(tmp_path / "kept.db", empty_file)


def test_what_is_no_backup_is_told(tmp_path, empty_file):
    (tmp_path / "notes.txt").write_text("my notes " * 1000)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE mine (x)")

    with pytest.raises(NotFound, match="There is no backup"):
        restore(tmp_path / "nowhere.db", empty_file)
    with pytest.raises(InvalidInput, match="cannot be read as a backup"):
        restore(tmp_path / "notes.txt", empty_file)
    with pytest.raises(InvalidInput, match="is no backup of Labwright"):
        restore(tmp_path / "other.db", empty_file)
