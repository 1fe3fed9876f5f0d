"""Whether a resource is to be had now, and if not, why: taken by hand, closed, booked, or lacking what must hold."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from labwright.core.availability import Availability, Busy, Condition, first_busy
from labwright.core.errors import InvalidInput, StorageUnavailable
from labwright.core.telemetry import Sample
from labwright.resources.calendars import read_calendar
from labwright.resources.resource import ReadsBack, Resource
from labwright.resources.stranger import guarded
from labwright.storage.database.thread import StorageThread
from labwright.storage.reservations import Reservation, Reservations

LOOK_S = 0.5  # how long what was read holds
READ_S = 5.0
AHEAD = timedelta(days=1)  # how far a calendar is read ahead

Readers = Mapping[str, Resource]


class Taken:
    """Who has taken what by hand, read at most every `LOOK_S`."""

    def __init__(self, reservations: Reservations, storage: StorageThread) -> None:
        self._reservations, self._storage = reservations, storage
        self._found: Mapping[str, Reservation] = {}
        self._at = -LOOK_S

    async def by_hand(self) -> Mapping[str, Reservation]:
        """Return it, by the thing."""
        if time.monotonic() - self._at >= LOOK_S:
            self._found, self._at = await self._storage(self._reservations.now), time.monotonic()
        return self._found


class Attendance:
    """Says why nothing is begun on one resource now, by what its campaign file says of when it is to be had.

    `readers`: the resources whose channels its needs name, by their names; `name` is its own.
    """

    def __init__(
        self,
        name: str,
        said: Availability,
        readers: Readers,
        folder: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._name, self._said, self._readers, self._folder, self._clock = name, said, readers, folder, clock
        self._busy: list[Busy] = []
        self._read_at: datetime | None = None
        self._stamps: list[float] = []
        self._needs: tuple[float, str | None] = (-LOOK_S, None)

    async def why_not(self) -> str | None:
        """Say why nothing is begun now; None where it may."""
        return await self.why_not_for(0.0) or await self._lacking()

    async def why_not_for(self, lasts_s: float) -> str | None:
        """Say why what lasts so long cannot begin now; None where it may."""
        now = self._clock()
        end = now + timedelta(seconds=lasts_s)
        if not self._said.is_open(now):
            return f"it is closed at this hour ({now.astimezone(self._said.timezone):%a %H:%M})"
        try:
            busy = first_busy(await asyncio.to_thread(self._calendars, now), now, max(end, now + timedelta(seconds=1)))
        except InvalidInput as error:
            return str(error)
        if busy is not None:
            until = busy.end.astimezone(self._said.timezone)
            return f"its calendar says {busy.why!r} until {until:%a %d %b %H:%M}"
        return None

    def _calendars(self, now: datetime) -> list[Busy]:
        paths = [self._folder / name for name in self._said.calendars]
        stamps = [path.stat().st_mtime if path.exists() else -1.0 for path in paths]
        fresh = self._read_at is not None and now - self._read_at < AHEAD / 2 and stamps == self._stamps
        if not fresh:
            start, end, zone = now - timedelta(minutes=1), now + 2 * AHEAD, self._said.timezone
            self._busy = [busy for path in paths for busy in read_calendar(path, start, end, zone)]
            self._read_at, self._stamps = now, stamps
        return self._busy

    async def _lacking(self) -> str | None:
        at, why = self._needs
        if self._said.needs and time.monotonic() - at >= LOOK_S:
            found = [_judged(need, await self._sample(need)) for need in self._said.needs]
            why = next((words for words in found if words is not None), None)
            self._needs = (time.monotonic(), why)
        return why

    async def _sample(self, need: Condition) -> Sample | None:
        reader = self._readers.get(need.resource or self._name)
        if not isinstance(reader, ReadsBack):
            return None
        reads: ReadsBack = reader
        try:
            async with asyncio.timeout(READ_S):
                return (await guarded(lambda: reads.read_back([need.channel]))).get(need.channel)
        except StorageUnavailable:
            raise
        except Exception:  # an adapter may raise anything; what cannot be read is not known
            return None


def _judged(need: Condition, found: Sample | None) -> str | None:
    try:
        return need.why_not(found)
    except InvalidInput as error:  # it is read in a unit that the condition cannot be held against
        return f"{need.text} is not known: {error}"
