"""People on record: each with the hash of a secret of their own, and what was tried against it."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from labwright.core.errors import InvalidInput, NotAuthorised, NotFound
from labwright.core.person import Person
from labwright.core.values import Json, digest, show
from labwright.storage.database import Database
from labwright.storage.database.clock import database_now
from labwright.storage.database.ledger import append, now
from labwright.storage.database.schema import people

STREAM = "people"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,59}")
FREE_ATTEMPTS = 5
FIRST_LOCK_S, LONGEST_LOCK_S = 30.0, 3600.0


class People:
    """The people of one database. Names are used once: one that has left is never given to another."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Person]:
        """Return everyone, also those who have left, in the order in which they came."""
        with self._database.read() as connection:
            return [_person(row) for row in connection.execute(select(people).order_by(people.c.id))]

    def get(self, name: str) -> Person:
        """Return a person, also one who has left; an unknown name raises NotFound."""
        with self._database.read() as connection:
            return _person(_row(connection, name))

    def add(self, name: str, secret: str, *, by: Person | None = None) -> Person:
        """Put a person on record, with the PHC string of their secret.

        The first needs nobody; later ones need somebody on record who vouches for them, or NotAuthorised is raised.
        """
        if not NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} cannot name a person: letters, digits, '.', '_', '@' and '-', 60 at most.")
        with self._database.write() as connection:
            _check_voucher(connection, by)
            taken = select(people.c.name).where(func.lower(people.c.name) == name.lower())
            found = connection.execute(taken).scalar()
            if found is not None:
                raise InvalidInput(f"{found!r} is on record already, and a name is used once. Take another.")
            vouched = by.name if by else None
            row = {"name": name, "secret": secret, "added_at": now(), "added_by": vouched}
            connection.execute(insert(people).values(**row))
            added = _row(connection, name)
            append(connection, STREAM, "person.added", {**_told(added), "by": vouched})
        return _person(added)

    def remove(self, name: str, *, by: Person) -> Person:
        """End a person's part; what they did stays on record. The last one cannot be removed."""
        with self._database.write() as connection:
            _check_current(connection, by)
            if not _person(_row(connection, name)).is_current:
                raise InvalidInput(f"{name} has left already.")
            others = select(func.count()).select_from(people).where(people.c.ended_at.is_(None), people.c.name != name)
            if not connection.execute(others).scalar_one():
                raise InvalidInput(
                    f"{name} is the only person on record. Add another first: labwright people add NAME."
                )
            connection.execute(update(people).where(people.c.name == name).values(ended_at=now()))
            ended = _row(connection, name)
            append(connection, STREAM, "person.removed", {**_told(ended), "by": by.name})
        return _person(ended)

    def change_secret(self, person: Person, secret: str) -> None:
        """Give a person, who has just shown the old secret, a new one."""
        with self._database.write() as connection:
            _check_current(connection, person)
            connection.execute(update(people).where(people.c.name == person.name).values(secret=secret))
            append(connection, STREAM, "person.secret_changed", _told(_row(connection, person.name)))

    def attempt(self, name: str) -> Person:
        """Return a person who may try a secret now, with the attempt counted as a wrong one; else raise NotAuthorised.

        After five wrong ones in a row each further one locks for twice as long, by the database's clock.
        """
        with self._database.write() as connection:
            free = people.c.ended_at.is_(None) & (people.c.locked_until <= database_now())
            counted = update(people).where(people.c.name == name, free).values(wrong=people.c.wrong + 1)
            if connection.execute(counted).rowcount != 1:
                raise NotAuthorised(_why_not(connection, name))
            row = _row(connection, name)
            if lock_s(row.wrong) > 0:
                until = database_now() + lock_s(row.wrong)
                connection.execute(update(people).where(people.c.name == name).values(locked_until=until))
        return _person(row)

    def wrong(self, name: str) -> None:
        """Record that the secret was wrong."""
        with self._database.write() as connection:
            row = _row(connection, name)
            body: dict[str, Json] = {"person": row.id, "name": name, "in_a_row": row.wrong}
            append(connection, STREAM, "person.wrong_secret", {**body, "locked_s": lock_s(row.wrong)})

    def right(self, name: str) -> None:
        """Forget the wrong attempts in a row: the secret was right."""
        with self._database.write() as connection:
            connection.execute(update(people).where(people.c.name == name).values(wrong=0, locked_until=0))


def lock_s(wrong: int) -> float:
    """Return for how many seconds a person is locked after so many wrong secrets in a row."""
    if wrong < FREE_ATTEMPTS:
        return 0.0
    return min(LONGEST_LOCK_S, FIRST_LOCK_S * 2.0 ** min(wrong - FREE_ATTEMPTS, 10))


def facts(connection: Connection) -> dict[int, Mapping[str, Json]]:
    """Return what the table says of each person, by their number, as the ledger tells it too."""
    return {row.id: _told(row) for row in connection.execute(select(people))}


def _told(row: Row[tuple[Any, ...]]) -> dict[str, Json]:
    # The sha256 of the salted hash shows a hash that was exchanged, and is of no use for guessing.
    told: dict[str, Json] = {"person": row.id, "name": row.name, "secret_sha256": digest(row.secret)}
    return {**told, "added_at": row.added_at, "added_by": row.added_by, "ended_at": row.ended_at}


def _check_voucher(connection: Connection, by: Person | None) -> None:
    if by is not None:
        _check_current(connection, by)
    elif connection.execute(select(people.c.id).limit(1)).first() is not None:
        raise NotAuthorised("Somebody on record must vouch for a new person. Say who: --as NAME.")


def _check_current(connection: Connection, person: Person) -> None:
    if not _person(_row(connection, person.name)).is_current:
        raise NotAuthorised(f"{person.name} was removed and may do nothing here any more.")


def _why_not(connection: Connection, name: str) -> str:
    row = connection.execute(select(people, database_now().label("now")).where(people.c.name == name)).first()
    if row is None:
        return f"{_unknown(connection, name)} Nothing was changed."
    if row.ended_at is not None:
        return f"{name} was removed and may do nothing here any more. Nothing was changed."
    left = show(float(max(1, round(row.locked_until - row.now))))
    return f"{name} is locked for {left} s more, after {row.wrong} wrong secrets in a row. Wait, then try again."


def _unknown(connection: Connection, name: str) -> str:
    names = connection.execute(select(people.c.name).where(people.c.ended_at.is_(None)).order_by(people.c.id)).scalars()
    known = ", ".join(names)
    advice = f"On record: {known}." if known else "There is nobody yet; begin with: labwright people add NAME."
    return f"No person named {name!r} is on record. {advice}"


def _row(connection: Connection, name: str) -> Row[tuple[Any, ...]]:
    row = connection.execute(select(people).where(people.c.name == name)).first()
    if row is None:
        raise NotFound(_unknown(connection, name))
    return row


def _person(row: Row[tuple[Any, ...]]) -> Person:
    times = {"added_at": row.added_at, "added_by": row.added_by, "ended_at": row.ended_at}
    return Person(name=row.name, secret=row.secret, **times)
