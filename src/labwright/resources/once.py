"""Carries each command out once, one at a time, and remembers what came of it over a restart."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from labwright.core.command import Answer, CannotTell, Command, Done, Failure, NeverStarted, Outcome, Running
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.values import canonical, digest, finite
from labwright.resources.memory import Action, Deed, Memory
from labwright.resources.sent import check_single
from labwright.resources.stranger import text

LOOK_S = 0.02  # between two looks at whether somebody has stopped it
STOP_S = 5.0  # what may pass until what is under way has ended


class NotDone(Exception):
    """The command cannot be carried out, or no further, and why; what was done of it is known."""


class Broken(Exception):
    """The device says that an action has failed; what of it happened is not known."""


class Once:
    """One thing that acts, and its memory.

    A stop reaches other processes as well, by a file beside the memory's. `halt` is called at a stop while something is
    under way here.
    """

    def __init__(self, name: str, memory: Memory, halt: Callable[[], Awaitable[None]]) -> None:
        self._name, self._memory, self._halt = name, memory, halt
        self._flights: dict[str, tuple[str, asyncio.Task[Outcome]]] = {}
        self._turn = asyncio.Lock()
        self._stops, self._busy = (memory.path.with_name(f"{memory.path.name}.{end}") for end in ("stop", "busy"))
        self._stopped = 0
        self._seen = (0, 0)

    @property
    def doubt(self) -> str:
        """What to say to whoever wants something done while a person has to look first."""
        return (
            f"{self._name} goes on from nothing unknown: {self._memory.doubt}. Look at it, and say what you saw:"
            f" labwright settle FILE {self._name}"
        )

    async def run(self, command: Command, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Return what came of a command; it is begun unless it was before. `work` may raise NotDone or Broken."""
        check_single(self._name, command)
        known, flight = self._flights.get(command.command_id, ("", None))
        if flight is None:
            self._hold()
            if (deed := self._memory.deed(command.command_id)) is not None:
                return self._known(command, deed)
            known = digest_of(command)
            flight = asyncio.create_task(self._in_turn(command.command_id, work, self._stops_now()))
            self._flights[command.command_id] = known, flight
            flight.add_done_callback(lambda task: self._landed(command.command_id, task))
        self._check_same(command, known)
        done, _ = await asyncio.wait({flight}, timeout=command.timeout_s)
        if not done:
            raise ResourceUnavailable(
                f"{self._name}: {command.capability} has not ended within {command.timeout_s:g} s; it may still go on."
            )
        return flight.result()

    def ask(self, command: Command) -> Answer:
        """Say what became of a command; never started is what is nowhere on disk, and nowhere else can begin."""
        if command.command_id in self._flights:
            return Running()
        self._hold()
        deed = self._memory.deed(command.command_id)
        if deed is None:
            return NeverStarted()
        if deed.digest != digest_of(command):
            return CannotTell(reason=f"{command.command_id} was another command")
        if deed.outcome is not None:
            return Done(outcome=deed.outcome)
        return CannotTell(reason=self.doubt)

    async def stop(self) -> None:
        """Begin nothing more, here and in every process that acts by the same memory, and wait for what is under way.

        Raises ResourceUnavailable where that has not ended in time.
        """
        self._stopped += 1
        under_way = [flight for _, flight in self._flights.values()]
        if self._memory.path.exists():
            with self._stops.open("ab") as stops:
                stops.write(b"x")
        if under_way:
            await self._halt()
            await asyncio.wait(under_way, timeout=STOP_S)
        deadline = asyncio.get_running_loop().time() + STOP_S
        while self._busy.exists() and self._is_elsewhere() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_S)
        if any(not flight.done() for flight in under_way) or (self._busy.exists() and self._is_elsewhere()):
            raise ResourceUnavailable(
                f"{self._name}: what is under way has not ended within {STOP_S:g} s; nothing more is begun. Stop it at"
                " the device."
            )

    async def act(self, action: Action, deed: Deed, move: Callable[[], Awaitable[None]]) -> None:
        """Do one action: pending on disk before, committed after; what `move` raises leaves it pending."""
        if self._stops_now() != self._seen:
            raise NotDone(f"it was stopped before {action}")
        await asyncio.to_thread(self._memory.intend, action, deed)
        await move()
        await asyncio.to_thread(self._memory.confirm)

    async def close(self) -> None:
        """Wait for nothing; what is under way is pending on disk."""
        flights = [flight for _, flight in self._flights.values()]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        self._memory.release()

    def _hold(self) -> None:
        try:
            self._memory.hold()
        except ResourceUnavailable as error:
            raise ResourceUnavailable(f"{self._name}: {error}") from error

    async def _in_turn(self, command_id: str, work: Callable[[], Awaitable[Outcome]], seen: tuple[int, int]) -> Outcome:
        async with self._turn:
            if self._stops_now() != seen:
                return Failure(reason="it was stopped before it began")
            if self._memory.doubt is not None:
                raise ResourceUnavailable(self.doubt)
            self._seen = seen
            async with self._watched():
                try:
                    return await work()
                except (NotDone, Broken) as error:
                    return await self._failed(command_id, str(error))

    async def _failed(self, command_id: str, reason: str) -> Failure:
        failure, deed = Failure(reason=reason), self._memory.deed(command_id)
        if deed is not None and deed.outcome is None:
            await asyncio.to_thread(self._memory.end, command_id, failure)
        return failure

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Look for stops that other processes order; they see by a file that something is under way."""
        watching = asyncio.create_task(self._watch())
        self._busy.touch()
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            self._busy.unlink(missing_ok=True)

    async def _watch(self) -> None:
        while self._count() == self._seen[0]:
            await asyncio.sleep(LOOK_S)
        if self._stopped == self._seen[1]:  # our own stop halts it itself
            await self._halt()

    def _stops_now(self) -> tuple[int, int]:
        return self._count(), self._stopped

    def _is_elsewhere(self) -> bool:
        """Whether another process acts by the memory now; where it died, nobody does."""
        if self._memory.is_held:
            return False
        try:
            self._memory.hold()
        except ResourceUnavailable:
            return True
        self._memory.release()
        return False

    def _count(self) -> int:
        try:
            return self._stops.stat().st_size
        except FileNotFoundError:
            return 0

    def _known(self, command: Command, deed: Deed) -> Outcome:
        self._check_same(command, deed.digest)
        if deed.outcome is None:
            raise ResourceUnavailable(self.doubt)
        return deed.outcome

    def _check_same(self, command: Command, known: str) -> None:
        if digest_of(command) != known:
            raise InvalidInput(
                f"{self._name}: {command.command_id} was sent before with another content; this one is not carried out."
            )

    def _landed(self, command_id: str, flight: asyncio.Task[Outcome]) -> None:
        if not flight.cancelled():
            flight.exception()  # it may never be fetched
        del self._flights[command_id]


def digest_of(command: Command) -> str:
    """Return what tells a command's content apart; a number is the same as an int and as a float."""
    rows = [command.inputs, *command.batch]
    return digest(canonical([command.capability, [{n: _plain(v) for n, v in row.items()} for row in rows]]))


def _plain(value: object) -> float | str:
    number = finite(value)
    return text(value) if number is None else number
