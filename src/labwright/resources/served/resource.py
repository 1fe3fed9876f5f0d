"""A resource behind a server that knows each command by an id: it is begun once, and can be asked about for ever."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol
from weakref import WeakValueDictionary

from labwright.core.capability import Capability
from labwright.core.command import Answer, CannotTell, Command, Done, Failure, NeverStarted, Outcome, Running
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.served.docket import Docket, Note
from labwright.resources.served.kind import Unfit
from labwright.resources.served.options import PatienceOptions
from labwright.resources.served.skill import Skill
from labwright.resources.served.wire import Lost, NotAccepted, Refused

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
SETTLE_S = 2.0  # how long a request that was lost on its way may still arrive


class Phase(Enum):
    """How far a server says that a command is. PREPARED: it waits to be begun. UNKNOWN: the server has no such id."""

    PREPARED = "prepared"
    GOING = "going"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a server says of a command: how far it is, and what came of it, unless there is more of it to fetch."""

    phase: Phase
    text: str = ""
    fraction: float = 0.0
    result: Any = None
    failure: str | None = None
    has_more: bool = False


class Server(Protocol):
    """How one kind of server is spoken to."""

    name: str
    finds_ours: bool  # whether it can be asked about a command by our own id

    async def prepare(self, skill: Skill, command: Command, arguments: Mapping[str, Any]) -> str:
        """Return the id under which the command may be begun; nothing begins by it, so it may be done again.

        Raises Refused, NotAccepted where the server is busy, and ResourceUnavailable where that will not pass.
        """
        ...

    async def begin(self, skill: Skill, item: str, arguments: Mapping[str, Any]) -> None:
        """Begin it; raises Refused or NotAccepted where it has not begun, and Lost where nobody knows."""
        ...

    async def stands(self, skill: Skill, item: str) -> Standing:
        """Say how it stands; raises ResourceUnavailable."""
        ...

    async def withdraw(self, item: str) -> bool:
        """Make sure that what is PREPARED never begins; False where it has begun meanwhile."""
        ...

    async def fetch(self, skill: Skill, item: str, standing: Standing) -> tuple[Any, Mapping[str, bytes]]:
        """Return the whole result, and the files that came of it; raises Refused, or ResourceUnavailable."""
        ...

    async def stop(self) -> None:
        """Go to the safe state; raises ResourceUnavailable."""
        ...

    def watched(self, recorder: Recorder) -> AbstractAsyncContextManager[None]:
        """Stream what it tells while a command is carried out."""
        ...


