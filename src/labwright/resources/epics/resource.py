"""Instruments behind EPICS IOCs: PVs are put, the end is waited for, and PVs are read."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path

from labwright.core.capability import Capability
from labwright.core.command import Answer, CannotTell, Command, Outcome, Running
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.core.values import Value
from labwright.resources.epics.connection import Connection
from labwright.resources.epics.engineering import Pv
from labwright.resources.epics.execution import Execution
from labwright.resources.epics.options import EpicsOptions
from labwright.resources.epics.skill import Skill, fitting, mark
from labwright.resources.epics.standing import stands
from labwright.resources.epics.watching import Watching
from labwright.resources.epics.wire import Lost, Refused


class EpicsResource:
    """Offers what a campaign file says that is done with PVs, over Channel Access and PVAccess."""

    Options = EpicsOptions

    def __init__(
        self,
        connection: Connection,
        skills: Sequence[Skill],
        stop: Mapping[str, tuple[Pv, Value]],
        watching: Watching | None,
    ) -> None:
        self.name, self._connection, self._stop, self._watching = connection.name, connection, stop, watching
        self._skills = {skill.capability.name: skill for skill in skills}
        # Commands that put to one PV wait for each other here.
        self._turns = {pv.source: asyncio.Lock() for skill in skills for pv in skill.puts}
        self._executions: dict[str, tuple[int, Execution]] = {}
        self._stopping = 0

    @classmethod
    def identity(cls, options: EpicsOptions, folder: Path) -> str:
        """Return what the device is called on its network: the prefix, or else every PV that is put to."""
        if options.prefix:
            return options.prefix
        parts = options.capabilities.values()
        inputs = [i.pv for part in parts for i in part.inputs.values()]
        starts = [part.start.pv for part in parts if part.start]
        return " ".join(sorted({options.full(pv) for pv in [*inputs, *starts, *(options.stop or {})]}))

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: EpicsOptions, folder: Path) -> AsyncIterator["EpicsResource"]:
        """Find every PV, and read units, limits and choices from the IOC."""
        async with Connection.open(name, options) as connection:
            skills = [await Skill.open(connection, n, part) for n, part in options.capabilities.items()]
            stop = {text: await _safe(connection, text, value) for text, value in (options.stop or {}).items()}
            watching = await Watching.open(connection, options.telemetry) if options.telemetry else None
            resource = cls(connection, skills, stop, watching)
            try:
                yield resource
            finally:
                for _, execution in resource._executions.values():
                    await execution.close()

    def capabilities(self) -> Sequence[Capability]:
        """Offer each capability with the IOC's units and the narrower of the IOC's and the file's limits."""
        return tuple(skill.capability for skill in self._skills.values())

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Carry it out, unless this process has or the IOC holds it, and wait for its end."""
        skill = self._skill(command)
        try:
            async with asyncio.timeout(command.timeout_s), self._watched(recorder):
                return await self._execution(skill, command).end(recorder)
        except TimeoutError as error:
            _, held = self._executions.get(command.command_id, (0, None))
            so = "it is not begun" if held is None or held.unsent else "it may still go on"
            raise ResourceUnavailable(
                f"{self.name}: {command.capability} has not ended within {command.timeout_s:g} s; {so}."
            ) from error

    async def ask(self, command: Command) -> Answer:
        """Say that it goes on, where this process waits for it; or else what the IOC holds."""
        skill = self._skill(command)
        _, execution = self._executions.get(command.command_id, (0, None))
        if execution is not None and execution.goes_on:
            return Running()
        if skill.capability.queryable:
            return await stands(self._connection, skill, mark(command))
        return CannotTell(reason="its IOC keeps no record of commands, and this process waits for none of it")

    async def stop(self) -> None:
        """Put the values of the safe state, at once; where the connection is lost, over a new one.

        Nothing more of any command is put from now on, and those under way have failed.
        """
        for _, execution in self._executions.values():
            execution.hold()
        if not self._stop:
            raise ResourceUnavailable(f"{self.name} declares no stop. Stop it at the device.")
        self._stopping += 1
        try:
            puts = [self._make_safe(pv, value) for pv, value in self._stop.values()]
            problems = [p for p in await asyncio.gather(*puts, return_exceptions=True) if p is not None]
        finally:
            self._stopping -= 1
        if problems:
            raise problems[0]
        for _, execution in self._executions.values():
            execution.stop()

    async def _make_safe(self, pv: Pv, value: Value) -> None:
        try:
            try:
                await self._connection.put(pv, value, complete=False)
            except Lost:
                await self._connection.put_anew(pv, value)
        except Lost as error:
            raise ResourceUnavailable(
                f"{self.name}: {value} could not be put to {pv.source}: {error}. Stop it at the device."
            ) from error
        except Refused as error:
            raise ResourceUnavailable(f"{self.name} refused to stop: {error}. Stop it at the device.") from error

    def _watched(self, recorder: Recorder) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self._watching is None else self._watching.during(recorder)

    def _execution(self, skill: Skill, command: Command) -> Execution:
        """Return the execution of a command, which is begun now where this process has not begun it.

        One that got lost is sent again in a newer epoch only: somebody has decided that it never ran. Before that, only
        the IOC can say what came of it.
        """
        epoch, held = self._executions.get(command.command_id, (command.epoch, None))
        is_lost = held is not None and held.lost and not held.goes_on
        if held is None or held.unsent or (is_lost and command.epoch > epoch):
            held = Execution(self._connection, skill, command, self._turns)
        elif is_lost and skill.capability.queryable:
            held = Execution(self._connection, skill, command, self._turns, doubtful=True)
        if self._stopping:
            held.hold()
        self._executions[command.command_id] = (max(epoch, command.epoch), held)
        return held

    def _skill(self, command: Command) -> Skill:
        skill = self._skills.get(command.capability)
        if skill is None:
            raise InvalidInput(f"{self.name} has no capability {command.capability!r}.")
        return skill


async def _safe(connection: Connection, text: str, value: Value) -> tuple[Pv, Value]:
    pv = await connection.pv(text)
    return pv, fitting(f"{connection.name}.stop", pv, value)
