"""Keeps a guard and the record together: who armed it, tripped it or reset it, and what it refused."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from labwright.core.errors import InvalidTransition, Overtaken, PlatformError, ResourceUnavailable, StorageUnavailable
from labwright.core.person import Person
from labwright.safety.monitor import Past
from labwright.sites.guard import Guard, limits_of
from labwright.storage.database.thread import StorageThread
from labwright.storage.guards import GuardRecord, Guards, GuardState

LOOK_S = 0.2
log = logging.getLogger(__name__)


class Duty:
    """One guard at work in this process, by the record of one database.

    The record only ever lets less pass by itself: a database that is gone changes nothing at the instrument, and what
    was stopped or tripped meanwhile is recorded when it is there again.
    """

    def __init__(self, guard: Guard, guards: Guards, storage: StorageThread, worker: str) -> None:
        self._guard, self._guards, self._storage, self._worker = guard, guards, storage, worker
        self._thing = guard.place.thing
        self._armed_by: int | None = None  # the serial of the arming that it goes by
        self._tripped_by: int | None = None  # and of the trip that is on record
        self._seen = 0
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Take up the guard's post; what an earlier process was armed for is over, and a trip stays."""
        record = await self._storage(self._guards.find, self._thing)
        past = Past() if record is None else Past(version=record.version, digest=record.digest)
        await self._guard.begin(past)
        if record is not None and record.state is GuardState.ARMED and record.worker is not None:
            with suppress(ResourceUnavailable):  # then it is tripped, and tried again
                await self._guard.stop()
            await self._record(self._guards.disarm, why="the process that served it has ended")
        if record is not None and record.state is GuardState.TRIPPED:
            self._tripped_by = record.serial
            await asyncio.to_thread(self._guard.trip, record.why or "tripped")
        self._task = asyncio.create_task(self._keep())

    async def end(self) -> None:
        """Bring an armed instrument to its safe state, and put on record that nothing passes."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._guard.end()
        with suppress(StorageUnavailable):
            await self._flush()
            if self._armed_by is not None:
                await self._record(self._guards.disarm, why="the process that served it has ended", worker=self._worker)

    async def _keep(self) -> None:
        while True:
            try:
                await self._look()
            except StorageUnavailable:  # those who work here say so
                pass
            except Exception:  # it must go on looking
                log.exception("The record of %s cannot be followed", self._guard.name)
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        record = await self._storage(self._guards.find, self._thing)
        await self._follow_trips(record)
        if self._armed_by is not None:
            await self._follow_arming(record)
        elif record is not None and record.state is GuardState.ARMED and record.serial > self._seen:
            self._seen = record.serial
            if record.worker is None and record.fresh:
                await self._arm(record)
        await self._flush()

    async def _follow_trips(self, record: GuardRecord | None) -> None:
        situation = self._guard.situation
        trips = () if situation is None else situation.trips
        if trips and self._tripped_by is None:
            self._tripped_by = (await self._tripped(trips[0].reason)).serial
        elif record is not None and record.state is GuardState.TRIPPED and not trips:
            self._tripped_by = record.serial
            await asyncio.to_thread(self._guard.trip, record.why or "tripped")
        elif trips and record is not None and self._tripped_by is not None and record.serial > self._tripped_by:
            await self._reset(record)

    async def _reset(self, record: GuardRecord) -> None:
        """Follow what two people have put on record, unless the cause is still there."""
        first, _, second = record.by.partition(" and ")
        try:
            self._guard.reset(_person(first), _person(second or first))
            self._tripped_by = None
        except PlatformError as error:
            self._tripped_by = (await self._tripped(str(error))).serial

    async def _follow_arming(self, record: GuardRecord | None) -> None:
        situation = self._guard.situation
        if record is None or record.serial != self._armed_by or record.state is not GuardState.ARMED:
            self._guard.disarm()
            self._armed_by = None
            return
        if await asyncio.to_thread(self._guard.has_changed):
            await self._disarm("its limits file has changed since")
        elif situation is None or situation.armed is None:
            await self._disarm("it was stopped")

    async def _disarm(self, why: str) -> None:
        self._guard.disarm()
        await self._record(self._guards.disarm, why=why, worker=self._worker)
        self._armed_by = None

    async def _arm(self, record: GuardRecord) -> None:
        try:
            keys = await self._storage(self._guards.keys)
            limits = await asyncio.to_thread(limits_of, self._guard.place, list(keys))
            within_s = max((c.dose.window_s for c in limits.channels.values() if c.dose), default=0.0)
            if within_s:
                self._guard.recall(limits, await self._storage(self._guards.sent, self._thing, within_s))
            by = _person(record.by)
            await asyncio.to_thread(
                lambda: self._guard.arm(limits, digest=record.digest, mode=record.mode, motion=record.motion, by=by)
            )
            taken = await self._storage(self._guards.take_up, record, self._worker)
            self._armed_by = taken.serial
        except (Overtaken, InvalidTransition):  # somebody was faster, or it has tripped: the next look tells
            self._guard.disarm()
        except StorageUnavailable:
            self._guard.disarm()
            self._seen = 0
            raise
        except PlatformError as error:
            self._guard.disarm()
            await self._record(self._guards.disarm, why=f"it could not be armed: {error}")

    async def _tripped(self, why: str) -> GuardRecord:
        self._armed_by = None
        told = {"instrument": self._guard.place.instrument, "why": why, "by": "the monitor"}
        return await self._storage(lambda: self._guards.trip(self._thing, **told))

    async def _record(self, change: Callable[..., GuardRecord], **told: str) -> None:
        await self._storage(lambda: change(self._thing, by="the monitor", **told))

    async def _flush(self) -> None:
        waiting = self._guard.refusals
        while waiting:
            body = waiting[0]
            await self._storage(self._guards.refused, self._thing, body)
            waiting.popleft()


def _person(name: str) -> Person:
    """Return a person who has shown who they are: the record took their word on nothing less."""
    return Person(name=name, secret="", added_at="")
