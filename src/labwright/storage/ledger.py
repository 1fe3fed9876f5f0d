"""The append-only record: written in the same transaction as the change that it tells of."""

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from labwright.core.ledger import BEGINNING, Entry, entry_hash
from labwright.core.values import Json
from labwright.storage.records import pack
from labwright.storage.schema import ledger


def now() -> str:
    """Return the time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def append(connection: Connection, stream: str, kind: str, body: Json) -> str:
    """Write the next entry of a stream and return its time."""
    last = connection.execute(
        select(ledger.c.seq, ledger.c.hash).where(ledger.c.stream == stream).order_by(ledger.c.seq.desc()).limit(1)
    ).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, BEGINNING)
    at, text = now(), pack(body)
    row = {"stream": stream, "seq": seq, "at": at, "kind": kind, "body": text, "previous": previous}
    connection.execute(insert(ledger).values(**row, hash=entry_hash(stream, seq, at, kind, text, previous)))
    return at


def entries(connection: Connection, stream: str | None = None) -> Iterator[Entry]:
    """Yield the entries of one stream, or of all, in order."""
    query = select(ledger).order_by(ledger.c.stream, ledger.c.seq)
    if stream is not None:
        query = query.where(ledger.c.stream == stream)
    for row in connection.execute(query).mappings():
        yield Entry(**row)
