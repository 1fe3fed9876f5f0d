"""One command as this process has sent it: it is sent once, and whoever asks for its end gets the same."""

import asyncio
import contextlib
import math
import time
from typing import Any

from labwright.core.command import Command, Failure, Outcome
from labwright.core.errors import ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.sila.connection import Connection
from labwright.resources.sila.skill import Skill
from labwright.resources.sila.watching import Watch
from labwright.resources.sila.wire import Denied, Forgotten, Lost, NotAccepted, NotFinished, Refused, Silent, Unfit

PAUSE_S = 0.1
WAITING = 0
FINISHED = (2, 3)


class Execution:
    """`outcome` is what came of it, once that is known; `lost`: it was sent, and its end could not be known."""

    def __init__(self, connection: Connection, skill: Skill, command: Command) -> None:
        self._connection, self._skill, self._command = connection, skill, command
        self.outcome: Outcome | None = None
        self.lost = self._sent = self._withdrawn = False
        self._waiting = 0
        self._sending: asyncio.Task[Any] | None = asyncio.create_task(self._send())
        self._sending.add_done_callback(lambda task: task.cancelled() or task.exception())  # it may never be fetched

    @property
    def unsent(self) -> bool:
        """Whether it was never sent, and will not be."""
        if self.outcome is not None or self._sent or self._sending is None:
            return False
        return self._withdrawn or self._sending.done()

    def withdraw(self) -> None:
        """Never send it, if it has not been sent yet."""
        self._withdrawn = not self._sent

    async def end(self, recorder: Recorder, watch: Watch) -> Outcome:
        """Wait for its end; raises ResourceUnavailable where that cannot be known."""
        if self._sending is None:
            assert self.outcome is not None
            return self.outcome
        self._waiting += 1
        try:
            self.outcome = await self._end(self._sending, recorder, watch)
        except ResourceUnavailable:
            self.lost = self._sent
            raise
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.withdraw()  # nobody waits for it any more, so it must not begin later
        self.lost, self._sending = False, None  # its answer may be large
        return self.outcome

    async def close(self) -> None:
        """Wait no longer; what has been sent goes on."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _end(self, sending: asyncio.Task[Any], recorder: Recorder, watch: Watch) -> Outcome:
        try:
            answer = await asyncio.shield(sending)
            if self._skill.order.observable:
                uuid = answer.commandExecutionUUID.value
                watch.follow_execution(self._skill, uuid)
                answer = await self._result(uuid, recorder)
        except (Refused, Unfit) as error:
            return Failure(reason=str(error))
        except Lost as error:
            raise ResourceUnavailable(
                f"{self._connection.name}: {self._skill.order.name} was sent, and the connection broke ({error}); it is"
                " not known whether it began, nor what came of it. Look at the device."
            ) from error
        return await self._skill.outcome(self._connection, answer, recorder)

    async def _send(self) -> Any:
        """Send it when the server accepts it; raises Unfit, Refused, Lost, or ResourceUnavailable where it was not."""
        message, options = self._skill.message(self._command), self._connection.options
        within_s = options.timeout_s
        if not self._skill.order.observable:
            within_s = max(options.answer_s, self._command.timeout_s or 0)
        deadline = time.monotonic() + options.busy_s
        while True:
            await self._reach()
            if self._withdrawn:
                raise Refused("it was stopped before it was sent")
            self._sent = True
            try:
                return await self._connection.order(self._skill.feature, self._skill.order.name, message, within_s)
            except NotAccepted as error:
                self._sent = False
                if time.monotonic() > deadline:
                    raise ResourceUnavailable(
                        f"{self._connection.name} does not accept {self._skill.order.name} now ({error}): not begun."
                    ) from error
            await asyncio.sleep(PAUSE_S)

    async def _reach(self) -> None:
        try:
            await self._connection.reach()
        except ResourceUnavailable as error:
            raise ResourceUnavailable(f"{error} {self._skill.order.name} is not begun.") from error

    async def _result(self, uuid: str, recorder: Recorder) -> Any:
        """Wait for the end and return the responses; raises Refused where the command failed."""
        feature, method = self._skill.feature, f"{self._skill.order.name}_Result"
        try:
            while True:
                await self._follow(uuid, recorder)
                try:
                    return await self._connection.consult(feature, method, feature.execution(uuid))
                except NotFinished:
                    await asyncio.sleep(PAUSE_S)
        except (Forgotten, Denied) as error:
            raise self._unknown(f"the server cannot say what came of it ({error}); it may have restarted") from error
        except ResourceUnavailable as error:
            raise self._unknown(f"the connection broke: {error}") from error

    async def _follow(self, uuid: str, recorder: Recorder) -> None:
        """Report how far it is, until it may have ended; one that is long quiet is followed anew."""
        feature, method = self._skill.feature, f"{self._skill.order.name}_Info"
        quiet_s = self._connection.options.timeout_s
        while True:
            told = self._connection.follow(feature, method, feature.execution(uuid), quiet_s=quiet_s)
            try:
                async with contextlib.aclosing(told):
                    async for info in told:
                        if info.commandStatus in FINISHED:
                            return
                        _report(recorder, info)
                return
            except Silent:
                await self._connection.reach()  # which finds a new connection where this one is dead
            except (Lost, Refused):
                return  # the result says more

    def _unknown(self, why: str) -> ResourceUnavailable:
        name, command = self._connection.name, self._command
        return ResourceUnavailable(
            f"{name}: what came of command {command.command_id} ({self._skill.order.name}) is not known: {why}"
        )


def _report(recorder: Recorder, info: Any) -> None:
    fraction = info.progressInfo.value if info.HasField("progressInfo") else 0.0
    known = fraction if math.isfinite(fraction) else 0.0
    recorder.progress(min(max(known, 0.0), 1.0), "waiting" if info.commandStatus == WAITING else "running")
