"""Calls that share one transaction, so that one wait for the disk serves them all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from labwright.storage.database.ledger import write_entries
from labwright.storage.database.transaction import Contended, lock, transaction_of


class Group:
    """One transaction for several calls. A write that fails undoes all; each may be made again alone."""

    def __init__(self, begin: Callable[..., Connection]) -> None:
        self._begin = begin
        self._connection: Connection | None = None
        self._is_broken = False
        self._holds = False  # what an earlier call wrote
        self._has_written = False  # the call that is made now

    @property
    def has_begun(self) -> bool:
        """Whether there is a transaction: some call has written."""
        return self._connection is not None

    def next_call(self) -> None:
        """Tell that another call begins."""
        self._holds |= self._has_written
        self._has_written = False

    def check(self) -> None:
        """Raise Contended where some write failed: what it left half done, and all else, is not to be kept."""
        if self._is_broken:
            raise Contended("A call at the same time failed, and nothing was written. Try again.")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give the shared connection, to read from."""
        self.check()
        assert self._connection is not None
        try:
            write_entries(self._connection)
            yield self._connection
        except DBAPIError:
            self._is_broken = True
            raise

    @contextmanager
    def write(self, *locks: str) -> Iterator[Connection]:
        """Give the shared connection; one that leaves the block by an error breaks the group."""
        self.check()
        try:
            yield self._held(locks)
        except BaseException:
            self._is_broken = True
            raise
        self._has_written = True

    def _held(self, locks: Sequence[str]) -> Connection:
        if self._connection is None:
            self._connection = self._begin(*locks)
            return self._connection
        # To wait here for another's lock, while holding some, could be to wait for each other.
        transaction_of(self._connection).hurried = self._holds
        for name in locks:
            lock(self._connection, name)
        return self._connection
