"""Serves the resources of every campaign at work, in a process that conducts none of them."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from itertools import count

from labwright.campaigns.signals import interruptible
from labwright.core.errors import InvalidInput, ResourceUnavailable, StorageUnavailable
from labwright.sites.post import Post
from labwright.sites.worker import Worker
from labwright.storage.database.thread import StorageThread
from labwright.storage.presence import Presence

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A resource that a campaign wants served: what it is called there, and how it is opened."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[Post]]


class Service:
    """Serves each resource until it is out of reach, and then again; one that is out of reach holds up no other."""

    def __init__(
        self,
        wanted: Callable[[], Mapping[str, Wanted]],
        worker: Callable[[Post], Worker],
        *,
        presence: Presence,
        storage: StorageThread,
        tell: Callable[[str], None],
    ) -> None:
        self._wanted = wanted
        self._worker = worker
        self._presence = presence
        self._storage = storage
        self._tell = tell
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._workers: dict[str, Worker] = {}
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Begin nothing more, and end when what is in flight has ended."""
        for worker in self._workers.values():
            worker.close()
        self._closing.set()

    async def stop(self) -> None:
        """Send every resource that is served to its safe state."""
        results = await asyncio.gather(*(w.stop() for w in self._workers.values()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                self._tell(str(result))

    async def serve(self, *, poll_s: float) -> None:
        """Serve whatever campaigns want, the new ones too, until closed."""
        beat = asyncio.create_task(self._beat())
        try:
            while not self._closing.is_set():
                await self._look(poll_s)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), poll_s)
            await asyncio.gather(*(w.landed() for w in self._workers.values()))
        finally:
            for task in (beat, *self._tasks.values()):
                task.cancel()
            await asyncio.gather(beat, *self._tasks.values(), return_exceptions=True)

    async def _look(self, poll_s: float) -> None:
        with suppress(StorageUnavailable):
            for key, wanted in (await self._storage(self._wanted)).items():
                if key not in self._tasks:
                    self._tasks[key] = asyncio.create_task(self._keep(key, wanted, poll_s))

    async def _keep(self, key: str, wanted: Wanted, poll_s: float) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            try:
                async with wanted.open() as post:
                    self._tell(f"Serving {wanted.name}.")
                    self._workers[key] = self._worker(post)
                    wait_s = FIRST_WAIT_S
                    await self._workers[key].serve(poll_s=poll_s)
            except (ResourceUnavailable, InvalidInput, StorageUnavailable) as error:
                self._tell(f"{wanted.name}: {error} Trying again in {wait_s:g} s.")
            except Exception as error:  # the outermost loop of a worker: an adapter may raise anything
                log.exception("%s cannot be served", wanted.name)
                self._tell(f"{wanted.name} cannot be served: {error} Trying again in {wait_s:g} s.")
            finally:
                self._workers.pop(key, None)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._presence.lease_s / 3)
            with suppress(StorageUnavailable):  # the lease then runs out, which is what a lease is for
                await self._storage(self._presence.beat)


async def attend(service: Service, *, poll_s: float, tell: Callable[[str], None]) -> None:
    """Serve until interrupted: once to end after the runs in flight, again to stop the instruments, then to leave."""
    serving, interrupts = asyncio.create_task(service.serve(poll_s=poll_s)), count(1)

    def interrupted() -> None:
        times = next(interrupts)
        if times == 1:
            tell("Ending after the runs in flight. Interrupt again to stop the instruments now.")
            service.close()
        elif times == 2:
            tell("Stopping the instruments now. Interrupt once more to leave without waiting.")
            stops.append(asyncio.create_task(service.stop()))
        else:
            serving.cancel()

    stops: list[asyncio.Task[None]] = []
    with interruptible(interrupted), suppress(asyncio.CancelledError):
        await serving
    await asyncio.gather(*stops)
