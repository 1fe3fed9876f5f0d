"""What an adapter may tell of the command that it carries out."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from labwright.core.command import Failure, Outcome
from labwright.core.errors import NotFound
from labwright.core.task import Task
from labwright.core.telemetry import Channel, Gap, Quality, Stream, Streaming


class Recorder(Protocol):
    """Where an adapter tells of one command: how far it is, its files and samples, what people must do.

    It never sees storage.
    """

    def progress(self, fraction: float, text: str = "") -> None:
        """Report the part that is done, 0 to 1, and a few words."""
        ...

    async def keep(self, name: str, data: bytes) -> str:
        """Store a file of the command and return its reference, for `Observation.objects`."""
        ...

    async def fetch(self, reference: str) -> Path:
        """Return where a file lies that an earlier step gave, to be read only; one that is not here raises NotFound."""
        ...

    async def task(self, task: Task) -> Outcome:
        """Put a task before people, once for each command, and wait for what they report, if need be for days."""
        ...

    def stream(self, channels: Sequence[Channel]) -> Streaming:
        """Open these channels; what was added is on record when the stream is left."""
        ...


@dataclass(kw_only=True)
class Silent:
    """A recorder that keeps nothing but the last report, and the samples in memory."""

    fraction: float = 0.0
    text: str = field(default="")
    samples: list[tuple[str, float, object, Quality]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def progress(self, fraction: float, text: str = "") -> None:
        """Remember the last report."""
        self.fraction, self.text = fraction, text

    async def keep(self, name: str, data: bytes) -> str:
        """Return the reference that the file would have."""
        return f"sha256:{sha256(data).hexdigest()}"

    async def fetch(self, reference: str) -> Path:
        """There is none."""
        raise NotFound(f"There is no file {reference} here.")

    async def task(self, task: Task) -> Outcome:
        """Nobody is there to do it."""
        return Failure(reason=f"nobody is there to do {task.title!r}")

    @asynccontextmanager
    async def stream(self, channels: Sequence[Channel]) -> AsyncIterator[Stream]:
        """Keep what is added in lists."""
        yield self

    def add(self, channel: str, at: float, value: object, quality: Quality = Quality.GOOD) -> None:
        """Keep a sample as it came."""
        self.samples.append((channel, at, value, quality))

    def gap(self, gap: Gap) -> None:
        """Keep a gap."""
        self.gaps.append(gap)
