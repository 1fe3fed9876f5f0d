"""Says what a campaign waits for that does not come by itself: people, and processes that serve its resources."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

from labwright.core.errors import StorageUnavailable
from labwright.core.states import RunState
from labwright.storage.approvals import Approvals
from labwright.storage.database.thread import StorageThread
from labwright.storage.presence import Presence
from labwright.storage.runs import Runs
from labwright.storage.tasks import Tasks

LOOK_S = 1.0
STRANGE_S = 3.0  # a run that is queued for so long without anybody at its resource is not just about to be taken


class Waits:
    """Tells of each thing that a campaign waits for once, as it comes.

    `place`: what to type after a command so that it acts on this database from here. `worker`: the command that serves
    what this process does not; None where it serves all by itself.
    """

    def __init__(
        self,
        campaign: str,
        *,
        tasks: Tasks,
        approvals: Approvals,
        runs: Runs,
        presence: Presence,
        storage: StorageThread,
        tell: Callable[[str], None],
        place: str,
        worker: str | None,
    ) -> None:
        self._campaign = campaign
        self._tasks = tasks
        self._approvals = approvals
        self._runs = runs
        self._presence = presence
        self._storage = storage
        self._tell = tell
        self._place = place
        self._worker = worker
        self._told: set[str] = set()
        self._since: dict[int, float] = {}
        self._unserved: dict[str, int] = {}

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tell of what is waited for, as long as the block lasts."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            with suppress(StorageUnavailable):  # who conducts says so
                for text in await self._storage(lambda: list(self._for_people())):
                    if text not in self._told:
                        self._tell(text)
                    self._told.add(text)
                if self._worker is not None:
                    await self._look_for_workers()
            await asyncio.sleep(LOOK_S)

    def _for_people(self) -> Iterator[str]:
        for approval in self._approvals.waiting(self._campaign):
            if approval.missing:
                yield f"Waits until people approve {approval.name}. Look: labwright approvals{self._place}"
        for task in self._tasks.awaited_by(self._campaign):
            other = "" if task.campaign == self._campaign else f" of campaign {task.campaign}, which comes first"
            whom = "" if task.task.to.anybody else f", for {task.task.to}"
            yield f"Waits for people: {task}{whom}{other}. Look: labwright tasks{self._place}"

    async def _look_for_workers(self) -> None:
        alone = await self._storage(self._presence.unattended, self._campaign)
        now = asyncio.get_running_loop().time()
        self._since = {run: self._since.get(run, now) for run in alone}
        for resource, run in list(self._unserved.items()):
            if run not in alone:
                del self._unserved[resource]
                if (await self._storage(self._runs.get, run)).state is not RunState.CANCELLED:
                    self._tell(f"{resource} is served now.")
        new = {r: run for run, r in alone.items() if now - self._since[run] >= STRANGE_S and r not in self._unserved}
        if new:
            self._unserved |= new
            self._tell(f"No process serves {', '.join(sorted(new))}. In another terminal: {self._worker}")
