"""Calls that share one transaction, so that one wait for the disk serves them all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from labwright.core.errors import StorageUnavailable
from labwright.storage.transaction import transaction_of


class Group:
    """One transaction for several calls: what each writes is a savepoint, so that one that fails undoes only itself."""

    def __init__(self, begin: Callable[[], Connection]) -> None:
        self._begin = begin
        self._connection: Connection | None = None
        self._broken: BaseException | None = None
        self.has_written = False  # the call that is made now, and for good

    @property
    def has_begun(self) -> bool:
        """Whether there is a transaction: some call has written."""
        return self._connection is not None

    def next_call(self) -> None:
        """Tell that another call begins."""
        self.has_written = False

    def check(self) -> None:
        """Raise StorageUnavailable where the transaction is lost, and with it what the earlier calls wrote."""
        if self._broken is not None:
            raise StorageUnavailable(
                f"Calls that shared a transaction are undone; nothing was written: {self._broken}"
            ) from self._broken

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give the shared connection, to read from."""
        self.check()
        assert self._connection is not None
        try:
            yield self._connection
        except DBAPIError as error:  # it has no savepoint of its own
            self._broken = error
            raise

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the shared connection; what is written to it in this block stands or falls by itself."""
        self.check()
        if self._connection is None:
            self._connection = self._begin()
        connection, transaction = self._connection, transaction_of(self._connection)
        transaction.hurried = bool(transaction.marks or transaction.locks) and not self.has_written
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
        self.has_written = True
