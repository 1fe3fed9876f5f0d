"""Any instrument behind an OPC UA server: a method is called or variables are written, and the end is waited for."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

from labwright.core.capability import Capability
from labwright.core.command import Answer, CannotTell, Command, Done, Failure, NeverStarted, Outcome, Running
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.core.telemetry import Sample
from labwright.core.values import Value
from labwright.resources.opcua.connection import Connection
from labwright.resources.opcua.lads import Course, courses
from labwright.resources.opcua.options import CapabilityPart, Phase, ServerOptions
from labwright.resources.opcua.pausing import Pause
from labwright.resources.opcua.setpoints import Setpoints
from labwright.resources.opcua.skill import Skill
from labwright.resources.opcua.standing import Glance, glance, look_up, stands
from labwright.resources.opcua.watching import Watching
from labwright.resources.opcua.wire import Lost, Refused

SETTLE_S = 2.0  # how long a request that was lost on its way may still arrive


class OpcUaResource:
    """Offers what a campaign file says that a server can do."""

    Options = ServerOptions

    def __init__(
        self,
        name: str,
        options: ServerOptions,
        folder: Path,
        connection: Connection,
        skills: Sequence[Skill],
        programs: Mapping[str, Course],
        watching: Watching | None,
        setpoints: Setpoints,
    ) -> None:
        self.name, self._folder, self._watching, self._setpoints = name, folder, watching, setpoints
        self._options, self._connection = options, connection
        self._skills = {skill.capability.name: skill for skill in skills}
        self._programs = programs
        # Where one state serves several commands, they wait for each other here, or one would miss the other's end.
        self._turns = {skill.part.state: asyncio.Lock() for skill in skills}

    @classmethod
    def identity(cls, options: ServerOptions, folder: Path) -> str:
        """Return the server's address: whatever a campaign calls on it, it is the same instrument."""
        return options.url

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: ServerOptions, folder: Path) -> AsyncIterator["OpcUaResource"]:
        """Connect and read units, limits and arguments from the server."""
        async with Connection.open(name, options, folder) as connection:
            methods = {n: part for n, part in options.capabilities.items() if isinstance(part, CapabilityPart)}
            skills = [await Skill.open(connection, n, part) for n, part in methods.items()]
            programs = await courses(connection, options)
            if options.stop:
                await connection.is_method(options.stop)
            watching = await Watching.open(connection, options.telemetry) if options.telemetry else None
            setpoints = await Setpoints.open(connection, options, watching)
            yield cls(name, options, folder, connection, skills, programs, watching, setpoints)

    def capabilities(self) -> Sequence[Capability]:
        """Offer each capability with the server's units and the narrower of the server's and the file's limits."""
        found = {name: skill.capability for name, skill in self._skills.items()}
        found |= {name: program.capability for name, program in self._programs.items()}
        return tuple(found[name] for name in self._options.capabilities)

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Order it, unless the server knows it already, and wait for its end."""
        program = self._programs.get(command.capability)
        turn = self._turns[self._skill(command).part.state] if program is None else program.unit.turn
        try:
            async with asyncio.timeout(command.timeout_s), turn, self._watched(recorder):
                if program is not None:
                    return await program.run(command, recorder)
                return await self._run(self._skill(command), command, recorder)
        except TimeoutError as error:
            raise ResourceUnavailable(
                f"{self.name}: {command.capability} has not ended within {command.timeout_s:g} s; it may still go on."
            ) from error

    def _watched(self, recorder: Recorder) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._watching is None else self._watching.during(recorder)

    async def ask(self, command: Command) -> Answer:
        """Look at what the server holds and, where it can look up ids, at its record."""
        if command.capability in self._programs:
            return await self._programs[command.capability].ask(command)
        skill = self._skill(command)
        now = await glance(skill)
        answer = await stands(skill, command.command_id, now)
        return self._without_record(now) if answer is None else answer

    async def stop(self) -> None:
        """Stop every functional unit, and call the stop method or write 1 to the stop variable."""
        if self._options.stop is None and not self._programs:
            raise ResourceUnavailable(f"{self.name} declares no stop. Stop it at the device.")
        units = {program.unit.node: program.unit for program in self._programs.values()}
        stops: list[Callable[[Connection], Awaitable[None]]] = [unit.stop for unit in units.values()]
        if self._options.stop is not None:
            stops.insert(0, partial(_stop, node=self._options.stop))
        problems = [problem for stop in stops if (problem := await self._problem(stop)) is not None]
        if len(problems) > 1:
            raise ResourceUnavailable(" ".join(map(str, problems)))
        for problem in problems:
            raise problem

    async def _problem(self, stop: Callable[[Connection], Awaitable[None]]) -> ResourceUnavailable | None:
        """Stop one thing, over a new connection where this one is lost; return why it is not stopped."""
        try:
            try:
                await stop(self._connection)
            except Lost:
                async with self._anew() as connection:
                    await stop(connection)
        except Refused as error:
            return ResourceUnavailable(f"{self.name} refused to stop: {error}. Stop it at the device.")
        except ResourceUnavailable as error:
            return error
        return None

    async def read_back(self, channels: Sequence[str]) -> Mapping[str, Sample]:
        """Read those of these channels that `telemetry` names."""
        return await self._setpoints.read(channels)

    @property
    def settable(self) -> Collection[str]:
        """The channels that have setpoints."""
        return self._options.setpoints.keys()

    async def settle(self, state: Mapping[str, Value]) -> None:
        """Write the setpoints of these channels; over a new connection where this one is lost."""
        nodes = self._options.setpoints
        try:
            await self._setpoints.write(nodes, state)
        except Lost:
            async with self._anew() as connection:
                await (await Setpoints.open(connection, self._options, None)).write(nodes, state)

    def _anew(self) -> AbstractAsyncContextManager[Connection]:
        impatient = self._options.model_copy(update={"reconnect_s": self._options.timeout_s})
        return Connection.open(self.name, impatient, self._folder)

    def _skill(self, command: Command) -> Skill:
        skill = self._skills.get(command.capability)
        if skill is None:
            raise InvalidInput(f"{self.name} has no capability {command.capability!r}.")
        return skill

    def _without_record(self, now: Glance) -> Answer:
        """Say what is known of a command that the server does not hold, and of which it keeps no record."""
        if now.held == "":
            return CannotTell(reason=f"{self.name} holds no command: it may have restarted")
        if now.held and self._options.exclusive and self._options.capacity > 1:
            return CannotTell(reason=f"{self.name} holds another command, which may have followed this one")
        if now.held and self._options.exclusive:
            return NeverStarted()  # it has not restarted and forgotten, for it still holds the one before
        return CannotTell(reason=f"{self.name} may hold another command, and keeps no record of earlier ones")

    async def _run(self, skill: Skill, command: Command, recorder: Recorder) -> Outcome:
        now = await glance(skill)
        answer = await stands(skill, command.command_id, now) if skill.identifies else None
        if isinstance(answer, Done):
            return answer.outcome
        if isinstance(answer, CannotTell):
            raise ResourceUnavailable(f"{self.name}: {answer.reason}. Look at the device.")
        if not isinstance(answer, Running):
            refusal = await self._start(skill, command, now)
            if refusal:
                return refusal
        return await self._end(skill, command, recorder)

    async def _start(self, skill: Skill, command: Command, before: Glance) -> Failure | None:
        """Order the command when the server is free; return the refusal if it is refused."""
        deadline, pause = time.monotonic() + self._options.busy_s, Pause()
        while True:
            if before.phase is not Phase.RUNNING:
                try:
                    await skill.order(command)
                    await self._taken_up(skill, command, before)
                    return None
                except Lost as error:
                    await self._arrived(skill, command, error)
                    return None
                except Refused as error:
                    if (await glance(skill)).phase is not Phase.RUNNING:
                        return Failure(reason=str(error))
            if time.monotonic() > deadline:
                raise ResourceUnavailable(
                    f"{self.name} is busy with another command{_of(before)}; this one is not begun."
                )
            await pause()
            before = await glance(skill)

    async def _taken_up(self, skill: Skill, command: Command, before: Glance) -> None:
        """Wait until the state that the server shows is this command's, not an older one's."""
        if skill.method is not None:
            return  # it returns when the server has taken the command up
        deadline, pause = time.monotonic() + self._options.start_s, Pause()
        while not _is_taken_up(skill, command, before, await glance(skill)):
            if time.monotonic() > deadline:
                raise ResourceUnavailable(
                    f"{self.name}: {skill.part.start} was written, but after {self._options.start_s:g} s the server"
                    f" still shows {before.phase}{_of(before)}. Look at the device."
                )
            await pause()

    async def _arrived(self, skill: Skill, command: Command, error: Exception) -> None:
        """After a lost order, go on only if the server is seen to hold it; it is never sent twice."""
        deadline = time.monotonic() + SETTLE_S
        pause = Pause()
        while skill.identifies and time.monotonic() < deadline:
            if isinstance(await stands(skill, command.command_id, await glance(skill)), Running | Done):
                return
            await pause()
        raise ResourceUnavailable(
            f"{self.name}: the connection broke while the command was sent ({error}); it is not known whether it began."
        ) from error

    async def _end(self, skill: Skill, command: Command, recorder: Recorder) -> Outcome:
        """Wait for the end of a command that the server has taken up."""
        pause, active = Pause(), time.monotonic()
        while True:
            now = await glance(skill)
            ours = now.held == command.command_id if now.held is not None else skill.lookup is None
            answer = now.answer() if ours else await look_up(skill, command.command_id)
            if isinstance(answer, Done):
                return answer.outcome
            if isinstance(answer, Running):
                active = time.monotonic()
                recorder.progress(now.progress, now.phase)
            elif not ours or time.monotonic() - active > self._options.start_s:
                raise ResourceUnavailable(
                    f"{self.name} shows {now.phase}{_of(now)}; what came of command {command.command_id} is not known."
                )
            await pause()


def _is_taken_up(skill: Skill, command: Command, before: Glance, now: Glance) -> bool:
    if skill.echoes:
        return now.held == command.command_id
    return now.phase is not before.phase


def _of(now: Glance) -> str:
    return f" ({now.held})" if now.held else ""


async def _stop(connection: Connection, node: str) -> None:
    if await connection.is_method(node):
        await connection.call(node)
    else:
        await connection.write(node, 1, await connection.variable_type(node))
