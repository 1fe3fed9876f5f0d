"""The course of a command on a functional unit: begun once, followed to its end, and asked about."""

import time
from dataclasses import dataclass

from labwright.core.command import Answer, CannotTell, Command, Done, Failure, NeverStarted, Observation, Running
from labwright.core.errors import ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.opcua.connection import Connection
from labwright.resources.opcua.lads.outcome import has_files, keep, outcome, with_files
from labwright.resources.opcua.lads.program import Program
from labwright.resources.opcua.lads.results import Result, every_result
from labwright.resources.opcua.lads.unit import Moment, Stage, Unit
from labwright.resources.opcua.options import ServerOptions
from labwright.resources.opcua.pausing import Pause
from labwright.resources.opcua.wire import Lost, Refused

SETTLE_S = 2.0  # how long a request that was lost on its way may still arrive
AT_REST = (Stage.FREE, Stage.COMPLETE)


@dataclass(kw_only=True)
class Sent:
    """A command that this process has sent, and how often its unit was halted before.

    `arrived`: the unit has taken it up, as the run `run_id` where it says which, in the `session` of that number.
    `outcome`: what came of it.
    """

    epoch: int
    halts: int
    arrived: bool = False
    run_id: str = ""
    session: int = 0
    outcome: Observation | Failure | None = None


