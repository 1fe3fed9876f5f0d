"""A RunEngine that runs one plan after the other, in a thread of its own."""

import asyncio
import contextlib
import inspect
import logging
import threading
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from labwright.resources.stranger import Misbehaved

Tell = Callable[[str, Mapping[str, Any]], None]
LOOK_S = 0.05


class Withdrawn(Exception):
    """The plan was stopped before its first message."""


def cause(error: BaseException) -> BaseException:
    """Return what made a device's status fail, instead of the failed status."""
    from bluesky.utils import FailedStatus

    while isinstance(error, FailedStatus) and error.__cause__ is not None:
        error = error.__cause__
    return error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep bluesky from logging what is reported as an outcome of ours, unless somebody has set its level."""
    logger = logging.getLogger("bluesky")
    unset = logger.level == logging.NOTSET
    if unset:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        if unset:
            logger.setLevel(logging.NOTSET)


class Engine:
    """Plans run in the RunEngine's own event loop; whoever calls it waits in a thread."""

    def __init__(self, engine: Any = None) -> None:
        from bluesky.run_engine import RunEngine
        from bluesky.utils import DuringTask

        self._engine = engine or RunEngine(context_managers=[], during_task=DuringTask())
        self._engine.context_managers = []  # Ctrl-C is Labwright's
        self._current: threading.Event | None = None

    @property
    def busy(self) -> bool:
        """Whether a plan is under way."""
        return self._current is not None or self._engine.state != "idle"

    async def run(self, plan: Callable[[], Iterable[Any]], metadata: Mapping[str, Any], tell: Tell) -> Any:
        """Run a plan to its end and return what it returns; raises whatever it raises."""
        withdrawn = threading.Event()

        def call() -> Any:
            found: list[Any] = []
            try:
                self._engine(_first(withdrawn, plan, found), tell, **metadata)
            finally:
                if self._engine.state == "paused":
                    self._engine.abort("nobody can resume it here")
            return found[0] if found else None

        self._current = withdrawn
        try:
            return await self.call_there(call)
        finally:
            self._current = None

    async def abort(self, why: str, within_s: float) -> bool:
        """End the plan; say whether it has ended. It may clean up first, and nothing can keep it from that."""
        if self._current is not None:
            self._current.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                if self._engine.state != "idle":
                    with contextlib.suppress(Exception):  # it has ended meanwhile, or is ending
                        await self.call_there(lambda: self._engine.abort(why))
                while self.busy:
                    await asyncio.sleep(LOOK_S)
        return not self.busy

    async def await_there(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Await something in the RunEngine's event loop."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self._engine.loop))

    async def call_there(self, function: Callable[[], Any]) -> Any:
        """Call something in a thread of its own, which does not keep the process from ending."""
        done: Future[Any] = Future()

        def work() -> None:
            try:
                done.set_result(function())
            except BaseException as error:  # a stranger's code; it ends this call only
                done.set_exception(_ended(error))

        threading.Thread(target=work, daemon=True, name="labwright-bluesky").start()
        return await asyncio.wrap_future(done)

    async def stop_devices(self, devices: Iterable[Any]) -> None:
        """Stop each device that can be stopped; one that fails does not keep the others from it."""
        stops = [getattr(device, "stop", None) for device in devices]

        async def stop() -> None:
            for one in filter(callable, stops):
                with contextlib.suppress(Exception):
                    done = one(success=False)
                    if inspect.isawaitable(done):
                        await done

        await self.await_there(stop)


def _first(withdrawn: threading.Event, plan: Callable[[], Any], found: list[Any]) -> Generator[Any, Any, None]:
    """Run the plan unless it was stopped meanwhile, and take note of what it returns."""
    if withdrawn.is_set():
        raise Withdrawn
    try:
        found.append((yield from plan()))
    except (SystemExit, KeyboardInterrupt) as error:  # it would end the RunEngine's thread
        raise _ended(error) from error


def _ended(error: BaseException) -> Exception:
    """Return what ended a call, as something that ends no more than that."""
    if isinstance(error, Exception):
        return error
    misbehaved = Misbehaved()
    misbehaved.__cause__ = error
    return misbehaved
