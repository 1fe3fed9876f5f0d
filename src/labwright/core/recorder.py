"""What an adapter may tell of the command that it carries out."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from labwright.core.command import Failure, Outcome
from labwright.core.task import Task


class Recorder(Protocol):
    """Where an adapter tells of one command: how far it is, its files, what people must do; it never sees storage."""

    def progress(self, fraction: float, text: str = "") -> None:
        """Report the part that is done, 0 to 1, and a few words."""
        ...

    async def keep(self, name: str, data: bytes) -> str:
        """Store a file of the command and return its reference, for `Observation.objects`."""
        ...

    async def task(self, task: Task) -> Outcome:
        """Put a task before people, once for each command, and wait for what they report, if need be for days."""
        ...


@dataclass(kw_only=True)
class Silent:
    """A recorder that keeps nothing but the last report."""

    fraction: float = 0.0
    text: str = field(default="")

    def progress(self, fraction: float, text: str = "") -> None:
        """Remember the last report."""
        self.fraction, self.text = fraction, text

    async def keep(self, name: str, data: bytes) -> str:
        """Return the reference that the file would have."""
        return f"sha256:{sha256(data).hexdigest()}"

    async def task(self, task: Task) -> Outcome:
        """Nobody is there to do it."""
        return Failure(reason=f"nobody is there to do {task.title!r}")
