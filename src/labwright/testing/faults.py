"""What goes wrong in laboratories, to test with: instruments that cannot be trusted, and processes that die."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from labwright.core.capability import Capability
from labwright.core.command import Answer, Command, Outcome
from labwright.core.crash import crash_point, watched
from labwright.core.errors import ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.resource import Resource

__all__ = ["Blow", "Crashed", "Fault", "FaultyInstrument", "crash_at", "crash_point", "kill_at", "stop_at"]


class Fault(StrEnum):
    """What goes wrong with one command."""

    LOST_REPLY = "lost reply"  # it is carried out, and nobody hears of it
    TWICE = "twice"  # the line delivers it twice, and so the reply
    HANG = "hang"  # it is carried out, but no reply comes before somebody asks, or stops the instrument
    CRASH = "crash"  # the instrument fails in the middle of it
    NOT_READY = "not ready"  # the instrument said that it is ready, and is not: nothing moves


class FaultyInstrument:
    """Any resource, with faults: the first command meets the first of `faults`, and so on; None is a command without.

    `happened` holds the id of each command that met a fault, and which.
    """

    def __init__(self, inner: Resource, faults: Sequence[Fault | None]) -> None:
        self.name = inner.name
        self.faults = tuple(faults)
        self.happened: list[tuple[str, Fault]] = []
        self._inner = inner
        self._left = list(faults)
        self._released: dict[str, asyncio.Event] = {}

    @classmethod
    def drawn(cls, inner: Resource, *, seed: int, chance: float, commands: int = 1000) -> "FaultyInstrument":
        """Draw for each of so many commands whether something goes wrong with it, and what."""
        dice, kinds = Random(seed), list(Fault)  # noqa: S311
        return cls(inner, [dice.choice(kinds) if dice.random() < chance else None for _ in range(commands)])

    def meet(self, fault: Fault) -> None:
        """Let the next command meet this fault, before those that are left."""
        self._left.insert(0, fault)

    def capabilities(self) -> Sequence[Capability]:
        """Offer what the resource offers."""
        return self._inner.capabilities()

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Carry the command out, with the next fault."""
        fault = self._left.pop(0) if self._left else None
        if fault is None:
            return await self._inner.run(command, recorder)
        self.happened.append((command.command_id, fault))
        match fault:
            case Fault.NOT_READY:
                raise ResourceUnavailable(f"{self.name} is not ready after all.")
            case Fault.CRASH:
                await self._crash(command, recorder)
        outcome = await self._inner.run(command, recorder)
        match fault:
            case Fault.LOST_REPLY:
                raise ResourceUnavailable(f"{self.name} did not answer.")
            case Fault.TWICE:
                return await self._inner.run(command, recorder)
            case Fault.HANG:
                await self._released.setdefault(command.command_id, asyncio.Event()).wait()
        return outcome

    async def ask(self, command: Command) -> Answer:
        """Say what became of a command; one that hangs goes on."""
        if command.command_id in self._released:
            self._released[command.command_id].set()
        return await self._inner.ask(command)

    async def stop(self) -> None:
        """Go to the safe state; what hangs goes on."""
        await self._inner.stop()
        for released in self._released.values():
            released.set()

    async def _crash(self, command: Command, recorder: Recorder) -> None:
        work = asyncio.ensure_future(self._inner.run(command, recorder))
        await asyncio.sleep(0)  # it begins
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        raise ResourceUnavailable(f"{self.name} failed in the middle.")


class Crashed(BaseException):
    """The process is dead: nothing of it has an effect any more."""


@dataclass
class Blow:
    """What is to happen at a crash point; `fell`: it did."""

    fell: bool = False


@contextmanager
def crash_at(point: str, *, count: int = 1) -> Iterator[Blow]:
    """Let what runs in this block die when it comes to a crash point for the `count`-th time.

    Nothing that it does later, as its blocks end, is recorded: every later crash point raises Crashed as well.
    """
    blow = Blow()

    def die() -> None:
        raise Crashed(point)

    with watched(_falling(point, count, blow, die, again=True)):
        try:
            yield blow
        except Crashed:
            blow.fell = True


@contextmanager
def kill_at(point: str, *, count: int = 1) -> Iterator[Blow]:
    """Kill this process, as `kill -9` does, when it comes to a crash point for the `count`-th time."""
    blow = Blow()
    with watched(_falling(point, count, blow, lambda: os.kill(os.getpid(), signal.SIGKILL))):
        yield blow


@contextmanager
def stop_at(point: str, *, count: int = 1) -> Iterator[Blow]:
    """Stop this process at a crash point, until another sends it SIGCONT; meanwhile its lease runs out."""
    blow = Blow()
    with watched(_falling(point, count, blow, lambda: os.kill(os.getpid(), signal.SIGSTOP))):
        yield blow


def _falling(
    point: str, count: int, blow: Blow, act: Callable[[], None], *, again: bool = False
) -> Callable[[str], None]:
    left = count

    def hook(name: str) -> None:
        nonlocal left
        if blow.fell:
            if again:
                act()
            return
        left -= name == point
        if left == 0:
            blow.fell = True
            act()

    return hook
