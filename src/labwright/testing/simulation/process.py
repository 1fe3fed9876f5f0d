"""A simulated process: tasks that live and die together, with effects that end with them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, Protocol, TypeVar

from labwright.core.capability import Capability
from labwright.core.command import Answer, Command, Outcome
from labwright.core.crash import crash_point
from labwright.core.recorder import Recorder
from labwright.storage.database import Database
from labwright.storage.database.thread import StorageThread
from labwright.storage.presence import Presence
from labwright.testing.faults import Crashed
from labwright.testing.simulation.device import Device

P = ParamSpec("P")
T = TypeVar("T")
WORK_S = (0.0002, 0.004)  # what a call to storage takes

current: ContextVar["Process | None"] = ContextVar("simulated_process", default=None)


class Clockwork(Protocol):
    """What a process needs of the world."""

    def reached(self, process: "Process", point: str) -> None:
        """Decide whether the process goes on from here."""
        ...

    def takes(self, span: tuple[float, float]) -> float:
        """Draw how long something takes."""
        ...

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call it after so long."""
        ...


class Process:
    """One process of the laboratory, known by its worker id."""

    def __init__(self, worker: str, world: Clockwork) -> None:
        self.worker = worker
        self.world = world
        self.is_dead = False
        self.tasks: list[asyncio.Task[Any]] = []
        self._paused_until = -1.0

    def crash(self) -> None:
        """Die here; the caller's own task ends with it."""
        self.is_dead = True
        mine = asyncio.current_task()
        for task in self.tasks:
            if task is not mine:
                task.cancel()
        raise Crashed(self.worker)

    def pause(self, for_s: float) -> None:
        """Do nothing that others could see, for so long."""
        self._paused_until = asyncio.get_running_loop().time() + for_s

    def check(self) -> None:
        """End whoever calls this for a dead process."""
        if self.is_dead:
            raise Crashed(self.worker)

    async def awake(self) -> None:
        """Wait until the process may act."""
        self.check()
        while (left := self._paused_until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(left)
        self.check()


class InlineStorage(StorageThread):
    """Storage in the loop's own thread: each call takes a little time, so that processes take turns in any order."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function, as the storage thread would."""
        name = getattr(function, "__qualname__", "storage")
        process = self._process
        await asyncio.sleep(process.world.takes(WORK_S))
        await process.awake()
        crash_point(f"before {name}")
        await process.awake()
        result = function(*args, **kwargs)
        crash_point(f"after {name}")
        await asyncio.sleep(process.world.takes(WORK_S))
        await process.awake()
        return result

    def close(self) -> None:
        """Nothing to end."""


class WatchedDatabase(Database):
    """A database that a dead process cannot write to; `commits` counts what was written."""

    commits = 0

    @contextmanager
    def write(self, *locks: str) -> Iterator[Any]:
        """Give a connection, if the process lives."""
        process = current.get()
        if process is not None:
            process.check()
        with super().write(*locks) as connection:
            yield connection
            if process is not None:
                process.check()
        self.commits += 1


class LockFile(Presence):
    """A presence whose lock file can be dropped without a word, as it is when a process dies."""

    def drop(self) -> None:
        """Let go of the lock file."""
        if self._life is not None:
            self._let_go()
            self._life_file(self.worker).unlink(missing_ok=True)


class Wire:
    """One process's line to an instrument: what is sent arrives, also when the sender is dead by then."""

    def __init__(self, process: Process, device: Device) -> None:
        self.name = device.kind.name
        self._process = process
        self._device = device

    def capabilities(self) -> tuple[Capability, ...]:
        """Offer what the instrument can do."""
        return tuple(self._device.kind.capabilities())

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Send a command and wait for the reply."""
        await self._process.awake()
        crash_point("before send")
        await self._process.awake()
        reply: asyncio.Future[Outcome | Exception] = asyncio.get_running_loop().create_future()

        def answer(found: Outcome | Exception) -> None:
            self._later(lambda: None if reply.done() else reply.set_result(found))

        self._later(lambda: self._device.receive(command, answer))
        crash_point("after send")
        found = await reply
        await self._process.awake()
        crash_point("after reply")
        recorder.progress(1.0)
        if isinstance(found, Exception):
            raise found
        return found

    async def ask(self, command: Command) -> Answer:
        """Ask what became of a command."""
        await self._process.awake()
        crash_point("before ask")
        await self._process.awake()
        await asyncio.sleep(self._message_s())
        self._process.check()
        answer = self._device.asked(command)
        await asyncio.sleep(self._message_s())
        await self._process.awake()
        return answer

    async def stop(self) -> None:
        """Stop whatever moves."""
        await self._process.awake()
        self._device.stop()

    def _later(self, call: Callable[[], None]) -> None:
        self._process.world.later(self._message_s(), call)

    def _message_s(self) -> float:
        return self._process.world.takes(self._device.kind.message_s)
