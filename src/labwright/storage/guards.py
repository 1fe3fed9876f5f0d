"""What monitors stand before, and whose signatures their limits files need: each change is one fact on record."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from labwright.core.command import Command
from labwright.core.errors import InvalidInput, InvalidTransition, NotFound, Overtaken
from labwright.core.person import Person
from labwright.core.states import RunState
from labwright.core.values import Json
from labwright.storage.database import Database
from labwright.storage.database.clock import database_now
from labwright.storage.database.ledger import append, now
from labwright.storage.database.schema import guards, limit_keys, runs
from labwright.storage.rows import read_runs, runs_query

STREAM = "safety"
BEGAN = (RunState.INTENDED, RunState.DONE, RunState.FAILED, RunState.UNKNOWN)
TAKEN_UP_S = 900.0  # how long an arming waits for a process that serves the instrument


class GuardState(StrEnum):
    """Whether orders may pass."""

    DISARMED = "disarmed"
    ARMED = "armed"
    TRIPPED = "tripped"


@dataclass(frozen=True, kw_only=True)
class GuardRecord:
    """How the monitor of one thing stands: `version` and `digest` are of the limits armed last.

    `serial` rises with each change; `worker`: which process has taken the arming up; `fresh`: whether one still may.
    """

    thing: str
    serial: int
    state: GuardState
    instrument: str
    version: int
    digest: str
    mode: str
    motion: bool
    by: str
    at: str
    why: str | None = None
    worker: str | None = None
    fresh: bool = False


class Guards:
    """The monitors of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[GuardRecord]:
        """Return how every monitor stands."""
        with self._database.read() as connection:
            return [_record(row) for row in connection.execute(_query().order_by(guards.c.id))]

    def find(self, thing: str) -> GuardRecord | None:
        """Return how the monitor of a thing stands; None where it was never armed and never tripped."""
        with self._database.read() as connection:
            return _find(connection, thing)

    def arm(
        self, thing: str, *, instrument: str, version: int, digest: str, mode: str, motion: bool, by: Person
    ) -> GuardRecord:
        """Record that a person arms a thing with limits; the process that serves it then takes it up."""
        with self._database.write(STREAM) as connection:
            before = _find(connection, thing)
            if before is not None and before.state is GuardState.TRIPPED:
                raise InvalidTransition(before.instrument, f"tripped ({before.why})", "be armed", ["reset"])
            if before is not None and (version, digest) != (before.version, before.digest):
                _check_later(before, version)
            values: dict[str, str | int] = {"instrument": instrument, "version": version, "digest": digest}
            values |= {"mode": mode, "motion": motion}
            return _change(connection, thing, GuardState.ARMED, by.name, None, **values)

    def take_up(self, seen: GuardRecord, worker: str) -> GuardRecord:
        """Record that a process goes by an arming; Overtaken where it stands no more."""
        with self._database.write(STREAM) as connection:
            mine = update(guards).where(
                guards.c.thing == seen.thing, guards.c.serial == seen.serial, guards.c.worker.is_(None)
            )
            if connection.execute(mine.values(worker=worker)).rowcount != 1:
                raise Overtaken(f"{seen.instrument} is not armed any more as it was.")
            append(connection, STREAM, "guard.taken_up", {"thing": seen.thing, "serial": seen.serial, "worker": worker})
            return _known(connection, seen.thing)

    def disarm(self, thing: str, *, why: str, by: str, worker: str | None = None) -> GuardRecord:
        """Record that nothing passes any more; of a worker only where it has taken the arming up."""
        with self._database.write(STREAM) as connection:
            before = _known(connection, thing)
            if before.state is not GuardState.ARMED or (worker is not None and before.worker != worker):
                return before
            return _change(connection, thing, GuardState.DISARMED, by, why)

    def trip(self, thing: str, *, instrument: str, why: str, by: str) -> GuardRecord:
        """Record that nothing passes until two people reset it."""
        with self._database.write(STREAM) as connection:
            before = _find(connection, thing)
            if before is not None and before.state is GuardState.TRIPPED:
                append(connection, STREAM, "guard.tripped_again", {"thing": thing, "why": why, "by": by})
                return before
            return _change(connection, thing, GuardState.TRIPPED, by, why, instrument=instrument)

    def reset(self, thing: str, first: Person, second: Person) -> GuardRecord:
        """Record that two people have removed the cause of a trip; who serves it says so if it is still there."""
        with self._database.write(STREAM) as connection:
            before = _known(connection, thing)
            if before.state is not GuardState.TRIPPED:
                raise InvalidTransition(before.instrument, str(before.state), "be reset", ["nothing of that kind"])
            both = f"{first.name} and {second.name}"
            return _change(connection, thing, GuardState.DISARMED, both, f"reset after: {before.why}")

    def sent(self, thing: str, within_s: float) -> list[tuple[float, Command]]:
        """Return what was sent to a thing within so many seconds, and how many seconds ago."""
        age = (database_now() - runs.c.claimed).label("age")
        recent = select(runs.c.id, age).where(runs.c.thing == thing, runs.c.claimed >= database_now() - within_s)
        began = runs.c.state.in_([s.value for s in BEGAN])
        with self._database.read() as connection:
            ages = {row.id: float(row.age) for row in connection.execute(recent.where(began))}
            found = read_runs(connection, runs_query().where(runs.c.id.in_(list(ages))))
        return [(ages[run.id], run.command) for run in found]

    def refused(self, thing: str, body: Mapping[str, Json]) -> None:
        """Record an order that was refused, with the rule and the state that caused it."""
        with self._database.write(STREAM) as connection:
            append(connection, STREAM, "guard.refused", {"thing": thing, **body})

    def keys(self) -> dict[str, str]:
        """Return the public keys, in hexadecimal digits, that limits files may be signed with, and whose they are."""
        query = select(limit_keys.c.key, limit_keys.c.person).where(limit_keys.c.ended_at.is_(None))
        with self._database.read() as connection:
            return {row.key: row.person for row in connection.execute(query.order_by(limit_keys.c.id))}

    def add_key(self, key: str, person: Person) -> None:
        """Trust what a person on record signs with a key."""
        with self._database.write(STREAM) as connection:
            if connection.execute(select(limit_keys.c.id).where(limit_keys.c.key == key)).first():
                raise InvalidInput("That key is on record already. Make another.")
            connection.execute(insert(limit_keys).values(key=key, person=person.name, added_at=now()))
            append(connection, STREAM, "limit_key.added", {"limit_key": key, "trusted": True, "by": person.name})

    def end_key(self, key: str, *, by: Person, why: str) -> None:
        """Trust a key no more; what was armed with its signatures is to be armed anew."""
        with self._database.write(STREAM) as connection:
            mine = update(limit_keys).where(limit_keys.c.key == key, limit_keys.c.ended_at.is_(None))
            if connection.execute(mine.values(ended_at=now())).rowcount != 1:
                raise NotFound(f"No key {key[:16]}... is trusted.")
            body: dict[str, Json] = {"limit_key": key, "trusted": False, "by": by.name, "why": why}
            append(connection, STREAM, "limit_key.ended", body)


