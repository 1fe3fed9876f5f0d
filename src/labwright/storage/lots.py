"""Lots within a transaction: how much is left, what is reserved, and what runs take or give back.

What is left is the sum of a lot's entries, and what is reserved the sum over the live trials: there is no counter.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, exists, func, insert, or_, select

from labwright.core.errors import InvalidUnit
from labwright.core.material import EntryKind, Lot, Taking, shortage
from labwright.core.states import RunState, TrialState
from labwright.core.units import convert
from labwright.core.values import Json
from labwright.storage.database.clock import database_now
from labwright.storage.database.ledger import append, now
from labwright.storage.database.schema import campaigns, lot_entries, lots, members, runs, takings, trials
from labwright.storage.database.transaction import lock

STREAM = "lots"  # of the ledger, and the lock on every lot; it is taken after those of campaigns
LIVE_TRIALS = (TrialState.CLEARED, TrialState.RUNNING, TrialState.UNKNOWN)
NOT_BEGUN = (RunState.QUEUED.value, RunState.LEASED.value)


def _run_of_step(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Say in SQL that a taking's step has a run for which the conditions hold."""
    query = select(1).select_from(members.join(runs)).where(members.c.trial_id == takings.c.trial_id)
    return exists(query.where(runs.c.step == takings.c.step, *conditions).correlate(takings))


_LEFT = select(func.sum(lot_entries.c.amount)).where(lot_entries.c.lot_id == lots.c.id).scalar_subquery()
_LOT = select(lots, func.coalesce(_LEFT, 0.0).label("left"), (lots.c.expires_at <= database_now()).label("over"))
_RESERVED = (
    select(takings, trials.c.number, campaigns.c.name.label("campaign"))
    .select_from(takings.join(trials).join(campaigns))
    .where(trials.c.state.in_([s.value for s in LIVE_TRIALS]))
    .where(or_(~_run_of_step(), _run_of_step(runs.c.state.in_(NOT_BEGUN))))
    .order_by(takings.c.id)
)
_OF_RUN = (
    select(takings)
    .select_from(members.join(runs).join(takings, takings.c.trial_id == members.c.trial_id))
    .where(runs.c.id == bindparam("of_run"), takings.c.step == runs.c.step)
    .order_by(takings.c.id)
)


def read_lots(connection: Connection, name: str | None = None) -> list[Lot]:
    """Return every lot, or the one of that name, as it stands now."""
    found = connection.execute((_LOT if name is None else _LOT.where(lots.c.name == name)).order_by(lots.c.name)).all()
    reserved = _reserved(connection, name)
    return [_lot(row, reserved[row.name]) for row in found]


def _reserved(connection: Connection, name: str | None) -> Mapping[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    query = _RESERVED if name is None else _RESERVED.where(takings.c.lot == name)
    for row in connection.execute(query):
        found[row.lot].append(row)
    return found


def _lot(row: Row[Any], reserved: Iterable[Row[Any]]) -> Lot:
    amounts = [(in_unit(t.amount, t.unit, row), t) for t in reserved]
    return Lot(
        name=row.name,
        unit=row.unit,
        left=row.left,
        reserved=sum(amount or 0.0 for amount, _ in amounts),
        holders=tuple(f"{t.campaign}/{t.number}" for amount, t in amounts if amount),
        expires=None if row.expires_at is None else day_of(row.expires_at),
        has_expired=bool(row.over),
        location=row.location,
        added_at=row.added_at,
    )


def end_of(day: date) -> float:
    """Return the moment at which a day ends, in UTC, in seconds since 1970."""
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)).timestamp()


def day_of(end: float) -> str:
    """Return the day that ends at a moment."""
    return (datetime.fromtimestamp(end, UTC) - timedelta(seconds=1)).date().isoformat()


def in_unit(amount: float, unit: str | None, lot: Any) -> float | None:
    """Return an amount in a lot's unit; None where it cannot be converted."""
    try:
        return convert(amount, unit or "1", lot.unit, lot.name)
    except InvalidUnit:
        return None


def lacking(connection: Connection, wanted: Sequence[Taking]) -> str | None:
    """Say why the lots cannot give all that a new trial takes; None where they can. It holds them all."""
    lock(connection, STREAM)
    by_lot: dict[str, list[Taking]] = defaultdict(list)
    for taking in wanted:
        by_lot[taking.lot].append(taking)
    for name, several in by_lot.items():
        found = read_lots(connection, name)
        why = _short(found[0] if found else None, name, several, "this trial")
        if why is not None:
            return why
    return None


def lacking_for(connection: Connection, run_id: int, who: str) -> str | None:
    """Say why the lots cannot give what a queued run takes; None where they can.

    Reserved for others is what trials wanted before this one did.
    """
    mine: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(_OF_RUN, {"of_run": run_id}):
        mine[row.lot].append(row)
    for name, rows in mine.items():
        lot = connection.execute(_LOT.where(lots.c.name == name)).first()
        ids = {t.id for t in rows}
        before = [t for t in _reserved(connection, name)[name] if t.id < max(ids) and t.id not in ids]
        several = [Taking(step=t.step, lot=name, amount=t.amount, unit=t.unit) for t in rows]
        why = _short(None if lot is None else _lot(lot, before), name, several, who)
        if why is not None:
            return why
    return None


