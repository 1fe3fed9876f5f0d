"""Calls that share one transaction, so that one wait for the disk serves them all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from labwright.core.errors import StorageUnavailable
from labwright.storage.database.ledger import write_entries
from labwright.storage.database.transaction import transaction_of


class Group:
    """One transaction for several calls: what each writes is a savepoint, so that one that fails undoes only itself."""

    def __init__(self, begin: Callable[[], Connection]) -> None:
        self._begin = begin
        self._connection: Connection | None = None
        self._broken: BaseException | None = None
        self._holds = False  # what an earlier call wrote
        self._has_written = False  # the call that is made now

    @property
    def has_begun(self) -> bool:
        """Whether there is a transaction: some call has written."""
        return self._connection is not None

    def next_call(self) -> None:
        """Tell that another call begins."""
        self._has_written = False

    def check(self) -> None:
        """Raise StorageUnavailable where the transaction is lost, and with it what the earlier calls wrote."""
        if self._broken is not None:
            why = self._broken.orig if isinstance(self._broken, DBAPIError) else self._broken
            raise StorageUnavailable(f"Nothing was written, nor by calls at the same time: {why}") from self._broken

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give the shared connection, to read from."""
        self.check()
        assert self._connection is not None
        try:
            write_entries(self._connection)
            yield self._connection
        except DBAPIError as error:  # it has no savepoint of its own
            self._broken = error
            raise

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the shared connection; what is written to it in this block stands or falls by itself."""
        self.check()
        connection = self._connection or self._begun()
        # To wait here for another's lock, while holding some, could be to wait for each other.
        transaction_of(connection).hurried = self._holds and not self._has_written
        savepoint = connection.begin_nested()
        try:
            yield connection
            savepoint.commit()
        except BaseException:
            try:
                savepoint.rollback()
            except (DBAPIError, InvalidRequestError) as error:  # the connection is gone, or the disk is full
                self._broken = error
            raise
        self._holds = self._has_written = True

    def _begun(self) -> Connection:
        try:
            self._connection = self._begin()
        except BaseException as error:
            self._broken = error
            raise
        return self._connection
