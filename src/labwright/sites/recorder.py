"""What the worker hands to a resource: where one run's progress, files, samples and tasks go."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from labwright.core.command import Outcome
from labwright.core.run import Run
from labwright.core.task import Task
from labwright.core.telemetry import Channel, Streaming
from labwright.sites.stream import streaming
from labwright.storage.database.thread import StorageThread
from labwright.storage.objects import Objects
from labwright.storage.tasks import Tasks
from labwright.storage.telemetry import Telemetry


class RunRecorder:
    """The recorder of one run. `poll_s`: how often it looks whether somebody has reported."""

    def __init__(
        self,
        run: Run,
        *,
        tasks: Tasks,
        objects: Objects,
        telemetry: Telemetry,
        storage: StorageThread,
        watcher_progress: Callable[[float, str], None],
        poll_s: float = 1.0,
    ) -> None:
        self._run = run
        self._tasks = tasks
        self._objects = objects
        self._telemetry = telemetry
        self._storage = storage
        self._progress = watcher_progress
        self._poll_s = poll_s

    def progress(self, fraction: float, text: str = "") -> None:
        """Show how far the run is."""
        self._progress(fraction, text)

    async def keep(self, name: str, data: bytes) -> str:
        """Store a file of the run; it is on disk when its reference is returned."""
        return await self._storage(self._objects.put, data)

    async def fetch(self, reference: str) -> Path:
        """Return where a file lies that an earlier step gave; one that has changed since raises LedgerBroken."""
        await self._storage(self._objects.get, reference)
        path = self._objects.find(reference)
        assert path is not None
        return path.absolute()

    async def task(self, task: Task) -> Outcome:
        """Put a task before people, once for each command, and wait for what they report."""
        run = self._run
        posted = await self._storage(self._tasks.put, run.command_id, run.campaign, run.trials, run.resource, task)
        self._progress(0.0, f"waits for {posted}")
        while True:
            outcome = await self._storage(self._tasks.answered, run.command_id)
            if outcome is not None:
                return outcome
            await asyncio.sleep(self._poll_s)

    def stream(self, channels: Sequence[Channel]) -> Streaming:
        """Open channels of the run; their samples are on record when the stream is left, most of them before."""
        return streaming(self._run, channels, self._telemetry, self._storage)
