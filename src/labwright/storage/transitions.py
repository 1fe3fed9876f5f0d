"""A change of state: one conditional UPDATE that must change one row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic

from sqlalchemy import ColumnElement, Connection, Table, update

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
    **values: str | float | ColumnElement[float] | None,
) -> S:
    """Move a row by an action, and write `values` with it; return the new state.

    Raises InvalidTransition when the state does not allow the action, and Overtaken when the row is no longer as held.
    """
    new, table = after(transitions, held.name, held.state, action), held.table
    query = update(table).where(table.c.id == held.id, table.c.state == held.state.value)
    if held.epoch is not None:
        query = query.where(table.c.epoch == held.epoch)
    if connection.execute(query.values(state=new.value, **values)).rowcount != 1:
        raise Overtaken(f"Another process changed {held.name} first; nothing was written. Look at its state again.")
    return new
