"""What an arm's backend must be able to do; names of places only, never coordinates."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a backend is told as it starts: its limits, and where each thing is believed to be, as far as known."""

    speed_m_s: float
    force_n: float
    things: Mapping[str, str]


class Driver(Protocol):
    """An arm with a hand. Each call returns when what it asks for has happened, and raises where it has not.

    OSError, EOFError and TimeoutError say that nobody knows; anything else, that it has failed in the middle.
    """

    @property
    def places(self) -> Collection[str]:
        """The names that it knows."""
        ...

    async def start(self, start: Start) -> None:
        """Connect, and keep to the limits from now on."""
        ...

    async def go_above(self, place: str) -> None:
        """Bring the hand over a place, on a way that is free of what stands on other places."""
        ...

    async def go_to(self, place: str) -> None:
        """Bring the hand from above a place down to it."""
        ...

    async def open_fingers(self) -> None:
        """Open the fingers."""
        ...

    async def close_fingers(self) -> None:
        """Close the fingers, as far as what is between them lets them."""
        ...

    async def is_holding(self) -> bool:
        """Ask the device, by force or by the fingers' width, whether something is between them; never a flag."""
        ...

    async def stop(self) -> None:
        """Halt all motion within 100 ms, also while another call goes on, which ends then; what is held stays held."""
        ...

    async def end(self) -> None:
        """Disconnect."""
        ...


CALLS = ("start", "go_above", "go_to", "open_fingers", "close_fingers", "is_holding", "stop", "end")
