"""The database file: transactions, the lock around writers, and its version."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from labwright.core.errors import StorageUnavailable

HEAD = "0006"


class Database:
    """One SQLite file in WAL mode with full synchronisation; one writer at a time, by a lock file beside it."""

    def __init__(self, path: Path, busy_timeout_s: float, clock: Callable[[], float]) -> None:
        self._engine = _engine(path, busy_timeout_s, clock)
        self._busy_timeout_s = busy_timeout_s
        self._lock = path.with_name(path.name + ".lock").open("a")
        self.path = path
        self._inode: int | None = None

    @property
    def name(self) -> str:
        """What messages call the database; never a password."""
        return str(self.path)

    @property
    def locks(self) -> Path:
        """The folder of the locks that die with their processes."""
        return self.path.with_name(f"{self.path.name}.locks")

    @classmethod
    def open(
        cls, url: str, *, busy_timeout_s: float = 30.0, create: bool = True, clock: Callable[[], float] = time.time
    ) -> Self:
        """Open the database and bring its tables up to date; what cannot be opened raises StorageUnavailable.

        `clock` is what the database takes the time from.
        """
        path = _path_of(url)
        if not create and not path.exists():
            raise StorageUnavailable(f"There is no database at {path}. Go to its folder, or name the campaign file.")
        try:
            database = cls(path, busy_timeout_s, clock)
        except OSError as error:
            raise StorageUnavailable(f"The database {path} cannot be opened: {error}") from error
        try:
            database._migrate()
        except DatabaseError as error:
            database._lock.close()
            raise StorageUnavailable(f"The database {path} cannot be opened: {error.orig}") from error
        except StorageUnavailable:
            database._lock.close()
            raise
        return database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database throughout."""
        try:
            with self._engine.connect() as connection, connection.begin():
                yield connection
        except DatabaseError as error:
            raise StorageUnavailable(f"The database {self.path} cannot be read: {error.orig}") from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are on disk together when the block ends, or not at all."""
        try:
            with self._locked(), self._engine.connect() as plain:
                self._check_same_file()
                connection = plain.execution_options(begin="BEGIN IMMEDIATE")
                with connection.begin():
                    yield connection
        except DatabaseError as error:
            raise StorageUnavailable(f"The database {self.path} cannot be written: {error.orig}") from error

    def close(self) -> None:
        """Close the file; the last connection folds the write-ahead log into it."""
        with self._locked():
            self._engine.dispose()
        self._lock.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = time.monotonic() + self._busy_timeout_s
        while not _try_lock(self._lock.fileno()):
            if time.monotonic() > deadline:
                raise StorageUnavailable(
                    f"The database {self.path} was locked for {self._busy_timeout_s:g} s by another."
                )
            time.sleep(0.005)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _check_same_file(self) -> None:
        """Refuse to write into a file that is no longer the one of that name: it was deleted or replaced."""
        if self._inode is None:
            self._inode = self.path.stat().st_ino
        if not self.path.exists() or self.path.stat().st_ino != self._inode:
            raise StorageUnavailable(
                f"The database {self.path} was deleted or replaced while in use; nothing was written. Put it back."
            )

    def _migrate(self) -> None:
        if self._version() == HEAD:
            return
        from alembic.util import CommandError

        from labwright.storage.migrations import upgrade

        with self._locked(), self._engine.connect() as connection:
            try:
                upgrade(connection)
            except CommandError as error:
                raise StorageUnavailable(f"The database {self.path} is of another version: {error}.") from error
            connection.commit()

    def _version(self) -> str | None:
        with self._engine.connect() as connection:
            known = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
            if connection.execute(text(known)).first() is None:
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _path_of(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = URL.create("none")
    if parsed.drivername.partition("+")[0] != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise StorageUnavailable(f"{url!r} is not a database that Labwright can use yet. Expected sqlite:///FILE.")
    return Path(parsed.database).resolve()


def _engine(path: Path, busy_timeout_s: float, clock: Callable[[], float]) -> Engine:
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin or commit behind our back
        connection.create_function("labwright_now", 0, clock)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": busy_timeout_s})
    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