def _short(lot: Lot | None, name: str, several: Sequence[Taking], who: str) -> str | None:
    known = [t for t in several if t.amount is not None]
    if lot is None or not known:
        return shortage(lot, name, None, who)
    amounts = [in_unit(t.amount or 0.0, t.unit, lot) for t in known]
    for taking, amount in zip(known, amounts, strict=True):
        if amount is None:
            return f"lot {name} is kept in {lot.unit}, and {who} takes {taking} of it: another dimension. Mend the file"
    return shortage(lot, name, sum(amount or 0.0 for amount in amounts), who)


def plan(connection: Connection, stream: str, trial: tuple[int, int], wanted: Iterable[Taking]) -> None:
    """Put on record what the steps of a trial, given as (row id, number), take: it is reserved from now on."""
    held = select(takings).where(takings.c.trial_id == trial[0]).order_by(takings.c.step, takings.c.lot)
    known = {(t.step, t.lot) for t in connection.execute(held)}
    new = [t for t in wanted if t.amount is not None and (t.step, t.lot) not in known]
    if not new:
        return
    lock(connection, STREAM)
    for t in new:
        row = {"step": t.step, "lot": t.lot, "amount": float(t.amount or 0.0), "unit": t.unit}
        connection.execute(insert(takings).values(trial_id=trial[0], **row))
    told = [_told(t) for t in connection.execute(held)]
    append(connection, stream, "trial.reserved", {"trial": trial[1], "takings": told})


def _told(row: Row[Any]) -> Json:
    return {"step": row.step, "lot": row.lot, "amount": row.amount, "unit": row.unit}


def take(connection: Connection, run_id: int) -> None:
    """Count what a run takes as taken: it is about to move."""
    amounts: dict[str, float] = defaultdict(float)
    rows = {row.name: row for row in connection.execute(select(lots))}
    for t in connection.execute(_OF_RUN, {"of_run": run_id}):
        if t.lot in rows:
            amounts[t.lot] += in_unit(t.amount, t.unit, rows[t.lot]) or 0.0
    for name, amount in amounts.items():
        if amount:
            enter(connection, name, EntryKind.TAKEN, -amount, run=run_id)


def give_back(connection: Connection, run_id: int, why: str) -> None:
    """Count what a run took as there again: it never ran.

    What was corrected by hand since then stands as it is: whoever looked has seen it there.
    """
    lock(connection, STREAM)
    entries = lot_entries.alias()
    corrected = select(func.coalesce(func.max(entries.c.id), 0)).where(entries.c.lot_id == lot_entries.c.lot_id)
    since = corrected.where(entries.c.kind == EntryKind.CORRECTED.value).scalar_subquery()
    total = func.sum(lot_entries.c.amount).label("total")
    query = select(lots.c.name, total).select_from(lot_entries.join(lots)).where(lot_entries.c.run_id == run_id)
    for row in connection.execute(query.where(lot_entries.c.id > since).group_by(lots.c.name)).all():
        if row.total < 0:
            enter(connection, row.name, EntryKind.RETURNED, -row.total, run=run_id, why=why)


def enter(
    connection: Connection,
    name: str,
    kind: EntryKind,
    amount: float,
    *,
    run: int | None = None,
    why: str | None = None,
    told: Mapping[str, Json] | None = None,
) -> None:
    """Write an entry of a lot; `told` is what the ledger says besides."""
    amount = float(amount)  # as the table gives it back
    lot_id = connection.execute(select(lots.c.id).where(lots.c.name == name)).scalar_one()
    row = {"lot_id": lot_id, "kind": kind.value, "amount": amount, "run_id": run, "why": why, "at": now()}
    result = connection.execute(insert(lot_entries).values(**row))
    assert result.inserted_primary_key is not None
    entry: dict[str, Json] = {"entry": int(result.inserted_primary_key[0]), "entry_kind": kind.value, "amount": amount}
    append(connection, STREAM, f"lot.{kind}", {"lot": name, **entry, "for_run": run, "why": why, **(told or {})})


Fact = tuple[str, str, int | str, str, Json]  # campaign ("" for the lots' own stream), whose, number, what, value


def facts(connection: Connection) -> Iterable[Fact]:
    """Yield what the tables say of lots, as the ledger tells it."""
    for row in connection.execute(select(lots)):
        for name in ("unit", "expires_at", "location", "added_at"):
            yield "", "lot", row.name, name, getattr(row, name)
    for row in connection.execute(select(lot_entries, lots.c.name).select_from(lot_entries.outerjoin(lots))):
        told = {"entry_kind": row.kind, "amount": row.amount, "lot": row.name, "for_run": row.run_id, "why": row.why}
        for name, value in told.items():
            yield "", "entry", row.id, name, value
    whose = takings.outerjoin(trials, takings.c.trial_id == trials.c.id).outerjoin(campaigns)
    by_trial: dict[tuple[str, int], list[Json]] = defaultdict(list)
    query = select(takings, trials.c.number, campaigns.c.name).select_from(whose)
    for row in connection.execute(query.order_by(takings.c.step, takings.c.lot)):
        by_trial[row.name, row.number].append(_told(row))
    for (campaign, number), told_of in by_trial.items():
        yield campaign, "trial", number, "takings", told_of
