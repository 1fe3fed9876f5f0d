"""Samples and lots on record: what people ask of them, and what they say of lots."""

import math
import re
from datetime import date

from sqlalchemy import Connection, bindparam, insert, select, update

from labwright.core.errors import InvalidInput, NotFound
from labwright.core.material import EntryKind, Fate, Lot, LotEntry, Sample, amount_words
from labwright.core.run import Run
from labwright.core.states import RunState
from labwright.core.units import convert, parse_unit
from labwright.core.values import Json
from labwright.storage import lots as stock
from labwright.storage import samples as kept
from labwright.storage.database import Database
from labwright.storage.database.clock import now as clock_now
from labwright.storage.database.ledger import now
from labwright.storage.database.schema import lot_entries, lots, runs
from labwright.storage.lots import STREAM, end_of, read_lots
from labwright.storage.rows import chunks, read_runs, runs_query

_RUNS = runs_query().where(runs.c.id.in_(bindparam("of_ids", expanding=True)))
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")


class Materials:
    """The samples and lots of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lots(self) -> list[Lot]:
        """Return every lot as it stands now, by name."""
        with self._database.read() as connection:
            return read_lots(connection)

    def lot(self, name: str) -> Lot:
        """Return one lot; an unknown name raises NotFound."""
        with self._database.read() as connection:
            return self._found(connection, name)

    def entries(self, name: str) -> list[LotEntry]:
        """Return each change of a lot's amount, the oldest first."""
        query = select(lot_entries).join(lots).where(lots.c.name == name).order_by(lot_entries.c.id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            ids = sorted({row.run_id for row in rows if row.run_id is not None})
            doing = {r.id: str(r) for some in chunks(ids) for r in read_runs(connection, _RUNS, {"of_ids": some})}
        return [
            LotEntry(
                kind=EntryKind(row.kind),
                amount=row.amount,
                at=row.at,
                run=row.run_id,
                doing=doing.get(row.run_id),
                why=row.why,
            )
            for row in rows
        ]

    def add(
        self,
        name: str,
        amount: float,
        unit: str | None,
        *,
        expires: date | None = None,
        location: str | None = None,
        why: str | None = None,
    ) -> Lot:
        """Put an amount on record: of a new lot, which is kept in this unit from then on, or more of one that is there.

        `expires` and `location` replace what was said of them before.
        """
        if NAME.fullmatch(name) is None:
            raise InvalidInput(f"{name!r} cannot name a lot: letters, digits and _ were expected, a letter or _ first.")
        _check_amount(amount, unit, least_is_more_than_0=True)
        with self._database.write(STREAM) as connection:
            if expires is not None and end_of(expires) <= clock_now(connection):
                raise InvalidInput(f"{expires} is over; nothing was added. Give the last day on which it may be used.")
            found = read_lots(connection, name)
            if found and found[0].has_expired and expires is None:
                raise InvalidInput(
                    f"lot {name} expired at the end of {found[0].expires}; nothing was added. Say until when what is "
                    f"there now may be used: --expires DATE. What was thrown away: labwright lots correct {name}."
                )
            self._describe(connection, name, unit or "1", expires, location, is_new=not found)
            kept_in = found[0].unit if found else unit
            given = convert(amount, unit, kept_in or "1", f"lot {name}")
            stock.enter(connection, name, EntryKind.ADDED, given, why=why, told=_told(connection, name))
            return self._found(connection, name)

    def correct(self, name: str, amount: float, unit: str | None, *, why: str) -> Lot:
        """Record how much of a lot is there, as somebody saw it, and why that differs from the record."""
        _check_amount(amount, unit, least_is_more_than_0=False)
        with self._database.write(STREAM) as connection:
            lot = self._found(connection, name)
            difference = convert(amount, unit, lot.unit, f"lot {name}") - lot.left
            stock.enter(connection, name, EntryKind.CORRECTED, difference, why=why)
            return self._found(connection, name)

    def samples(self, campaign: str | None = None, number: int | None = None) -> list[Sample]:
        """Return the samples of a campaign, of one of its trials, or of all campaigns, the oldest first."""
        with self._database.read() as connection:
            return kept.read_samples(connection, campaign, number)

    def lacking(self, run: Run) -> str | None:
        """Say why a queued run cannot begin: what its lots lack; None where they have enough."""
        with self._database.read() as connection:
            is_queued = select(runs.c.id).where(runs.c.id == run.id, runs.c.state == RunState.QUEUED.value)
            if connection.execute(is_queued).first() is None:
                return None  # it was begun just now
            return stock.lacking_for(connection, run.id, str(run))

    def outlook(self, run: Run) -> list[tuple[Sample, dict[Fate | None, Sample]]]:
        """Return each sample that an unknown run touched, and how it would stand by what became of the run.

        None: the run never ran.
        """
        with self._database.read() as connection:
            return kept.outlook(connection, run)

    def taken(self, run: Run) -> dict[str, str]:
        """Return what a run that was begun is counted to have taken, by lot, in words."""
        query = select(lots.c.name, lots.c.unit, lot_entries.c.amount).select_from(lot_entries.join(lots))
        found: dict[str, tuple[float, str]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query.where(lot_entries.c.run_id == run.id)):
                found[row.name] = (found.get(row.name, (0.0, ""))[0] - row.amount, row.unit)
        return {name: amount_words(amount, unit) for name, (amount, unit) in found.items() if amount > 0}

    def _found(self, connection: Connection, name: str) -> Lot:
        found = read_lots(connection, name)
        if not found:
            names = ", ".join(lot.name for lot in read_lots(connection)) or "none"
            raise NotFound(f"No lot named {name!r} in {self._database.name}. On record: {names}.")
        return found[0]

    def _describe(
        self, connection: Connection, name: str, unit: str, expires: date | None, location: str | None, *, is_new: bool
    ) -> None:
        said = {"expires_at": None if expires is None else end_of(expires), "location": location}
        if is_new:
            connection.execute(insert(lots).values(name=name, unit=unit, added_at=now(), **said))
        elif new := {key: value for key, value in said.items() if value is not None}:
            connection.execute(update(lots).where(lots.c.name == name).values(**new))


def _told(connection: Connection, name: str) -> dict[str, Json]:
    row = connection.execute(select(lots).where(lots.c.name == name)).one()
    return {"unit": row.unit, "expires_at": row.expires_at, "location": row.location, "added_at": row.added_at}


def _check_amount(amount: float, unit: str | None, *, least_is_more_than_0: bool) -> None:
    if unit is not None:
        parse_unit(unit)
    if not math.isfinite(amount) or amount < 0 or (least_is_more_than_0 and amount == 0):
        least = "an amount above 0" if least_is_more_than_0 else "0 or more"
        raise InvalidInput(f"{amount_words(amount, unit)} cannot be: {least} was expected.")
