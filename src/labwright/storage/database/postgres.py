"""One PostgreSQL database: its sessions, their time limits, and what became of a COMMIT whose connection was lost."""

import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, select, text
from sqlalchemy.exc import DBAPIError

from labwright.core.errors import MissingExtra, StorageUnavailable
from labwright.storage.database.schema import ledger
from labwright.storage.database.transaction import Mark, Transaction, lock_key

# A read sees one state throughout; a write sees what was committed before each of its statements, as its locks need.
BEGIN = {
    "glance": "",
    "read": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "write": "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
}
APPLICATION = "labwright"
LOCK_TIMEOUT = "55P03"


class PostgresServer:
    """A database on a server, and the connections to it."""

    path = None
    is_new = False

    def __init__(self, url: URL, busy_timeout_s: float) -> None:
        self.name = shown(url)
        self._secrets = [str(secret) for secret in (url.password, url.query.get("password")) if secret]
        self._busy_timeout_s = busy_timeout_s
        self._was_reached = False
        self.engine = _engine(url, busy_timeout_s)

    def begin(self, purpose: str, locks: Sequence[str] = ()) -> Connection:
        """Return a connection in a transaction that is to `read` or to `write`, or in none: to `glance`.

        Locks are taken with the beginning, in their order. A server that was there before is waited for: it may be
        starting again.
        """
        deadline = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                connection = self._begin(purpose, locks)
            except DBAPIError as error:
                if not (self._was_reached or "starting up" in str(error.orig)) or not _is_lost(error):
                    raise
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                self._was_reached = True
                return connection

    def _begin(self, purpose: str, locks: Sequence[str]) -> Connection:
        statements = [BEGIN[purpose], *(f"SELECT pg_advisory_xact_lock({lock_key(name)})" for name in locks)]
        connection = self.engine.connect().execution_options(begin="; ".join(statements))
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return connection

    def commit(self, connection: Connection, transaction: Transaction) -> None:
        """End the transaction; what it wrote is on the server's disk.

        Where the connection is lost, the last entry that the transaction wrote is looked for: never written again.
        """
        session = _session_of(connection)
        try:
            connection.commit()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            if not transaction.marks:
                raise StorageUnavailable(
                    f"The connection to the database {self.name} was lost at the end of a write that leaves no entry "
                    f"in the ledger; it may or may not have been kept: {self.words(error)}"
                ) from error
            if not self._landed(transaction.marks[-1], session):
                raise StorageUnavailable(
                    f"The connection to the database {self.name} was lost; nothing was written: {self.words(error)}"
                ) from error

    def _landed(self, mark: Mark, session: int) -> bool:
        """Say whether the entry is in the ledger, once the session that wrote it has certainly ended."""
        where = (ledger.c.stream == mark.stream, ledger.c.seq == mark.seq)
        try:
            connection = self.begin("write")
            try:
                # The lost session holds the stream's lock until it has ended, one way or the other.
                connection.execute(_END_HOLDER, {"session": session, **_lock_words(mark.stream)})
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(mark.stream)})
                return connection.execute(select(ledger.c.hash).where(*where)).scalar() == mark.hash
            finally:
                connection.close()
        except DBAPIError as error:
            raise StorageUnavailable(
                f"The connection to the database {self.name} was lost while it wrote, and it did not answer again "
                f"within {self._busy_timeout_s:g} s. Whether entry {mark.seq} of {mark.stream} was written can only be "
                f"seen there: {self.words(error)}"
            ) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let others write as well: the server keeps them apart."""
        yield

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    abandon = close

    def words(self, error: DBAPIError) -> str:
        """Say what went wrong, on one line and without a password."""
        if getattr(error.orig, "sqlstate", None) == LOCK_TIMEOUT:
            return f"it was locked for {self._busy_timeout_s:g} s by another."
        words = " ".join(str(error.orig).split())
        for secret in self._secrets:
            words = words.replace(secret, "***")
        return words


def shown(url: URL) -> str:
    """Return a URL without its password and its options."""
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()


# Where the network is gone, the server may not notice for hours. The lock tells that the session is still the same.
_END_HOLDER = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = :session "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND classid::bigint = :high AND objid::bigint = :low AND objsubid = 1"
)


def _lock_words(stream: str) -> dict[str, int]:
    key = lock_key(stream) % 2**64
    return {"high": key >> 32, "low": key % 2**32}


def _is_lost(error: DBAPIError) -> bool:
    """Whether there is no connection: one that was there is gone, or none could be made."""
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) is None


def _session_of(connection: Connection) -> int:
    driver: Any = connection.connection.dbapi_connection
    return int(driver.info.backend_pid)


def _engine(url: URL, busy_timeout_s: float) -> Engine:
    limit_ms = math.ceil(busy_timeout_s * 1000)
    # A statement may be long, as a backup's is; one that waits for a lock may not.
    limits = f"-c lock_timeout={limit_ms} -c statement_timeout={20 * limit_ms}"
    given = url.query.get("options", ())
    arguments: dict[str, Any] = {
        "application_name": APPLICATION,
        "connect_timeout": max(2, math.ceil(busy_timeout_s)),
        "keepalives_idle": 30,
        "tcp_user_timeout": max(2000, limit_ms),
    }
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    arguments["options"] = " ".join([limits, *([given] if isinstance(given, str) else given)])
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args=arguments,
            pool_size=2,
            max_overflow=8,
            pool_timeout=busy_timeout_s,
        )
    except ImportError as error:
        raise MissingExtra("postgres", "A database at postgresql://...") from error
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _: object) -> None:
    connection.autocommit = True  # the driver must not begin behind our back


def _begin(connection: Connection) -> None:
    if statement := connection.get_execution_options().get("begin", BEGIN["write"]):
        connection.exec_driver_sql(statement)


def hidden(url: str) -> str:
    """Return what was given as a URL, without what may be a password in it."""
    return re.sub(r"([?&]password=)[^&]*", r"\1***", re.sub(r"(//[^/:@]*):[^/]*@", r"\1:***@", url))
