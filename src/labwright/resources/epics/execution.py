"""One command as this process has sent it: it is sent once, and whoever asks for its end gets the same."""

import asyncio
import contextlib
import time
from collections.abc import Mapping

from labwright.core.command import Command, Failure, Outcome
from labwright.core.errors import ResourceUnavailable
from labwright.core.recorder import Recorder, Silent
from labwright.core.values import Value, show
from labwright.resources.epics.connection import Connection
from labwright.resources.epics.engineering import Pv
from labwright.resources.epics.options import Phase
from labwright.resources.epics.skill import Setting, Skill, Unfit, mark
from labwright.resources.epics.standing import Standing
from labwright.resources.epics.wire import Lost, Refused

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.25
STOPPED = "it was stopped"


class GivenUp(Exception):
    """Nothing more is to be put; what was put has been carried out."""


class Execution:
    """`outcome` is what came of it, once that is known; `lost`: something was put, and the end could not be known.

    `doubtful`: this process, or an earlier one, may have sent it already.
    """

    def __init__(
        self,
        connection: Connection,
        skill: Skill,
        command: Command,
        turns: Mapping[str, asyncio.Lock],
        *,
        doubtful: bool = False,
    ) -> None:
        self._connection, self._skill, self._command, self._turns = connection, skill, command, turns
        self._doubtful = doubtful
        self.outcome: Outcome | None = None
        self.sent = self.lost = doubtful
        self._withdrawn = self._stopped = False
        self._waiting = 0
        self._recorder: Recorder = Silent()
        self._task = asyncio.create_task(self._whole())
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())  # it may never be fetched

    @property
    def unsent(self) -> bool:
        """Whether nothing of it was put, nor will be."""
        return self.outcome is None and not self.sent and (self._withdrawn or self._task.done())

    @property
    def goes_on(self) -> bool:
        """Whether this process waits for its end."""
        return not self._task.done()

    async def end(self, recorder: Recorder) -> Outcome:
        """Wait for its end; raises ResourceUnavailable where that cannot be known."""
        if self.outcome is not None:
            return self.outcome
        self._recorder = recorder
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        except asyncio.CancelledError:
            if self._task.cancelled() and self.outcome is not None:
                return self.outcome  # it was stopped before its task had begun
            raise
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.withdraw()  # nobody waits for it any more, so nothing more of it must be put

    def withdraw(self) -> None:
        """Put nothing more of it; what was put is waited for."""
        self._withdrawn = True
        if not self.sent:
            self._task.cancel()

    def hold(self) -> None:
        """Put nothing more of it, for the device is about to be stopped."""
        self._stopped = True
        if self.goes_on and not self.sent:
            self.outcome = Failure(reason=f"{STOPPED} before it was sent")
        self.withdraw()

    def stop(self) -> None:
        """End what was held: the device has been put to its safe state."""
        if self._stopped:
            self._task.cancel()

    async def close(self) -> None:
        """Wait no longer; what has been put goes on."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _whole(self) -> Outcome:
        try:
            self.outcome = await self._carry_out()
        except (Unfit, Refused) as error:
            self.outcome = Failure(reason=str(error))
        except GivenUp:
            self.outcome = Failure(reason=f"{STOPPED} while its inputs were put")
        except asyncio.CancelledError:
            self.lost = self.sent
            if not self._stopped:
                raise
            self.outcome = Failure(reason=STOPPED if self.sent else f"{STOPPED} before it was sent")
        except ResourceUnavailable:
            self.lost = self.sent
            raise
        self.lost = False
        return self.outcome

    async def _carry_out(self) -> Outcome:
        values = self._skill.values(self._command)
        async with contextlib.AsyncExitStack() as stack:
            for source in sorted({pv.source for pv in self._skill.puts}):
                await stack.enter_async_context(self._turns[source])
            await self._reach()
            if self._skill.state is None:
                await self._set(values)
                await self._begin(complete=True)
                return self._skill.outcome(await self._connection.read(self._skill.outputs))
            return await self._followed(values)

    async def _followed(self, values: Mapping[str, Value]) -> Outcome:
        """Carry it out where a state says when it has ended."""
        ours = mark(self._command)
        standing = Standing(self._connection, self._skill, ours)
        with standing.followed():
            await standing.known()
            held = standing.holds is not None and standing.holds == ours
            if held:
                self.sent = True
            elif self._doubtful:
                raise self._unknown("the IOC does not hold it")
            else:
                await standing.free()
                standing.begin()
                await self._set(values)
                if self._skill.start is not None:
                    standing.begin()
                    await self._begin(complete=False)
            phase = await standing.end(lambda done, text: self._recorder.progress(done, text), taken_up=held)
            if phase is Phase.FAILED:
                return Failure(reason=standing.reason)
        return self._skill.outcome(await self._connection.read(self._skill.outputs))

    async def _reach(self) -> None:
        try:
            await self._connection.read(self._skill.puts)
        except ResourceUnavailable as error:
            raise ResourceUnavailable(f"{error} {self._command.capability} is not begun.") from error

    async def _set(self, values: Mapping[str, Value]) -> None:
        """Put the inputs in their order; each must be carried out, and shown by its readback, before the next."""
        for number, setting in enumerate(self._skill.settings):
            name = setting.input.name
            self._recorder.progress(0.0, f"setting {name} ({number + 1} of {len(self._skill.settings)})")
            await self._put(setting.pv, values[name], complete=True)
            await self._settled(setting, values[name])

    async def _begin(self, *, complete: bool) -> None:
        """Put to start."""
        if self._skill.start is None:
            return
        try:
            await self._put(self._skill.start, self._skill.order(self._command), complete=complete)
        except ResourceUnavailable:
            if self._skill.held is None:
                raise  # otherwise the IOC says whether it holds it

    async def _put(self, pv: Pv, value: Value, *, complete: bool) -> None:
        if self._withdrawn:
            raise GivenUp
        self.sent = True
        try:
            await self._connection.put(pv, value, complete=complete, at_least_s=self._command.timeout_s or 0)
        except Lost as error:
            raise self._unknown(f"{show(value)} was put to {pv.source}, and the connection broke ({error})") from error

    async def _settled(self, setting: Setting, wanted: Value) -> None:
        """Wait until the readback agrees; one that does not raises Unfit."""
        settle_s = self._connection.options.settle_s
        deadline, pause_s = time.monotonic() + settle_s, FIRST_PAUSE_S
        while True:
            try:
                [found] = await self._connection.read([setting.readback])
            except ResourceUnavailable as error:
                raise self._unknown(str(error)) from error
            if setting.agrees(wanted, found):
                return
            if time.monotonic() > deadline:
                raise Unfit(
                    f"{setting.input.name} was put as {show(wanted)}, but after {settle_s:g} s"
                    f" {setting.readback.source} shows {show(found.value)}, {found.alarm}"
                )
            await asyncio.sleep(pause_s)
            pause_s = min(1.5 * pause_s, LONGEST_PAUSE_S)

    def _unknown(self, why: str) -> ResourceUnavailable:
        return ResourceUnavailable(
            f"{self._connection.name}: {self._command.capability}: {why}; it is not known what came of it. Look at the"
            " device."
        )
