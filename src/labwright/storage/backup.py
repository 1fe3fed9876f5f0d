"""Everything on record in one file; and back again, as a new era in which nothing in flight is taken for granted."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, MetaData, Row, Table, delete, func, insert, select, update

from labwright.core.errors import InvalidInput, LedgerBroken, NotFound, StorageUnavailable
from labwright.core.states import RUN_TRANSITIONS, TRIAL_TRANSITIONS, RunState, TrialState
from labwright.core.values import Json
from labwright.storage import lots, samples
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.database.ledger import append
from labwright.storage.database.schema import campaigns, laboratory, members, runs, trials, workers
from labwright.storage.database.transaction import lock
from labwright.storage.queueing import mark
from labwright.storage.transitions import Held, move
from labwright.storage.verification import verify

LABORATORY = "laboratory"
VERSION = "alembic_version"
ROWS_AT_ONCE = 1000
WHY = "the database was restored from a backup: what came of this run since then is not on record"


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What a restore did: the era that began, how many entries came back, and the runs that are unknown since."""

    era: int
    entries: int
    unknown: tuple[int, ...]


def backup(database: Database, file: Path) -> int:
    """Write all that is on record, as it stands at one moment, to a new SQLite file; it appears whole or not at all.

    Return how many entries of the ledger it holds.
    """
    if file.exists():
        raise InvalidInput(f"{file} exists already; nothing was written. Name a new file, or move that one away.")
    try:
        # In a folder beside it: a file appears under its name by one rename, and only on the same disk.
        with tempfile.TemporaryDirectory(dir=file.absolute().parent, prefix=f".{file.name}.") as folder:
            made = Path(folder) / "backup.db"
            with _opened(made) as copy, database.read() as source, copy.write() as target:
                _copy(source, target)
            with closing(sqlite3.connect(made)) as connection:
                # One file, that can also be read where none is written.
                connection.execute("PRAGMA journal_mode=DELETE")
                entries = connection.execute("SELECT count(*) FROM ledger").fetchone()[0]
            _keep(made, file)
            return int(entries)
    except OSError as error:
        raise StorageUnavailable(f"The backup {file} cannot be written: {error.strerror or error}") from error


def restore(file: Path, database: Database) -> Restored:
    """Fill an empty database from a backup, of either kind; begin a new era, in which all in flight is unknown.

    A file that is no backup or whose ledger does not hold, and a database that is not empty, are refused.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "backup.db"
        _fetch(file, own)  # a backup is never written to, nor brought to another version
        with _opened(own, shown=file) as copy:
            found = verify(copy)
            if found.problems:
                problems = "\n".join(f"  {problem}" for problem in found.problems[:10])
                raise LedgerBroken(f"{file} does not agree with itself; nothing was restored.\n{problems}")
            with copy.read() as source, database.write() as target:
                lock(target, LABORATORY)
                _refuse_rows(target, database.name)
                _copy(source, target)
                era = _begin_era(target)
                _withdraw(target)
                return Restored(era=era, entries=found.entries, unknown=tuple(_doubt_runs(target)))


@contextmanager
def _opened(path: Path, shown: Path | None = None) -> Iterator[Database]:
    try:
        database = Database.open(f"sqlite:///{path}")
    except StorageUnavailable as error:
        raise StorageUnavailable(str(error).replace(str(path.resolve()), str(shown or path))) from error
    try:
        yield database
    finally:
        database.close()


def _fetch(file: Path, own: Path) -> None:
    """Copy a backup, with what its write-ahead log holds; refuse what is none."""
    if not file.is_file():
        raise NotFound(f"There is no backup {file}. `labwright backup FILE` writes one.")
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(own)) as target,
        ):
            source.backup(target)
            known = target.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION,)).fetchone()
    except sqlite3.Error as error:
        raise InvalidInput(f"{file} cannot be read as a backup of Labwright: {error}. Nothing was restored.") from error
    if known is None:
        raise InvalidInput(f"{file} is no backup of Labwright: it is a database of something else.")


def _keep(made: Path, file: Path) -> None:
    """Give a finished file its name, on disk."""
    for path, rename in ((made, True), (file.absolute().parent, False)):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if rename:
            made.rename(file)


def _tables(connection: Connection) -> Sequence[Table]:
    """Return every table that the migrations made, each after those that it refers to."""
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name != VERSION)
    return found.sorted_tables


def _refuse_rows(connection: Connection, name: str) -> None:
    for table in _tables(connection):
        if table.name != LABORATORY and connection.execute(select(table).limit(1)).first() is not None:
            raise InvalidInput(
                f"The database {name} is not empty: its table {table.name} has rows; nothing was restored. "
                "Restore into a new database, then use that one."
            )


def _copy(source: Connection, target: Connection) -> None:
    tables = _tables(target)
    target.execute(delete(laboratory))  # a new database has begun its first era
    for table in tables:
        rows = source.execute(select(table).order_by(*table.primary_key).execution_options(yield_per=ROWS_AT_ONCE))
        for some in rows.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in some])
    if target.dialect.name == "postgresql":
        for table in tables:
            _continue_numbers(target, table)


def _continue_numbers(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows after the ones that came with their numbers."""
    for column in table.primary_key:
        sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar()
        last = connection.execute(select(func.max(column))).scalar() if sequence else None
        if last is not None:
            connection.execute(select(func.setval(sequence, last)))


