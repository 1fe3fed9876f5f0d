"""The contract of a resource, and of the plug-in that opens one."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from labwright.core.capability import Capability
from labwright.core.command import Answer, Command, Outcome
from labwright.core.recorder import Recorder
from labwright.core.telemetry import Sample
from labwright.core.values import Value
from labwright.resources.memory import Standing


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a person saw of what a resource handles. `happened`: whether its pending action did; `said`: what is so."""

    by: str
    why: str
    happened: bool | None = None
    said: Mapping[str, str] = field(default_factory=dict)


class Resource(Protocol):
    """An instrument, a simulator, a cluster, a partner lab or a person."""

    name: str

    def capabilities(self) -> Sequence[Capability]:
        """Say what it can do, with units and limits."""
        ...

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Carry out one command to its end.

        With a known `command_id` it takes up the same work; it never does it twice. What ended without a result is a
        Failure. ResourceUnavailable means that the end is not known: the caller asks. A `fenced` device raises
        StaleEpoch where it has seen a newer epoch of the command: another worker has taken it over.
        """
        ...

    async def ask(self, command: Command) -> Answer:
        """Say what became of a command: done, running, never started, or cannot tell.

        Never started is a promise: it will not begin later either. A `fenced` device keeps it by refusing, from now on,
        any epoch of this command older than the one that it was asked with.
        """
        ...

    async def stop(self) -> None:
        """Go to the declared safe state, now; always accepted, recorded after."""
        ...


@runtime_checkable
class ReadsBack(Protocol):
    """What a resource may offer besides, so that a monitor knows the state that it is in."""

    async def read_back(self, channels: Sequence[str]) -> Mapping[str, Sample]:
        """Return what these channels are now, as read from the device; one that cannot be read is left out."""
        ...


@runtime_checkable
class Settles(Protocol):
    """What a resource may offer besides, so that its safe state can be declared outside of it."""

    @property
    def settable(self) -> Collection[str]:
        """The channels that can be set so."""
        ...

    async def settle(self, state: Mapping[str, Value]) -> None:
        """Set these channels, in their own units, now and whatever else goes on; ResourceUnavailable where not."""
        ...


class ResourceKind(Protocol):
    """A class named by an entry point of the group `labwright.resources`."""

    Options: type[BaseModel]

    # Optional: `identity(options, folder) -> str`, a class method that names the physical thing, so that campaigns that
    # set it up differently still share it. Without it, only the same options in the same folder are the same thing.

    @classmethod
    def open(cls, name: str, options: BaseModel, folder: Path) -> AbstractAsyncContextManager[Resource]:
        """Connect to the resource; relative paths in the options start at `folder`.

        Raises ResourceUnavailable where it cannot be reached, and InvalidInput where an option is wrong.
        """
        ...


@runtime_checkable
class Remembering(Protocol):
    """A kind that remembers, besides, what it believes of the things that it handles; these are class methods."""

    def standing(self, name: str, options: Any, folder: Path) -> Standing:
        """Say what is believed, and what is in doubt; nothing is connected."""
        ...

    def settle(self, name: str, options: Any, folder: Path, seen: Seen) -> Standing:
        """Believe what a person saw; raises InvalidInput where it does not fit, ResourceUnavailable while in use."""
        ...
