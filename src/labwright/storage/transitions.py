"""A change of state: one conditional UPDATE that must change one row."""

from collections.abc import Mapping
from typing import TypeVar

from sqlalchemy import Connection, Table, update

from labwright.core.errors import Overtaken
from labwright.core.states import S, after

T = TypeVar("T")


def move(
    connection: Connection,
    table: Table,
    row: Mapping[str, T],
    action: tuple[Mapping[tuple[S, str], S], S, str],
    **values: T | str | int | None,
) -> S:
    """Move a row, given by its `id` and, where it has one, its `epoch`, by `(transitions, state, action)`.

    Raises InvalidTransition when the state does not allow the action, and Overtaken when the row is no longer there.
    """
    transitions, state, name = action
    new = after(transitions, f"{table.name} {row['id']}", state, name)
    query = update(table).where(table.c.id == row["id"], table.c.state == state.value)
    if "epoch" in row:
        query = query.where(table.c.epoch == row["epoch"])
    if connection.execute(query.values(state=new.value, **values)).rowcount != 1:
        raise Overtaken(
            f"Another process changed {table.name} {row['id']} first; nothing was written. Look at its state again."
        )
    return new