def _begin_era(connection: Connection) -> int:
    connection.execute(update(laboratory).values(era=laboratory.c.era + 1))
    connection.execute(update(workers).values(ended=True))
    era = int(connection.execute(select(laboratory.c.era)).scalar_one())
    append(connection, LABORATORY, "laboratory.restored", {"era": era})
    return era


def _doubt_runs(connection: Connection) -> Iterator[int]:
    """Move what the backup holds as in flight to unknown, and its trials with it; yield the runs."""
    doubtful = [state.value for state, action in RUN_TRANSITIONS if action == "doubt"]
    query = select(runs, campaigns.c.name.label("campaign")).join(campaigns).where(runs.c.state.in_(doubtful))
    for run in connection.execute(query.order_by(campaigns.c.name, runs.c.id)).all():
        held = Held(name=f"run {run.id}", table=runs, id=run.id, state=RunState(run.state), epoch=run.epoch)
        new = move(connection, held, RUN_TRANSITIONS, "doubt")
        body: dict[str, Json] = {"run": run.id, "run_state": new.value, "epoch": run.epoch, "why": WHY}
        append(connection, stream_of(run.campaign), f"run.{new.value}", body)
        if run.material:
            if run.state != RunState.INTENDED.value:
                lots.take(connection, run.id)  # nobody knows that it was not: it may have been
            samples.settle(connection, stream_of(run.campaign), run.id)
        _lose_trials(connection, run)
        yield run.id


def _withdraw(connection: Connection) -> None:
    """End what waited for people or for its turn: it may have been approved and carried out since."""
    open_states = (TrialState.PROPOSED.value, TrialState.WAITING.value)
    query = select(trials, campaigns.c.name.label("campaign")).join(campaigns).where(trials.c.state.in_(open_states))
    for row in connection.execute(query.order_by(campaigns.c.name, trials.c.number)).all():
        name = f"trial {row.campaign}/{row.number}"
        held = Held(name=name, table=trials, id=row.id, state=TrialState(row.state))
        new = move(connection, held, TRIAL_TRANSITIONS, "withdraw", why=WHY)
        body: dict[str, Json] = {"trial": row.number, "trial_state": new.value, "why": WHY}
        mark(connection, row.id, append(connection, stream_of(row.campaign), f"trial.{new.value}", body).seq)


def _lose_trials(connection: Connection, run: Row[Any]) -> None:
    running = (members.c.run_id == run.id, trials.c.state == TrialState.RUNNING.value)
    query = select(trials.c.id, trials.c.number).join(members, members.c.trial_id == trials.c.id).where(*running)
    for trial in connection.execute(query.order_by(trials.c.number)).all():
        name = f"trial {run.campaign}/{trial.number}"
        held = Held(name=name, table=trials, id=trial.id, state=TrialState.RUNNING)
        new = move(connection, held, TRIAL_TRANSITIONS, "lose", why=WHY)
        body: dict[str, Json] = {"trial": trial.number, "trial_state": new.value, "why": WHY}
        written = append(connection, stream_of(run.campaign), f"trial.{new.value}", body)
        connection.execute(update(trials).where(trials.c.id == trial.id).values(changed=written.seq))
