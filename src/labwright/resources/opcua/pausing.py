"""How long to wait between two looks at a server."""

import asyncio

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.01, 0.25


class Pause:
    """Waits a little longer each time."""

    def __init__(self) -> None:
        self._next_s = FIRST_PAUSE_S

    async def __call__(self) -> None:
        """Wait."""
        await asyncio.sleep(self._next_s)
        self._next_s = min(1.5 * self._next_s, LONGEST_PAUSE_S)
