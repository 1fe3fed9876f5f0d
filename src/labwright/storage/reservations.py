"""Things that people have taken by hand: nothing is begun on them until they are given back."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from labwright.core.errors import InvalidTransition, NotFound
from labwright.core.person import Person
from labwright.core.values import Json
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.database.clock import database_now
from labwright.storage.database.ledger import append, now
from labwright.storage.database.schema import ledger, reservations, runs
from labwright.storage.presence import STREAM
from labwright.storage.rows import read_runs, runs_query


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """That somebody has a thing; `until`: when it is given back by itself, in seconds since 1970."""

    id: int
    thing: str
    person: str
    why: str
    since: str
    until: float | None = None
    ended_at: str | None = None


class Reservations:
    """What people have taken, in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now(self) -> dict[str, Reservation]:
        """Return who has what, by the thing."""
        with self._database.read() as connection:
            return {found.thing: found for found in _standing(connection)}

    def of(self, thing: str) -> list[Reservation]:
        """Return every time that a thing was taken, the oldest first."""
        query = select(reservations).where(reservations.c.thing == thing).order_by(reservations.c.id)
        with self._database.read() as connection:
            return [_reservation(row) for row in connection.execute(query)]

    def runs(self, thing: str) -> list[tuple[str, str, str | None]]:
        """Return the runs that were begun on a thing: what each was, when it began, and when it ended, in UTC."""
        query = runs_query().where(runs.c.thing == thing, runs.c.claimed.is_not(None))
        with self._database.read() as connection:
            found = read_runs(connection, query)
            times = _times(connection, {stream_of(run.campaign) for run in found})
        return [(str(run), *times[run.id]) for run in found if run.id in times]

    def take(self, thing: str, person: Person, why: str, *, for_s: float | None = None) -> Reservation:
        """Record that a person has a thing, for so long or until they give it back."""
        with self._database.write(STREAM) as connection:
            if (held := _find(connection, thing)) is not None:
                raise InvalidTransition(thing, f"taken by {held.person} ({held.why})", "be taken", ["give-back"])
            until = None if for_s is None else database_now() + for_s
            row = {"thing": thing, "person": person.name, "why": why, "since": now(), "until": until}
            added = insert(reservations).values(**row).returning(reservations)
            found = _reservation(connection.execute(added).one())
            append(connection, STREAM, "resource.taken", {"reservation": found.id, **_told(found)})
            return found

    def give_back(self, thing: str, by: Person) -> Reservation:
        """Record that a thing is free again; anybody on record may say so."""
        with self._database.write(STREAM) as connection:
            held = _find(connection, thing)
            if held is None:
                raise NotFound("Nobody has taken it, so it cannot be given back.")
            mine = update(reservations).where(reservations.c.thing == thing, reservations.c.ended_at.is_(None))
            ended = now()
            connection.execute(mine.values(ended_at=ended))
            body: dict[str, Json] = {"reservation": held.id, "given_back": ended, "by": by.name}
            append(connection, STREAM, "resource.given_back", body)
            return held


def facts(connection: Connection) -> Iterator[tuple[str, int, str, Json]]:
    """Yield what the table says of each reservation, as the ledger tells it too: whose, which, what and its value."""
    for row in connection.execute(select(reservations)):
        for name, value in _told(_reservation(row)).items():
            yield "reservation", row.id, name, value
        if row.ended_at is not None:
            yield "reservation", row.id, "given_back", row.ended_at


def _told(found: Reservation) -> dict[str, Json]:
    return {"thing": found.thing, "by": found.person, "why": found.why, "since": found.since, "until": found.until}


def _times(connection: Connection, streams: Collection[str]) -> dict[int, tuple[str, str | None]]:
    """Return when each run of some campaigns was last begun, and when it ended, as the ledger tells it."""
    found: dict[int, tuple[str, str | None]] = {}
    query = select(ledger.c.at, ledger.c.kind, ledger.c.body).where(
        ledger.c.stream.in_(list(streams)), ledger.c.kind.in_(["run.intended", "run.done", "run.failed", "run.unknown"])
    )
    for at, kind, body in connection.execute(query.order_by(ledger.c.stream, ledger.c.seq)):
        run = json.loads(body)["run"]
        began = at if kind == "run.intended" or run not in found else found[run][0]
        found[run] = (began, None if kind == "run.intended" else at)
    return found


def _standing(connection: Connection) -> list[Reservation]:
    open_until = or_(reservations.c.until.is_(None), reservations.c.until > database_now())
    query = select(reservations).where(reservations.c.ended_at.is_(None), open_until).order_by(reservations.c.id)
    return [_reservation(row) for row in connection.execute(query)]


def _find(connection: Connection, thing: str) -> Reservation | None:
    return next((found for found in _standing(connection) if found.thing == thing), None)


def _reservation(row: Row[Any]) -> Reservation:
    return Reservation(
        id=row.id,
        thing=row.thing,
        person=row.person,
        why=row.why,
        since=row.since,
        until=row.until,
        ended_at=row.ended_at,
    )
