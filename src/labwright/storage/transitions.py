"""A change of state: one conditional UPDATE that must change one row."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Generic

from sqlalchemy import Connection, Table, Update, bindparam, update

from labwright.core.errors import Overtaken
from labwright.core.states import S, after


@dataclass(frozen=True, kw_only=True)
class Held(Generic[S]):
    """A row as its holder last saw it: its state and, where it has one, its epoch. `name` is for messages."""

    name: str
    table: Table
    id: int
    state: S
    epoch: int | None = None


def move(
    connection: Connection,
    held: Held[S],
    transitions: Mapping[tuple[S, str], S],
    action: str,
    **values: str | float | None,
) -> S:
    """Move a row by an action, and write `values` with it; return the new state.

    Raises InvalidTransition when the state does not allow the action, and Overtaken when the row is no longer as held.
    """
    new = after(transitions, held.name, held.state, action)
    query = _update(held.table, held.epoch is not None)
    row = {"of_id": held.id, "of_state": held.state.value, "state": new.value, **values}
    if held.epoch is not None:
        row["of_epoch"] = held.epoch
    if connection.execute(query, row).rowcount != 1:
        raise Overtaken(f"Another process changed {held.name} first; nothing was written. Look at its state again.")
    return new


@cache
def _update(table: Table, by_epoch: bool) -> Update:
    """Return the conditional UPDATE of a table, built once."""
    query = update(table).where(table.c.id == bindparam("of_id"), table.c.state == bindparam("of_state"))
    return query.where(table.c.epoch == bindparam("of_epoch")) if by_epoch else query
