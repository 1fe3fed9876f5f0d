"""The database, by its URL: a SQLite file or a PostgreSQL server; its transactions and its version."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFree

from labwright.core.errors import InvalidInput, StorageDamaged, StorageUnavailable
from labwright.core.values import unstorable
from labwright.storage.database.group import Group
from labwright.storage.database.ledger import write_entries
from labwright.storage.database.postgres import PostgresServer, hidden
from labwright.storage.database.sqlite import SqliteFile
from labwright.storage.database.transaction import OPTION, Contended, Transaction

HEAD = "0011"
CONTENDED = ("40001", "40P01")  # PostgreSQL: a conflict between transactions, a deadlock
DAMAGED = (11, 26)  # SQLite: the file is malformed, or no database at all
SQLITE = ("sqlite", "sqlite+pysqlite")
POSTGRES = ("postgresql", "postgresql+psycopg", "postgres")


class Database:
    """One database. `name` is for messages and holds no password; `path` is its file, where it is one."""

    def __init__(self, place: SqliteFile | PostgresServer) -> None:
        self._place = place
        self._here = threading.local()
        self.name = place.name
        self.path: Path | None = place.path
        event.listen(place.engine, "before_cursor_execute", _check_texts)

    @classmethod
    def open(
        cls, url: str, *, busy_timeout_s: float = 30.0, create: bool = True, clock: Callable[[], float] = time.time
    ) -> Self:
        """Open the database and bring its tables up to date; what cannot be opened raises StorageUnavailable.

        `clock` is what a SQLite database takes the time from; a PostgreSQL server has its own.
        """
        database = cls(_place(url, busy_timeout_s, clock, create=create))
        try:
            database._migrate(create=create)
        except (DBAPIError, NoneFree) as error:
            database._place.abandon()
            raise database._unavailable("opened", error) from error
        except StorageUnavailable:
            database._place.abandon()
            raise
        return database

    @property
    def locks(self) -> Path:
        """The folder of the locks that die with their processes: beside the file, or one of this machine and user."""
        if self.path is not None:
            return self.path.with_name(f"{self.path.name}.locks")
        return Path(tempfile.gettempdir()) / f"labwright-{os.getuid()}"

    @property
    def objects(self) -> Path:
        """The folder of the files that belong to runs: beside the database file, or where the process works."""
        return Path("objects") if self.path is None else self.path.with_name("objects")

    @property
    def writes(self) -> int:
        """How many writes of this thread have ended well."""
        return int(getattr(self._here, "writes", 0))

    @property
    def dialect(self) -> str:
        """Which kind of database it is: `sqlite` or `postgresql`."""
        return self._place.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database throughout.

        Among calls that share a transaction it sees what they have written so far.
        """
        group: Group | None = getattr(self._here, "group", None)
        try:
            if group is not None and group.has_begun:
                with group.read() as connection:
                    yield connection
                return
            with closing(self._place.begin("read")) as connection:
                yield connection
                connection.commit()  # at a ROLLBACK, psycopg forgets every statement that it has prepared
        except (DBAPIError, NoneFree) as error:
            raise self._unavailable("read", error) from error

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """Give a connection to read from by one statement, for less than `read`: each would see a state of its own."""
        group: Group | None = getattr(self._here, "group", None)
        if group is not None and group.has_begun:
            with self.read() as connection:
                yield connection
            return
        try:
            with closing(self._place.begin("glance")) as connection:
                yield connection
        except (DBAPIError, NoneFree) as error:
            raise self._unavailable("read", error) from error

    @contextmanager
    def write(self, *locks: str) -> Iterator[Connection]:
        """Give a connection whose changes are on disk together when the block ends, or not at all.

        Among calls that share a transaction they are on disk when it ends, or not at all. `locks`: what it holds from
        the beginning to the end, in a fixed order; see `lock`.
        """
        group: Group | None = getattr(self._here, "group", None)
        try:
            with group.write(*locks) if group is not None else self._writing(*locks) as connection:
                yield connection
            self._here.writes = self.writes + 1
        except (DBAPIError, NoneFree) as error:
            raise self._unavailable("written", error) from error

    @contextmanager
    def together(self) -> Iterator[Group]:
        """Let the calls that this thread makes within the block share one transaction.

        It begins with the first that writes, and is on disk when the block ends; else everything is taken back.
        """
        try:
            with ExitStack() as stack:
                group = Group(lambda *locks: stack.enter_context(self._writing(*locks)))
                self._here.group = group
                try:
                    yield group
                finally:
                    self._here.group = None
                group.check()
        except (DBAPIError, NoneFree) as error:
            raise self._unavailable("written", error) from error

    def close(self) -> None:
        """Close every connection."""
        self._place.close()

    @contextmanager
    def _writing(self, *locks: str) -> Iterator[Connection]:
        with self._place.writing():
            transaction = Transaction(locks=set(locks))
            connection = self._place.begin("write", locks).execution_options(**{OPTION: transaction})
            try:
                yield connection
                write_entries(connection)
                self._place.commit(connection, transaction)
            finally:
                connection.close()  # and take back what is not committed

    def _unavailable(self, done: str, error: DBAPIError | NoneFree) -> StorageUnavailable:
        if isinstance(error, NoneFree):
            return StorageUnavailable(f"The database {self.name} cannot be {done}: every connection is in use.")
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
            return StorageDamaged(
                f"The database {self.name} is damaged: {self._place.words(error)}. Put a backup in its place."
            )
        kind = Contended if getattr(error.orig, "sqlstate", None) in CONTENDED else StorageUnavailable
        return kind(f"The database {self.name} cannot be {done}: {self._place.words(error)}")

    def _migrate(self, *, create: bool) -> None:
        found = None if self._place.is_new else self._version()
        if found == HEAD:
            return
        if found is None and self.path is None and not create:
            raise StorageUnavailable(f"There is nothing of Labwright in {self.name}. `labwright run FILE` makes it.")
        from labwright.storage.database.migrations import upgrade

        with self._writing("migrations") as connection:
            upgrade(connection, self.name)

    def _version(self) -> str | None:
        try:
            with closing(self._place.begin("read")) as connection:
                if not inspect(connection).has_table("alembic_version"):
                    return None
                return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        except DBAPIError as error:
            if "locked" in str(error.orig):  # another process is making the file
                return None
            raise


