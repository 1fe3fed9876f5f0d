"""The one thread in which storage works, so that no monitor ever waits for a disk."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeGuard, TypeVar

from labwright.core.crash import crash_point
from labwright.core.errors import StorageUnavailable
from labwright.storage.database.database import Database
from labwright.storage.database.transaction import Contended

P = ParamSpec("P")
T = TypeVar("T")
MOST_TOGETHER = 64
TRIES = 5  # of a call that met a deadlock or a conflict; it wrote nothing


class Call:
    """A call to storage, and what came of it: told to its caller only when it is on disk."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.error: BaseException | None = None
        self.was_undone = False  # all of it: what it wrote before it failed stays
        self._result: Any = None
        self._function: Callable[[], Any] = function
        self._context = contextvars.copy_context()

    def make(self, database: Database | None) -> None:
        """Make the call, and keep its result or its error."""
        self.error, self._result = None, None
        before = database.writes if database else 0
        try:
            self._result = self._context.run(self._function)
        except BaseException as error:
            self.error = error
            self.was_undone = database is not None and database.writes == before

    def tell(self) -> None:
        """Tell the caller, in the caller's loop."""
        if self.error is not None:
            self.told.set_exception(self.error)
            self.told.exception()  # take note of it, for a caller that has left
        else:
            self.told.set_result(self._result)


class StorageThread:
    """Runs storage calls one after another; a call that was begun is finished even when its caller is cancelled.

    With a database, calls that wait at the same time share one transaction: each stands or falls by itself, and none is
    answered before it is on disk. Such a call does nothing but read and write that database: it may be made again.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._database = database
        self._waiting: deque[Call] = deque()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="storage")

    async def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function in the storage thread and return its result."""
        name = getattr(function, "__qualname__", "storage")
        crash_point(f"before {name}")
        call = Call(partial(function, *args, **kwargs))
        self._waiting.append(call)
        self._executor.submit(self._work)
        result: T = await asyncio.shield(call.told)
        crash_point(f"after {name}")
        return result

    def close(self) -> None:
        """Wait for the last call and end the thread."""
        self._executor.shutdown(wait=True)

    def _work(self) -> None:
        """Make the calls that wait: there is one turn for each, and the first turn may serve several."""
        most = 1 if self._database is None else MOST_TOGETHER
        calls = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        if self._database is None or len(calls) == 1 or not self._made_together(self._database, calls):
            for call in calls:
                call.make(self._database)
                self._make_again(call)
        for loop in {call.told.get_loop() for call in calls}:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits there any more
                loop.call_soon_threadsafe(_tell, [call for call in calls if call.told.get_loop() is loop])

    def _made_together(self, database: Database, calls: list[Call]) -> bool:
        """Make the calls in one transaction; say whether that settled them. If not, nothing was written."""
        try:
            with database.together() as group:
                for call in calls:
                    group.next_call()
                    call.make(database)
                    if _ends_all(call.error):
                        raise call.error
                    group.check()
        except Contended:
            return False
        except BaseException as error:
            for call in calls:
                call.error = error
        return True

    def _make_again(self, call: Call) -> None:
        """Make a call again by itself that another process was in the way of."""
        for _ in range(TRIES):
            if not (isinstance(call.error, Contended) and call.was_undone):
                return
            call.make(self._database)


def _ends_all(error: BaseException | None) -> TypeGuard[BaseException]:
    """Whether a call did not fail by itself: the database is out of reach, or the process is ending."""
    if isinstance(error, StorageUnavailable):
        return not isinstance(error, Contended)
    return error is not None and not isinstance(error, Exception)


def _tell(calls: Sequence[Call]) -> None:
    for call in calls:
        call.tell()
