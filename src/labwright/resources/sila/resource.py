"""Any instrument behind a SiLA 2 server: its commands are found by asking it, sent once, and their end waited for."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from labwright.core.capability import Capability
from labwright.core.command import Answer, CannotTell, Command, Outcome, Running
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.sent import check_single
from labwright.resources.sila.connection import Connection, Feature
from labwright.resources.sila.definition import Order
from labwright.resources.sila.execution import PAUSE_S, Execution
from labwright.resources.sila.options import ServerOptions
from labwright.resources.sila.skill import Skill, every_command
from labwright.resources.sila.watching import Watch, Watched, watched
from labwright.resources.sila.wire import Lost, NotFinished, Refused
from labwright.resources.stranger import text

log = logging.getLogger(__name__)
CANCEL = ("org.silastandard/core.commands/CancelController/v", "CancelAll")


class SilaResource:
    """Offers the commands of a server's features.

    A SiLA server names each execution itself, and cannot be asked about a command of ours: only the process that has
    sent it holds its execution.
    """

    Options = ServerOptions

    def __init__(
        self,
        name: str,
        connection: Connection,
        skills: Sequence[Skill],
        stop: tuple[Feature, Order] | None,
        properties: Sequence[Watched],
    ) -> None:
        self.name, self._connection, self._stop, self._properties = name, connection, stop, properties
        self._skills = {skill.capability.name: skill for skill in skills}
        self._executions: dict[str, tuple[int, Execution]] = {}

    @classmethod
    def identity(cls, options: ServerOptions, folder: Path) -> str:
        """Return the server's address: whatever a campaign calls on it, it is the same instrument."""
        return options.url.rstrip("/")

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: ServerOptions, folder: Path) -> AsyncIterator["SilaResource"]:
        """Connect, and read commands, units and limits from the server."""
        async with Connection.open(name, options, folder) as connection:
            skills = await asyncio.to_thread(_skills, connection)
            properties = watched(connection, options.telemetry, skills)
            resource = cls(name, connection, skills, _stop(connection), properties)
            try:
                yield resource
            finally:
                for _, execution in resource._executions.values():
                    await execution.close()

    def capabilities(self) -> Sequence[Capability]:
        """Offer each command with the server's units and the narrower of the server's and the file's limits."""
        return tuple(skill.capability for skill in self._skills.values())

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Send it, unless this process has, and wait for its end."""
        check_single(self.name, command)
        skill = self._skill(command)
        try:
            async with (
                asyncio.timeout(command.timeout_s),
                Watch.during(self._connection, self._properties, skill, recorder) as watch,
            ):
                return await self._execution(skill, command).end(recorder, watch)
        except TimeoutError as error:
            _, held = self._executions.get(command.command_id, (0, None))
            so = "it is not begun" if held is None or held.unsent else "it may still go on"
            raise ResourceUnavailable(
                f"{self.name}: {command.capability} has not ended within {command.timeout_s:g} s; {so}."
            ) from error

    async def ask(self, command: Command) -> Answer:
        """Say that it goes on, where this process waits for it; the server itself cannot be asked."""
        _, execution = self._executions.get(command.command_id, (0, None))
        if execution is None or execution.lost or execution.outcome is not None:
            return CannotTell(
                reason="its server gives executions ids of its own, and this process waits for none of it"
            )
        return Running()

    async def stop(self) -> None:
        """Call the stop command, or cancel everything; what waits to be sent will not be.

        Where the connection is lost, it is called on a new one.
        """
        for _, execution in self._executions.values():
            execution.withdraw()
        if self._stop is None:
            raise ResourceUnavailable(
                f"{self.name} declares no stop, and its server no CancelController. Stop it at the device."
            )
        try:
            try:
                await _call(self._connection, *self._stop)
            except Lost:
                async with self._connection.anew() as connection:
                    await _call(connection, *self._stop)
        except Refused as error:
            raise ResourceUnavailable(f"{self.name} refused to stop: {error}. Stop it at the device.") from error
        except Lost as error:
            raise self._connection.unavailable(error) from error

    def _execution(self, skill: Skill, command: Command) -> Execution:
        """Return the execution of a command, which is sent now where this process has not sent it.

        One that got lost is sent again in a newer epoch only: somebody has decided that it never ran.
        """
        epoch, held = self._executions.get(command.command_id, (command.epoch, None))
        if held is None or held.unsent or (held.lost and command.epoch > epoch):
            held = Execution(self._connection, skill, command)
        self._executions[command.command_id] = (max(epoch, command.epoch), held)
        return held

    def _skill(self, command: Command) -> Skill:
        skill = self._skills.get(command.capability)
        if skill is None:
            raise InvalidInput(f"{self.name} has no capability {text(command.capability)[:60]}.")
        return skill


def _skills(connection: Connection) -> list[Skill]:
    """Read what the file chooses, which must fit; or else whatever the server has that Labwright can send."""
    chosen = connection.options.capabilities
    if chosen is not None:
        return [Skill.read(connection, name, part) for name, part in chosen.items()]
    skills, reasons = [], []
    for name, part in every_command(connection).items():
        try:
            skills.append(Skill.read(connection, name, part))
        except InvalidInput as error:
            reasons.append(str(error))
            log.info("Not offered: %s", error)
    if not skills:
        raise InvalidInput(
            f"{connection.name}: the server has no command that can be used. {' '.join(reasons)}".strip()
        )
    return skills


def _stop(connection: Connection) -> tuple[Feature, Order] | None:
    """Find the stop command: the file's, or else the one that cancels everything."""
    path = connection.options.stop
    if path is not None:
        feature, order = connection.command(path)
        if order.parameters:
            raise InvalidInput(f"{connection.name}.stop: {path} takes parameters; a stop must not need any.")
        return feature, order
    found = [
        (feature, order)
        for feature in connection.features
        for order in feature.definition.orders
        if feature.definition.id.startswith(CANCEL[0]) and order.name == CANCEL[1] and not order.parameters
    ]
    return found[0] if found else None


async def _call(connection: Connection, feature: Feature, order: Order) -> None:
    """Call a command without parameters; an observable one has until the time limit to end, and then goes on."""
    within_s = connection.options.timeout_s
    answer = await connection.order(feature, order.name, feature.message(f"{order.name}_Parameters", {}), within_s)
    if not order.observable:
        return
    execution = feature.execution(answer.commandExecutionUUID.value)
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            await connection.order(feature, f"{order.name}_Result", execution, within_s)
            return
        except NotFinished:
            await asyncio.sleep(PAUSE_S)
