"""What one write transaction has done so far, and the locks that it holds besides its rows."""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from labwright.core.errors import StorageUnavailable

OPTION = "labwright_transaction"


class Contended(StorageUnavailable):
    """Another process holds what a call needs; nothing was written, and the same call may be made again."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The entry by which a transaction can be recognised in the ledger."""

    stream: str
    seq: int
    hash: str


@dataclass(kw_only=True)
class Transaction:
    """The locks that a transaction holds and the entries that it writes.

    `rows` are the entries, one for each mark; they go to the ledger together, before a read and before the COMMIT, and
    `sent` counts those that have gone. `hurried`: others wait for that COMMIT, so the transaction does not wait for a
    lock: Contended is raised instead.
    """

    locks: set[str] = field(default_factory=set)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0
    hurried: bool = False

    def wrote(self, mark: Mark, row: dict[str, Any]) -> None:
        """Take note of an entry."""
        self.marks.append(mark)
        self.rows.append(row)
        self.heads[mark.stream] = (mark.seq, mark.hash)


def transaction_of(connection: Connection) -> Transaction:
    """Return the transaction of a connection that `Database.write` gave."""
    found = connection.get_execution_options().get(OPTION)
    assert isinstance(found, Transaction), "only a connection of Database.write may change anything"
    return found


_LOCK = select(func.pg_advisory_xact_lock(bindparam("key")))
_TRY_LOCK = select(func.pg_try_advisory_xact_lock(bindparam("key")))


def lock(connection: Connection, name: str) -> None:
    """Hold a lock of that name until the transaction ends; take several in a fixed order.

    In SQLite, one writer at a time holds everything already.
    """
    transaction = transaction_of(connection)
    if name in transaction.locks or connection.dialect.name == "sqlite":
        return
    if not transaction.hurried:
        connection.execute(_LOCK, {"key": lock_key(name)})
    elif not connection.execute(_TRY_LOCK, {"key": lock_key(name)}).scalar():
        raise Contended(f"Another process is writing to {name}; nothing was written. Try again.")
    transaction.locks.add(name)


@lru_cache(maxsize=1024)
def lock_key(name: str) -> int:
    """Return the number by which PostgreSQL knows a lock: the same in every process and version."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