class Course:
    """What becomes of the commands for one program.

    The record is the unit's set of results, which hold the command's id. What this process has sent is remembered
    besides, for a unit may write its results at the end only.
    """

    def __init__(self, program: Program, options: ServerOptions) -> None:
        self._program, self._options = program, options
        self.unit, self.capability = program.unit, program.capability
        self._place = f"{program.unit.connection.name}: {program.unit.node}"
        self._sent: dict[str, Sent] = {}

    async def run(self, command: Command, recorder: Recorder) -> Observation | Failure:
        """Start it, unless the unit or this process knows it, and wait for its end; once its unit's turn is held."""
        sent = self._sent.get(command.command_id)
        if sent is not None and sent.outcome is not None:
            return sent.outcome
        result = await self._result(command)
        if result is None and (sent is None or not sent.arrived):
            if sent is not None and command.epoch <= sent.epoch:
                raise self._unknown(command, "it was sent, and the connection broke")
            refusal = await self._start(command)
            if refusal is not None:
                return refusal
        found = await self._end(command, result, recorder)
        if command.command_id in self._sent:
            self._sent[command.command_id].outcome = found
        return found

    async def ask(self, command: Command) -> Answer:
        """Look for a result of it and at the unit; files are for who runs it again, so until then it goes on."""
        sent = self._sent.get(command.command_id)
        if sent is not None and sent.outcome is not None:
            return Done(outcome=sent.outcome)
        now, results = await self.unit.now(), await every_result(self.unit)
        result = self._of(command, results)
        if result is None:
            return self._without_result(command, results, now)
        return await self._with_result(command, result, now)

    async def _with_result(self, command: Command, result: Result, now: Moment) -> Answer:
        active = now.run_id in ("", result.run_id)
        if now.stage is Stage.BUSY and active and not (result.ended and not now.run_id):
            return Running()
        if now.stage is Stage.ABORTED and now.run_id == result.run_id:
            return Done(outcome=_aborted(now))
        if not result.ended or (now.stage is Stage.ABORTED and active):
            return CannotTell(reason=f"{self._place}: it is not known how {result.name} ended; the unit is {now.words}")
        if await has_files(self.unit.connection, result):
            return Running()
        return Done(outcome=await self._outcome(command, result, now, seen=False))

    def _without_result(self, command: Command, results: list[Result], now: Moment) -> Answer:
        sent = self._sent.get(command.command_id)
        if sent is not None and sent.arrived and now.run_id in ("", sent.run_id):
            if now.stage is Stage.BUSY:
                return Running()
            if now.stage is Stage.ABORTED and now.run_id:
                return Done(outcome=_aborted(now))
        last = [r for r in results if now.run_id and r.run_id == now.run_id and r.tasks]
        alone = self._options.exclusive and self._options.capacity == 1
        if sent is None and alone and last and now.stage in AT_REST:
            return NeverStarted()  # nothing has begun since, for the unit still names the run of another command
        return CannotTell(
            reason=f"{self._place} holds no result of this command; it may not keep those of every run, and is"
            f" {now.words}"
        )

    async def _result(self, command: Command) -> Result | None:
        return self._of(command, await every_result(self.unit))

    def _of(self, command: Command, results: list[Result]) -> Result | None:
        """Return the result of a command; raises ResourceUnavailable where there are two."""
        found = [r for r in results if command.command_id in r.tasks]
        sent = self._sent.get(command.command_id)
        if not found and sent is not None and sent.run_id and sent.session == self.unit.connection.sessions:
            # The device does not write our id. A restarted one may give the id of a run a second time.
            found = [r for r in results if r.run_id == sent.run_id and not r.tasks]
        if len(found) > 1:
            names = ", ".join(r.name for r in found)
            raise self._unknown(command, f"there are several results of it: {names}")
        return found[0] if found else None

    async def _start(self, command: Command) -> Failure | None:
        """Start it when the unit is free; return the refusal if it is refused."""
        deadline, pause, halts = time.monotonic() + self._options.busy_s, Pause(), self.unit.halts
        while True:
            now = await self.unit.now()
            if self.unit.halts > halts:
                return Failure(reason="it was stopped before it was sent")
            if now.stage in AT_REST:
                refusal = await self._send(command, now)
                if refusal is None:
                    return None
                if (await self.unit.now()).stage is not Stage.BUSY:
                    return Failure(reason=refusal)
            if time.monotonic() > deadline:
                what = "is Aborted; clear it at the device" if now.stage is Stage.ABORTED else f"is busy: {now.words}"
                raise ResourceUnavailable(f"{self._place} {what}. Command {command.command_id} is not begun.")
            await pause()

    async def _send(self, command: Command, now: Moment) -> str | None:
        """Send it once; return why it is refused, if it is."""
        if now.stage is Stage.COMPLETE:
            await self.unit.reset()
        self._sent[command.command_id] = sent = Sent(epoch=command.epoch, halts=self.unit.halts)
        try:
            sent.run_id = await self._program.start(command)
        except Refused as error:
            del self._sent[command.command_id]
            return str(error)
        except Lost as error:
            sent.run_id = await self._arrived(command, now, error)
        sent.arrived, sent.session = True, self.unit.connection.sessions
        return None

    async def _arrived(self, command: Command, before: Moment, error: Exception) -> str:
        """After a lost order, go on only if the unit is seen to hold it; it is never sent twice."""
        deadline, pause = time.monotonic() + SETTLE_S, Pause()
        while time.monotonic() < deadline:
            result, now = await self._result(command), await self.unit.now()
            if result is not None:
                return result.run_id
            if self._options.exclusive and now.stage is Stage.BUSY and now.run_id not in ("", before.run_id):
                return now.run_id  # nobody else could have started it
            await pause()
        raise self._unknown(command, f"the connection broke while it was sent ({error})") from error

    async def _end(self, command: Command, result: Result | None, recorder: Recorder) -> Observation | Failure:
        """Wait for the end of a program that the unit has taken up."""
        pause, active, seen, session = Pause(), time.monotonic(), False, 0
        sent = self._sent.get(command.command_id)
        run_id = sent.run_id if sent and sent.run_id else result.run_id if result else ""
        while True:
            now = await self.unit.now()
            if self.unit.connection.sessions != session:  # a unit at rest may have restarted since, not ended
                seen, session = False, self.unit.connection.sessions
            ours = now.run_id in ("", run_id) or not run_id
            if ours and now.stage is Stage.BUSY:
                seen, active = True, time.monotonic()
                recorder.progress(now.progress, now.state)
            if ours and now.stage is Stage.ABORTED and (seen or now.run_id == run_id != ""):
                return _aborted(now)
            if not (now.stage is Stage.BUSY and now.run_id == run_id != ""):
                result = await self._result(command)
                if result is not None and not run_id:
                    run_id = result.run_id
                elif result is not None and (result.ended or (seen and ours and now.stage in AT_REST)):
                    return await self._ended(command, result, now, recorder, seen=seen and ours)
            if time.monotonic() - active > self._options.start_s:
                raise self._unknown(command, f"the unit is {now.words}, and holds no result of it that has an end")
            await pause()

    async def _ended(
        self, command: Command, result: Result, now: Moment, recorder: Recorder, *, seen: bool
    ) -> Observation | Failure:
        found = await self._outcome(command, result, now, seen=seen)
        if isinstance(found, Failure):
            return found
        try:
            return with_files(found, await keep(self.unit.connection, result, recorder))
        except Refused as error:
            return Failure(reason=f"a file of the result {result.name} cannot be read: {error}")

    async def _outcome(self, command: Command, result: Result, now: Moment, *, seen: bool) -> Observation | Failure:
        """Read the outcome; it is suspect where it is not known that the program came to its own end."""
        sent = self._sent.get(command.command_id)
        halted = sent is not None and self.unit.halts > sent.halts
        sure = not halted and (seen or (now.stage in AT_REST and now.run_id == result.run_id))
        program, connection = self._program, self.unit.connection
        return await outcome(connection, program.part, program.capability.outputs, result, sure=sure)

    def _unknown(self, command: Command, why: str) -> ResourceUnavailable:
        return ResourceUnavailable(
            f"{self._place}: what came of command {command.command_id} is not known: {why}. Look at the device."
        )


async def courses(connection: Connection, options: ServerOptions) -> dict[str, Course]:
    """Find the functional units and the programs that the file names."""
    units: dict[str, Unit] = {}
    found = {}
    for name, part in options.programs.items():
        node = part.functional_unit
        if node not in units:
            units[node] = await Unit.open(connection, node, part.stop)
        found[name] = Course(await Program.open(units[node], name, part), options)
    return found


def _aborted(now: Moment) -> Failure:
    return Failure(reason=f"the functional unit was aborted: it is {now.words}")
