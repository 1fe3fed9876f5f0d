"""How a command stands, as the IOC's state says it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

from labwright.core.command import Answer, CannotTell, Done, Failure, Running
from labwright.core.errors import ResourceUnavailable
from labwright.core.telemetry import Quality
from labwright.core.units import convert
from labwright.core.values import is_number
from labwright.resources.epics.connection import Connection
from labwright.resources.epics.engineering import Pv
from labwright.resources.epics.options import Phase
from labwright.resources.epics.skill import Skill
from labwright.resources.epics.wire import Reading

LOOK_S = 0.25
ENDED = (Phase.DONE, Phase.FAILED)


class Standing:
    """Follows the state of one capability, and whose command it is of where the IOC says that.

    A state that was there before the command is never taken for its end: it must have changed since.
    """

    def __init__(self, connection: Connection, skill: Skill, mark: str) -> None:
        assert skill.state is not None
        self._connection, self._skill, self._mark, self._state = connection, skill, mark, skill.state
        self._pvs = [pv for pv in (skill.state, skill.held, skill.reason, skill.progress) if pv is not None]
        self._latest: dict[str, Reading | None] = {}
        self._known = asyncio.Event()
        self._changed = asyncio.Event()
        self._before: Phase | None = None
        self._has_changed = self._was_lost = False

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Follow it until it is left."""
        with self._connection.watched(self._pvs, self._take):
            yield

    async def known(self) -> None:
        """Wait until the IOC has told everything once; raises ResourceUnavailable."""
        options = self._connection.options
        try:
            async with asyncio.timeout(options.timeout_s + options.reconnect_s):
                await self._known.wait()
        except TimeoutError as error:
            raise ResourceUnavailable(
                f"{self._connection.name}: {self._state.source} cannot be read. Is its IOC running?"
            ) from error

    async def free(self) -> None:
        """Wait until no other command is under way; raises ResourceUnavailable."""
        deadline = time.monotonic() + self._connection.options.busy_s
        while self.phase in (Phase.RUNNING, None):
            if time.monotonic() > deadline:
                of = f" ({self.holds})" if self.holds else ""
                raise ResourceUnavailable(
                    f"{self._connection.name}: {self._state.source} shows {self._shown}{of}: it is busy with another"
                    " command; this one is not begun."
                )
            await self._look()

    def begin(self) -> None:
        """From now on a change of the state is this command's."""
        self._before, self._has_changed, self._was_lost = self.phase, False, False

    async def end(self, tell: Callable[[float, str], None], *, taken_up: bool = False) -> Phase:
        """Wait for the end; raises ResourceUnavailable where it cannot be known. `taken_up`: it had begun before."""
        self._has_changed = self._has_changed or taken_up
        start_s = self._connection.options.start_s
        lost_at, active = None, time.monotonic()
        while True:
            phase, now = self.phase, time.monotonic()
            if self._is_unknowable():
                raise self._unknown()
            if phase is None:
                lost_at = lost_at or now
                if now - lost_at > self._connection.options.reconnect_s:
                    raise self._unknown()
            else:
                lost_at = None
                late = now - active > start_s
                if phase in ENDED and self._is_ours(late=late):
                    return phase
                if phase is Phase.RUNNING and self._is_ours(late=False):
                    active = now
                    tell(self.fraction, phase)
                elif late:
                    raise self._unknown()
            await self._look()

    @property
    def phase(self) -> Phase | None:
        """What the state means now; None where it cannot be read or has no valid value."""
        reading = self._latest.get(self._state.source)
        return phase_of(self._connection, self._skill, reading)

    @property
    def holds(self) -> str | None:
        """The mark of the command that the IOC holds; None where it does not say."""
        pv = self._skill.held
        return None if pv is None else _text(self._latest.get(pv.source))

    @property
    def reason(self) -> str:
        """Why it failed, in the IOC's words."""
        pv = self._skill.reason
        return (_text(self._latest.get(pv.source)) if pv else "") or "the IOC says that it failed, and not why"

    @property
    def fraction(self) -> float:
        """How far it is, 0 to 1."""
        pv = self._skill.progress
        found = self._latest.get(pv.source) if pv else None
        if pv is None or found is None or not is_number(found.value):
            return 0.0
        assert isinstance(found.value, int | float)
        unit = pv.unit("progress") or "1"
        return min(max(convert(float(found.value), unit, "1", "progress"), 0.0), 1.0)

    @property
    def _shown(self) -> str:
        reading = self._latest.get(self._state.source)
        return "nothing" if reading is None else f"{reading.value!r} ({reading.status})"

    def _is_ours(self, *, late: bool) -> bool:
        if self._skill.held is None:
            return self._has_changed
        return self.holds == self._mark and (self._has_changed or late)

    def _is_unknowable(self) -> bool:
        """Whether the connection was lost where only an unbroken one tells whose state it is."""
        return self._was_lost and self._skill.held is None

    def _unknown(self) -> ResourceUnavailable:
        of = "" if self._skill.held is None else f" of {self.holds or 'no command'}"
        broke = ", and the connection was lost meanwhile" if self._was_lost else ""
        return ResourceUnavailable(
            f"{self._connection.name}: {self._skill.capability.name} was sent, and {self._state.source} shows"
            f" {self._shown}{of}{broke}; what came of it is not known. Look at the device."
        )

    def _take(self, pv: Pv, reading: Reading | None) -> None:
        if reading is None:
            self._was_lost = self._was_lost or pv.source in self._latest
        if reading is not None or pv.source in self._latest:
            self._latest[pv.source] = reading
        if len(self._latest) == len(self._pvs):
            self._known.set()
        if pv is self._state:
            self._note_phase(reading)
        self._changed.set()

    def _note_phase(self, reading: Reading | None) -> None:
        if reading is None or reading.quality is Quality.BAD:
            return
        phase = self._skill.part.phase(reading.value)
        self._has_changed = self._has_changed or (phase is not None and phase is not self._before)

    async def _look(self) -> None:
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):  # wait_for may swallow a cancellation in Python 3.11
                await self._changed.wait()


