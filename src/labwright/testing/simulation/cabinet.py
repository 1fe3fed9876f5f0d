"""The database of the simulations: one file, emptied before each, with a handle for every process."""

import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Self

from labwright.storage.database import Database
from labwright.storage.database.schema import metadata
from labwright.testing.simulation.process import WatchedDatabase

HANDLES = 3
EPOCH = 1_000_000_000.0
IN_MEMORY = Path("/dev/shm")  # noqa: S108
KEPT = ("laboratory",)


class Cabinet:
    """The handles of one database, used again by one simulation after another: opening one takes long."""

    def __init__(self) -> None:
        folder = IN_MEMORY if IN_MEMORY.is_dir() else None
        self._folder = tempfile.TemporaryDirectory(prefix="labwright-", dir=folder)
        self._clock: Callable[[], float] = time.time
        url = f"sqlite:///{self._folder.name}/simulated.db"
        self.records = Database.open(url, clock=self._now)
        self._handles = [WatchedDatabase.open(url, clock=self._now) for _ in range(HANDLES)]
        self._next = cycle(self._handles)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for database in (self.records, *self._handles):
            database.close()
        self._folder.cleanup()

    def take(self) -> WatchedDatabase:
        """Return a handle for another process."""
        return next(self._next)

    def clear(self) -> None:
        """Make it as good as new."""
        with self.records.write() as connection:
            for table in reversed(metadata.sorted_tables):
                if table.name not in KEPT:
                    connection.execute(table.delete())

    def follow(self, clock: Callable[[], float]) -> None:
        """Take the time from a clock."""
        self._clock = clock

    def _now(self) -> float:
        return EPOCH + self._clock()
