"""Where people expect the best of a campaign: what they said of it while it was under way."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from labwright.core.belief import Belief, GivenBelief
from labwright.core.errors import InvalidInput, NotFound
from labwright.core.person import Person
from labwright.core.values import Json
from labwright.storage.campaigns import stream_of
from labwright.storage.database import Database
from labwright.storage.database.ledger import append, now
from labwright.storage.database.packing import pack, unpack
from labwright.storage.database.schema import beliefs, campaigns
from labwright.storage.skills import check_here

TOLD = ("by", "why", "at", "task_id", "ended_at", "ended_by", "ended_why")


class Beliefs:
    """The beliefs of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, campaign: str) -> list[GivenBelief]:
        """Return what was said of a campaign, also what was taken back, the oldest first."""
        with self._database.read() as connection:
            return [_given(row) for row in connection.execute(_beliefs().where(campaigns.c.name == campaign))]

    def current(self, campaign: str) -> list[GivenBelief]:
        """Return what counts of it now."""
        return [given for given in self.of(campaign) if given.counts]

    def give(self, campaign: str, said: Sequence[Belief], *, by: Person, why: str | None) -> list[GivenBelief]:
        """Record the beliefs of somebody who has just shown their secret; each takes the place of their earlier one."""
        with self._database.write(stream_of(campaign)) as connection:
            check_here(connection, by.name)
            return give(connection, campaign, said, by=by.name, why=why)

    def retract(self, number: int, *, by: Person, why: str) -> GivenBelief:
        """Record that a belief counts no more; what was chosen by it stays."""
        with self._database.read() as connection:
            campaign = _get(connection, number).campaign
        with self._database.write(stream_of(campaign)) as connection:
            check_here(connection, by.name)
            found = _get(connection, number)
            if not found.counts:
                raise InvalidInput(f"Belief {number} counts no more already: {found.ended_why}. Nothing was changed.")
            return _end(connection, found, by.name, why)


def give(
    connection: Connection,
    campaign: str,
    said: Sequence[Belief],
    *,
    by: str,
    why: str | None,
    task: int | None = None,
) -> list[GivenBelief]:
    """Record beliefs in the transaction of what they belong to; see `Beliefs.give`."""
    mine = select(campaigns.c.id).where(campaigns.c.name == campaign)
    campaign_id = connection.execute(mine).scalar()
    if campaign_id is None:
        raise NotFound(f"No campaign named {campaign!r}; nothing was recorded.")
    return [_give(connection, campaign, int(campaign_id), belief, by, why, task) for belief in said]


def _give(
    connection: Connection, campaign: str, campaign_id: int, belief: Belief, by: str, why: str | None, task: int | None
) -> GivenBelief:
    current = _beliefs().where(campaigns.c.name == campaign, beliefs.c.by == by, beliefs.c.ended_at.is_(None))
    before = [_given(row) for row in connection.execute(current)]
    row = {"campaign_id": campaign_id, "said": pack(_said(belief)), "by": by, "why": why, "at": now(), "task_id": task}
    result = connection.execute(insert(beliefs).values(**row))
    assert result.inserted_primary_key is not None
    number = int(result.inserted_primary_key[0])
    for earlier in before:
        if earlier.belief.parameter == belief.parameter:
            _end(connection, earlier, by, f"said anew as belief {number}")
    found = _row(connection, number)
    append(connection, stream_of(campaign), "belief.given", _told(found))
    return _given(found)


def facts(connection: Connection) -> Iterator[tuple[str, str, int, str, Json]]:
    """Yield what the table says of each belief, as the ledger has it: campaign, what it is of, its number, the fact."""
    for row in connection.execute(_beliefs()):
        for name, value in _told(row).items():
            if name != "belief":
                yield row.campaign, "belief", row.id, name, value


def _end(connection: Connection, given: GivenBelief, by: str, why: str) -> GivenBelief:
    ended = {"ended_at": now(), "ended_by": by, "ended_why": why}
    connection.execute(update(beliefs).where(beliefs.c.id == given.id).values(**ended))
    row = _row(connection, given.id)
    append(connection, stream_of(given.campaign), "belief.retracted", _told(row))
    return _given(row)


def _beliefs() -> Select[tuple[Any, ...]]:
    columns = select(beliefs, campaigns.c.name.label("campaign"))
    return columns.select_from(beliefs.outerjoin(campaigns)).order_by(beliefs.c.id)


def _row(connection: Connection, number: int) -> Row[tuple[Any, ...]]:
    return connection.execute(_beliefs().where(beliefs.c.id == number)).one()


def _get(connection: Connection, number: int) -> GivenBelief:
    row = connection.execute(_beliefs().where(beliefs.c.id == number)).first()
    if row is None:
        raise NotFound(f"There is no belief {number}. See those of a campaign: labwright show CAMPAIGN")
    return _given(row)


def _said(belief: Belief) -> dict[str, Json]:
    said: dict[str, Json] = {"parameter": belief.parameter, "near": belief.near, "within": belief.within}
    return said | {"likely": dict(belief.likely), "weight": belief.weight}


def _told(row: Row[tuple[Any, ...]]) -> dict[str, Json]:
    return {"belief": row.id, "believed": unpack(row.said), **{name: getattr(row, name) for name in TOLD}}


def _given(row: Row[tuple[Any, ...]]) -> GivenBelief:
    told = {"id": row.id, "campaign": row.campaign, "belief": Belief(**unpack(row.said))}
    ended = {"ended_at": row.ended_at, "ended_by": row.ended_by, "ended_why": row.ended_why}
    return GivenBelief(**told, by=row.by, at=row.at, why=row.why, task=row.task_id, **ended)
