"""One SQLite file: WAL, full synchronisation, and one writer at a time by a lock file beside it."""

import fcntl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from labwright.core.errors import StorageDamaged, StorageUnavailable
from labwright.storage.database.clock import SQLITE_NOW
from labwright.storage.database.transaction import Transaction

# The files that this process has open: to open one once more by itself, and close it, would give up SQLite's own locks
# on it, and another process could then fold away the log that this one goes on reading.
_in_use: Counter[Path] = Counter()
BEGIN = {"glance": "", "read": "BEGIN", "write": "BEGIN IMMEDIATE"}


class SqliteFile:
    """A file, its lock, and the connections to it."""

    def __init__(self, path: Path, busy_timeout_s: float, clock: Callable[[], float]) -> None:
        self.path = path
        self.name = str(path)
        self.is_new = not path.exists() or path.stat().st_size == 0
        if not self.is_new and not _in_use[path]:
            _check_whole(path)
        self.engine = _engine(path, busy_timeout_s, clock)
        self._busy_timeout_s = busy_timeout_s
        self._threads = threading.Lock()  # a file's lock does not keep two threads of one process apart
        self._lock = path.with_name(path.name + ".lock").open("a")
        self._inode: int | None = None
        _in_use[path] += 1

    def begin(self, purpose: str, locks: Sequence[str] = ()) -> Connection:
        """Return a connection in a transaction that is to `read` or to `write`, or in none: to `glance`.

        The only writer needs no locks.
        """
        connection = self.engine.connect().execution_options(begin=BEGIN[purpose])
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return connection

    def commit(self, connection: Connection, transaction: Transaction) -> None:
        """End the transaction; what it wrote is on disk."""
        connection.commit()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the file as its only writer; one that is not the file that was opened is refused."""
        with self._locked():
            self._check_same_file()
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = time.monotonic() + self._busy_timeout_s
        if not self._threads.acquire(timeout=self._busy_timeout_s):
            raise self._busy()
        try:
            while not _try_lock(self._lock.fileno()):
                if time.monotonic() > deadline:
                    raise self._busy()
                time.sleep(0.005)
            try:
                yield
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def close(self) -> None:
        """Close every connection; the last one folds the write-ahead log into the file."""
        try:
            with self._locked():
                self.engine.dispose()
        finally:
            self._let_go()

    def abandon(self) -> None:
        """Let go of a file that could not be opened."""
        self.engine.dispose()
        self._let_go()

    def _let_go(self) -> None:
        self._lock.close()
        _in_use[self.path] -= 1

    def words(self, error: DBAPIError) -> str:
        """Say what went wrong."""
        return str(error.orig)

    def _busy(self) -> StorageUnavailable:
        return StorageUnavailable(f"The database {self.path} was locked for {self._busy_timeout_s:g} s by another.")

    def _check_same_file(self) -> None:
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            inode = None
        if self._inode is None:
            self._inode = inode  # still None where the file is only about to be made
        if inode != self._inode:
            raise StorageUnavailable(
                f"The database {self.path} was deleted or replaced while in use; nothing was written. Put it back."
            )


def _check_whole(path: Path) -> None:
    """Refuse a file that is shorter than it says itself: SQLite would read what is missing as zeros."""
    log = path.with_name(path.name + "-wal")
    if _size(log):
        return  # what the file lacks may be there
    with path.open("rb") as file:
        header = file.read(100)
    page = int.from_bytes(header[16:18], "big")
    said = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if header.startswith(b"SQLite format 3") and (found := _size(path)) < said and not _size(log):
        raise StorageDamaged(
            f"The database {path} is damaged: it has {found} bytes of {said}. Put a backup in its place."
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _engine(path: Path, busy_timeout_s: float, clock: Callable[[], float]) -> Engine:
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin or commit behind our back
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function(SQLITE_NOW, 0, clock)

    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": busy_timeout_s})
    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    if statement := connection.get_execution_options().get("begin", "BEGIN"):
        connection.exec_driver_sql(statement)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
