"""The append-only record: written in the same transaction as the change that it tells of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, insert, select

from labwright.core.ledger import BEGINNING, Entry, entry_hash
from labwright.core.values import Json
from labwright.storage.database.packing import pack
from labwright.storage.database.schema import ledger
from labwright.storage.database.transaction import Mark, lock, transaction_of

_HEAD = (
    select(ledger.c.seq, ledger.c.hash).where(ledger.c.stream == bindparam("of")).order_by(ledger.c.seq.desc()).limit(1)
)
_INSERT = insert(ledger)


@dataclass(frozen=True, kw_only=True)
class Written:
    """Where an entry stands in its stream, and its time."""

    seq: int
    at: str


def now() -> str:
    """Return the time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def append(connection: Connection, stream: str, kind: str, body: Json) -> Written:
    """Add the next entry to a stream, to be written with the transaction's others before it ends.

    Until then no other can write to that stream.
    """
    transaction = transaction_of(connection)
    seq, previous = transaction.heads.get(stream) or _head(connection, stream)
    seq, at, text = seq + 1, now(), pack(body)
    hashed = entry_hash(stream, seq, at, kind, text, previous)
    row = {"stream": stream, "seq": seq, "at": at, "kind": kind, "body": text, "previous": previous, "hash": hashed}
    transaction.wrote(Mark(stream=stream, seq=seq, hash=hashed), row)
    return Written(seq=seq, at=at)


def write_entries(connection: Connection) -> None:
    """Write the entries that a transaction has added."""
    transaction = transaction_of(connection)
    if rows := transaction.rows[transaction.sent :]:
        connection.execute(_INSERT, rows)
        transaction.sent = len(transaction.rows)


def _head(connection: Connection, stream: str) -> tuple[int, str]:
    lock(connection, stream)  # before the head is read, or it is an old one
    last = connection.execute(_HEAD, {"of": stream}).first()
    return (last.seq, last.hash) if last else (0, BEGINNING)


def entries(connection: Connection, stream: str | None = None) -> Iterator[Entry]:
    """Yield the entries of one stream, or of all, in order."""
    query = select(ledger).order_by(ledger.c.stream, ledger.c.seq)
    if stream is not None:
        query = query.where(ledger.c.stream == stream)
    for row in connection.execute(query).mappings():
        yield Entry(**row)