def _check_later(before: GuardRecord, version: int) -> None:
    if version <= before.version:
        raise InvalidInput(
            f"{before.instrument}: found limits of version {version}, expected one above {before.version}, which was "
            "armed last. Limits never go back: sign the file again with a higher version."
        )


def _query() -> Any:
    fresh = (guards.c.changed + TAKEN_UP_S >= database_now()).label("fresh")
    return select(guards, fresh)


def _find(connection: Connection, thing: str) -> GuardRecord | None:
    row = connection.execute(_query().where(guards.c.thing == thing)).first()
    return None if row is None else _record(row)


def _known(connection: Connection, thing: str) -> GuardRecord:
    found = _find(connection, thing)
    if found is None:
        raise NotFound(f"{thing} was never armed. Arm it: labwright guard arm")
    return found


def _change(
    connection: Connection, thing: str, state: GuardState, by: str, why: str | None, **values: str | int
) -> GuardRecord:
    before = _find(connection, thing)
    row = {"state": state.value, "by": by, "why": why, "at": now(), "worker": None, "changed": database_now(), **values}
    if before is None:
        nothing = {"instrument": thing, "version": 0, "digest": "", "mode": "", "motion": False}
        connection.execute(insert(guards).values(**{**nothing, **row}, thing=thing, serial=1))
    else:
        connection.execute(update(guards).where(guards.c.thing == thing).values(**row, serial=guards.c.serial + 1))
    found = _known(connection, thing)
    append(connection, STREAM, f"guard.{state.value}", told(found))
    return found


def told(record: GuardRecord) -> dict[str, Json]:
    """Return what the ledger says of a change."""
    body: dict[str, Json] = {"thing": record.thing, "guard_state": record.state.value, "serial": record.serial}
    body |= {"instrument": record.instrument, "version": record.version, "digest": record.digest}
    return {**body, "mode": record.mode, "motion": record.motion, "by": record.by, "at": record.at, "why": record.why}


def facts(connection: Connection) -> Iterator[tuple[str, str, str, Json]]:
    """Yield what the tables say of each monitor and each key, as the ledger tells it too: whose, which, what, value."""
    for row in connection.execute(_query()):
        for name, value in told(_record(row)).items():
            if name != "thing":
                yield "thing", row.thing, name, value
    for key in connection.execute(select(limit_keys)):
        yield "limit_key", key.key, "trusted", key.ended_at is None


def _record(row: Row[Any]) -> GuardRecord:
    return GuardRecord(
        thing=row.thing,
        serial=row.serial,
        state=GuardState(row.state),
        instrument=row.instrument,
        version=row.version,
        digest=row.digest,
        mode=row.mode,
        motion=bool(row.motion),
        by=row.by,
        at=row.at,
        why=row.why,
        worker=row.worker,
        fresh=bool(row.fresh),
    )
