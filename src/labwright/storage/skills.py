"""What people can do: each skill of a person by somebody's word, until it is taken back or its time is over."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, or_, select, update

from labwright.core.errors import InvalidInput, NotAuthorised, NotFound
from labwright.core.person import Person, Skill
from labwright.core.values import Json
from labwright.storage.database import Database
from labwright.storage.database.clock import database_now
from labwright.storage.database.clock import now as clock_now
from labwright.storage.database.ledger import append, now
from labwright.storage.database.schema import people, skills
from labwright.storage.lots import day_of, end_of
from labwright.storage.people import STREAM

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,59}(?<! )")
TOLD = ("skill_of", "skill_name", "added_at", "added_by", "until", "ended_at", "ended_by", "ended_why")


class Skills:
    """The skills of one database's people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Skill]:
        """Return every skill on record, also those that are over, the oldest first."""
        with self._database.read() as connection:
            return [_skill(row) for row in connection.execute(_skills())]

    def vouch(self, person: str, skill: str, *, by: Person, until: date | None = None) -> Skill:
        """Record that a person has a skill, by the word of somebody who has just shown their secret; perhaps their own.

        `until`: its last day. Where they have it already, this word takes the place of the earlier one.
        """
        if not NAME.fullmatch(skill):
            raise InvalidInput(
                f"{skill!r} cannot name a skill: letters, digits, spaces, '.', '_', '+' and '-', 60 at most."
            )
        with self._database.write(STREAM) as connection:
            check_here(connection, by.name)
            person_id = check_here(connection, person)
            if until is not None and end_of(until) <= clock_now(connection):
                raise InvalidInput(f"{until} is over; nothing was recorded. Give the last day on which it counts.")
            for row in connection.execute(
                _skills().where(people.c.name == person, _COUNTS, skills.c.skill == skill)
            ).all():
                _end(connection, row, by.name, f"{by.name} vouched for it anew")
            over = None if until is None else end_of(until)
            said = {"added_at": now(), "added_by": by.name, "until": over}
            result = connection.execute(insert(skills).values(person_id=person_id, skill=skill, **said))
            assert result.inserted_primary_key is not None
            row = _row(connection, int(result.inserted_primary_key[0]))
            append(connection, STREAM, "skill.vouched", _told(row))
        return _skill(row)

    def revoke(self, person: str, skill: str, *, by: Person, why: str) -> Skill:
        """Record that a person's skill counts no more; what they answered before stays."""
        with self._database.write(STREAM) as connection:
            check_here(connection, by.name)
            rows = connection.execute(_skills().where(people.c.name == person, _COUNTS)).all()
            row = next((row for row in rows if row.skill == skill), None)
            if row is None:
                has = ", ".join(row.skill for row in rows) or "none"
                raise NotFound(
                    f"{person} has no skill {skill!r} that counts now; they have {has}. Nothing was changed."
                )
            return _skill(_end(connection, row, by.name, why))


def skills_of(connection: Connection, person: str) -> set[str]:
    """Return what a person can do now, by the database's clock."""
    return {row.skill for row in connection.execute(_skills().where(people.c.name == person, _COUNTS))}


def able(connection: Connection, skill: str) -> list[str]:
    """Return who has a skill now, and is still here."""
    query = _skills().where(skills.c.skill == skill, _COUNTS)
    return list(dict.fromkeys(row.name for row in connection.execute(query)))


def facts(connection: Connection) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """Yield what the table says of each skill, by its number, as the ledger tells it too."""
    for row in connection.execute(_skills()):
        yield row.id, {name: value for name, value in _told(row).items() if name != "skill"}


_COUNTS = skills.c.ended_at.is_(None) & or_(skills.c.until.is_(None), skills.c.until > database_now()) & (
    people.c.ended_at.is_(None)
)  # fmt: skip


def _skills() -> Select[tuple[Any, ...]]:
    counts = _COUNTS.label("counts")
    return select(skills, people.c.name, counts).select_from(skills.outerjoin(people)).order_by(skills.c.id)


def _row(connection: Connection, number: int) -> Row[tuple[Any, ...]]:
    return connection.execute(_skills().where(skills.c.id == number)).one()


def check_here(connection: Connection, name: str) -> int:
    """Return a person's number; who is not on record raises NotFound, and who has left NotAuthorised."""
    row = connection.execute(select(people).where(people.c.name == name)).first()
    if row is None:
        raise NotFound(f"No person named {name!r} is on record. See: labwright people")
    if row.ended_at is not None:
        raise NotAuthorised(f"{name} was removed and may do nothing here any more.")
    return int(row.id)


def _end(connection: Connection, row: Row[tuple[Any, ...]], by: str, why: str) -> Row[tuple[Any, ...]]:
    ended = {"ended_at": now(), "ended_by": by, "ended_why": why}
    connection.execute(update(skills).where(skills.c.id == row.id).values(**ended))
    row = _row(connection, row.id)
    append(connection, STREAM, "skill.revoked", _told(row))
    return row


def _told(row: Row[tuple[Any, ...]]) -> dict[str, Json]:
    told: dict[str, Json] = {"skill": row.id, "skill_of": row.name, "skill_name": row.skill}
    return told | {name: getattr(row, name) for name in TOLD[2:]}


def _skill(row: Row[tuple[Any, ...]]) -> Skill:
    ended = {"ended_at": row.ended_at, "ended_by": row.ended_by, "ended_why": row.ended_why}
    until = None if row.until is None else day_of(row.until)
    said = {"added_at": row.added_at, "added_by": row.added_by}
    return Skill(person=row.name, name=row.skill, until=until, counts=bool(row.counts), **said, **ended)
