"""A process that dies at a chosen moment, without dying."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from labwright.storage.thread import StorageThread

P = ParamSpec("P")
T = TypeVar("T")


class Crash(BaseException):
    """The process is gone; nobody may catch this."""


class CrashingStorage(StorageThread):
    """Dies at one call to storage: just before it, or just after it is on disk. It counts the calls."""

    def __init__(self, *, at: int | None = None, after: bool = False) -> None:
        super().__init__()
        self.calls = 0
        self._at = at
        self._after = after

    async def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function in the storage thread, unless the process has died."""
        self.calls += 1
        if self.calls == self._at and not self._after:
            raise Crash
        result = await super().__call__(function, *args, **kwargs)
        if self.calls == self._at:
            raise Crash
        return result
