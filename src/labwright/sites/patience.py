"""How long to wait before looking again: soon after something happened, then less and less often."""

import asyncio
from contextlib import suppress

SHORTEST_S = 0.005
GROWTH = 1.5


class Patience:
    """Waits for a wake-up, or for a time that grows from look to look, up to `longest_s`."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._wait_s = min(SHORTEST_S, longest_s)
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look now."""
        self._awake.set()

    def renew(self) -> None:
        """Something happened: look again soon."""
        self._wait_s = min(SHORTEST_S, self._longest_s)

    async def rest(self) -> None:
        """Wait until it is time to look again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait_s):
                await self._awake.wait()
        self._awake.clear()
        self._wait_s = min(self._wait_s * GROWTH, self._longest_s)
