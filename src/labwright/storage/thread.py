"""The one thread in which storage works, so that no monitor ever waits for a disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from labwright.core.crash import crash_point

P = ParamSpec("P")
T = TypeVar("T")


class StorageThread:
    """Runs storage calls one after another; a call that was begun is finished even when its caller is cancelled."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="storage")

    async def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function in the storage thread and return its result."""
        name = getattr(function, "__qualname__", "storage")
        crash_point(f"before {name}")
        call = self._executor.submit(function, *args, **kwargs)
        result = await asyncio.shield(asyncio.wrap_future(call))
        crash_point(f"after {name}")
        return result

    def close(self) -> None:
        """Wait for the last call and end the thread."""
        self._executor.shutdown(wait=True)
