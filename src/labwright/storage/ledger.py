"""The append-only record: written in the same transaction as the change that it tells of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from labwright.core.ledger import BEGINNING, Entry, entry_hash
from labwright.core.values import Json
from labwright.storage.records import pack
from labwright.storage.schema import ledger


def now() -> str:
    """Return the time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Written:
    """Where an entry stands in its stream, and its time."""

    seq: int
    at: str


def lock(connection: Connection, name: str) -> None:
    """Let nobody else change what goes by that name before this transaction ends."""


def append(connection: Connection, stream: str, kind: str, body: Json) -> Written:
    """Write the next entry of a stream."""
    last = connection.execute(
        select(ledger.c.seq, ledger.c.hash).where(ledger.c.stream == stream).order_by(ledger.c.seq.desc()).limit(1)
    ).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, BEGINNING)
    at, text = now(), pack(body)
    row = {"stream": stream, "seq": seq, "at": at, "kind": kind, "body": text, "previous": previous}
    connection.execute(insert(ledger).values(**row, hash=entry_hash(stream, seq, at, kind, text, previous)))
    return Written(seq, at)


def entries(connection: Connection, stream: str | None = None) -> Iterator[Entry]:
    """Yield the entries of one stream, or of all, in order."""
    query = select(ledger).order_by(ledger.c.stream, ledger.c.seq)
    if stream is not None:
        query = query.where(ledger.c.stream == stream)
    for row in connection.execute(query).mappings():
        yield Entry(**row)