def _check_texts(_: Connection, __: object, statement: str, given: Any, context: object, many: bool) -> None:
    """Refuse a text that one kind of database would keep and the other not, before anything is sent."""
    for said in _texts(given):
        if odd := unstorable(said):
            raise InvalidInput(f"A text holds {odd}, which cannot be kept: {said[:60]!a}. Nothing was written.")


def _texts(given: Any) -> Iterator[str]:
    """Yield the texts among a statement's parameters: one row or several, by name or by place."""
    for value in given.values() if isinstance(given, dict) else given or ():
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list | tuple):
            yield from _texts(value)


def _place(url: str, busy_timeout_s: float, clock: Callable[[], float], *, create: bool) -> SqliteFile | PostgresServer:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        parsed = URL.create("none")
    if parsed.drivername in POSTGRES and parsed.database:
        return PostgresServer(parsed, busy_timeout_s)
    if parsed.drivername in SQLITE and parsed.database and parsed.database != ":memory:":
        return _file(Path(parsed.database).resolve(), busy_timeout_s, clock, create=create)
    raise StorageUnavailable(
        f"{hidden(url)!r} is not a database that Labwright can use. "
        "Expected sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME."
    )


def _file(path: Path, busy_timeout_s: float, clock: Callable[[], float], *, create: bool) -> SqliteFile:
    if not create and not path.exists():
        raise StorageUnavailable(
            f"There is no database at {path}: no campaign has begun there. "
            "Begin one with labwright run FILE, or name the folder or the file of one that has."
        )
    if not path.parent.is_dir():
        raise StorageUnavailable(f"There is no folder {path.parent} to keep a database in. Make it first.")
    try:
        return SqliteFile(path, busy_timeout_s, clock)
    except OSError as error:
        raise StorageUnavailable(f"The database {path} cannot be opened: {error}") from error