class ServedResource:
    """Offers a server's actions. Which id a command has is on disk before it begins."""

    def __init__(self, server: Server, skills: Sequence[Skill], options: PatienceOptions, docket: Docket) -> None:
        self.name, self._server, self._options, self._docket = server.name, server, options, docket
        self._skills = {skill.capability.name: skill for skill in skills}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._stops = 0

    def capabilities(self) -> Sequence[Capability]:
        """Offer each action with the narrower of the server's and the file's limits."""
        return tuple(skill.capability for skill in self._skills.values())

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Begin it, unless that was done before, and wait for its end."""
        skill = self._skill(command)
        try:
            arguments = skill.arguments(command)
        except Unfit as error:
            return Failure(reason=str(error))
        try:
            async with asyncio.timeout(command.timeout_s), self._server.watched(recorder):
                async with self._turns.setdefault(command.command_id, asyncio.Lock()):
                    item = await self._begun(skill, command, arguments)
                return item if isinstance(item, Failure) else await self._end(skill, command, item, recorder)
        except TimeoutError as error:
            note = self._docket.look(command.command_id)
            so = "it is not begun" if note is None or note.item is None else "it may still go on"
            raise ResourceUnavailable(
                f"{self.name}: {command.capability} has not ended within {command.timeout_s:g} s; {so}."
            ) from error

    async def ask(self, command: Command) -> Answer:
        """Look at what is noted of the command, and at what the server says of it."""
        skill, note = self._skill(command), self._docket.look(command.command_id)
        if note is not None and note.item is None:
            return NeverStarted()
        if note is None and not self._server.finds_ours:
            return self._without_note()
        item = command.command_id if note is None or note.item is None else note.item
        standing = await self._server.stands(skill, item)
        if standing.phase is Phase.PREPARED:
            if await self._server.withdraw(item):
                await self._note(command, None)
                return NeverStarted()
            standing = await self._server.stands(skill, item)
        if standing.phase is Phase.UNKNOWN:
            return self._without_note() if note is None else CannotTell(reason=self._unknown(item))
        if standing.phase is not Phase.ENDED or standing.has_more:
            return Running()  # run again, it fetches the rest
        return Done(outcome=_outcome(skill, standing, standing.result, ()))

    async def stop(self) -> None:
        """Tell the server to stop; what waits to be begun will not be."""
        self._stops += 1
        await self._server.stop()

    def _skill(self, command: Command) -> Skill:
        skill = self._skills.get(command.capability)
        if skill is None:
            raise InvalidInput(f"{self.name} has no capability {command.capability!r}.")
        return skill

    def _without_note(self) -> Answer:
        if self._options.exclusive:
            return NeverStarted()
        return CannotTell(reason=f"nothing is noted here of a start, and {self.name} may have been told elsewhere")

    def _unknown(self, item: str) -> str:
        return f"{self.name} knows nothing of {item}: it never got the order, or has restarted and forgotten it"

    async def _note(self, command: Command, item: str | None) -> None:
        note = Note(item=item, epoch=command.epoch)
        await asyncio.to_thread(self._docket.note, command.command_id, note)

    async def _begun(self, skill: Skill, command: Command, arguments: Mapping[str, Any]) -> str | Failure:
        """Return the id of the command, which is begun now where it was not."""
        note = self._docket.look(command.command_id)
        item = None if note is None else note.item
        if item is None and (note is not None or not self._server.finds_ours):
            return await self._start(skill, command, arguments)
        item = item or command.command_id
        standing = await self._server.stands(skill, item)
        if standing.phase in (Phase.GOING, Phase.ENDED):
            return item
        if standing.phase is Phase.UNKNOWN and note is not None and command.epoch <= note.epoch:
            raise ResourceUnavailable(f"{self._unknown(item)}. Look at the device.")
        if standing.phase is Phase.PREPARED and not await self._server.withdraw(item):
            return item
        return await self._start(skill, command, arguments)  # somebody has decided that it never began

    async def _start(self, skill: Skill, command: Command, arguments: Mapping[str, Any]) -> str | Failure:
        """Begin the command once the server is free, unless that takes too long or it is stopped first."""
        stops, pause, deadline = self._stops, _Pause(), time.monotonic() + self._options.busy_s
        await self._take_back(command)  # until it has an id, whoever asks is told that it never began
        while True:
            try:
                item = await self._server.prepare(skill, command, arguments)
                await self._note(command, item)
                if self._stops != stops:
                    raise Refused("it was stopped before it was begun")
                await self._server.begin(skill, item, arguments)
                return item
            except NotAccepted as error:
                why: Exception = error
            except Refused as error:
                await self._take_back(command)
                return Failure(reason=str(error))
            except Lost as error:
                if await self._arrived(skill, item, command, error):
                    return item
                why = error
            await self._take_back(command)
            if time.monotonic() > deadline:
                raise ResourceUnavailable(
                    f"{self.name} does not accept {command.capability} now ({why}): not begun."
                ) from why
            await pause()
            if self._stops != stops:
                return Failure(reason="it was stopped before it was begun")

    async def _take_back(self, command: Command) -> None:
        note = self._docket.look(command.command_id)
        if note is None or note.item is not None:
            await self._note(command, None)

    async def _arrived(self, skill: Skill, item: str, command: Command, error: Exception) -> bool:
        """After a lost order, say whether it began: what the server still holds back is withdrawn, not begun again."""
        deadline, pause, phase = time.monotonic() + SETTLE_S, _Pause(), Phase.UNKNOWN
        while time.monotonic() < deadline:
            phase = (await self._server.stands(skill, item)).phase
            if phase in (Phase.GOING, Phase.ENDED):
                return True
            await pause()
        if phase is Phase.PREPARED:
            return not await self._server.withdraw(item)
        raise ResourceUnavailable(
            f"{self.name}: the connection broke while {command.capability} was sent ({error}); it is not known whether"
            " it began. Look at the device."
        ) from error

    async def _end(self, skill: Skill, command: Command, item: str, recorder: Recorder) -> Outcome:
        pause = _Pause()
        try:
            while (standing := await self._server.stands(skill, item)).phase is not Phase.ENDED:
                if standing.phase is Phase.UNKNOWN:
                    raise ResourceUnavailable(self._unknown(item))
                recorder.progress(standing.fraction, standing.text)
                await pause()
            result: Any = standing.result
            files: Mapping[str, bytes] = {}
            if standing.has_more:
                result, files = await self._server.fetch(skill, item, standing)
        except ResourceUnavailable as error:
            raise ResourceUnavailable(
                f"{self.name}: what came of command {command.command_id} ({command.capability}) is not known: {error}"
            ) from error
        except Refused as error:
            return Failure(reason=f"it has ended, but its result cannot be fetched: {error}")
        return _outcome(skill, standing, result, [await recorder.keep(name, data) for name, data in files.items()])


def _outcome(skill: Skill, standing: Standing, result: Any, objects: Sequence[str]) -> Outcome:
    if standing.failure is not None:
        return Failure(reason=standing.failure)
    return skill.observation(result, objects)


class _Pause:
    """Waits a little longer each time."""

    def __init__(self) -> None:
        self._next_s = FIRST_PAUSE_S

    async def __call__(self) -> None:
        await asyncio.sleep(self._next_s)
        self._next_s = min(1.5 * self._next_s, LONGEST_PAUSE_S)