def phase_of(connection: Connection, skill: Skill, reading: Reading | None) -> Phase | None:
    """Return what a state means; None where it has no valid value. A word that nobody explained is an error."""
    if reading is None or reading.quality is Quality.BAD:
        return None
    phase = skill.part.phase(reading.value)
    if phase is None:
        source = skill.state.source if skill.state else "the state"
        raise ResourceUnavailable(
            f"{connection.name}: {source} says {reading.value!r}, and nothing says what that means. Add it under"
            f" `states:` as one of {', '.join(Phase)}."
        )
    return phase


async def stands(connection: Connection, skill: Skill, mark: str) -> Answer:
    """Ask the IOC about a command, of which this process knows nothing."""
    assert skill.state is not None and skill.held is not None
    pvs = [skill.state, skill.held, *([skill.reason] if skill.reason else [])]
    found = await connection.read(pvs)
    held = _text(found[1])
    if held != mark:
        holds = f"another command, {held}" if held else "no command: it may have restarted"
        return CannotTell(reason=f"the IOC holds {holds}")
    match phase_of(connection, skill, found[0]):
        case Phase.RUNNING:
            return Running()
        case Phase.FAILED:
            said = _text(found[2]) if skill.reason else ""
            return Done(outcome=Failure(reason=said or "the IOC says that it failed, and not why"))
        case Phase.DONE:
            return Done(outcome=skill.outcome(await connection.read(skill.outputs)))
        case _:
            return CannotTell(reason=f"the IOC holds this command, but its state is {found[0].value!r}")


def _text(reading: Reading | None) -> str:
    return "" if reading is None or reading.value is None else str(reading.value).strip()
