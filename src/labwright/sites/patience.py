"""How long to wait before looking again: soon after something happened, then less and less often."""

import asyncio
import logging
from contextlib import suppress

from labwright.core.errors import StorageDamaged, StorageUnavailable

SHORTEST_S = 0.005
GROWTH = 1.5
log = logging.getLogger(__name__)


class Patience:
    """Waits for a wake-up, or for a time that grows from look to look, up to `longest_s`."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._wait_s = min(SHORTEST_S, longest_s)
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look now."""
        self._awake.set()

    @property
    def is_worn(self) -> bool:
        """Whether nothing has happened for so long that looks are as rare as they get."""
        return self._wait_s >= self._longest_s

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


class Endurance:
    """Bears that the database cannot be used, for so long; what is in hand is kept meanwhile. None: without end."""

    FIRST_S, LONGEST_S = 0.2, 10.0

    def __init__(self, longest_s: float | None) -> None:
        self._longest_s = longest_s
        self._began: float | None = None
        self._wait_s = self.FIRST_S

    def over(self) -> None:
        """The database can be used again."""
        if self._began is not None:
            log.warning("The database can be used again.")
        self._began, self._wait_s = None, self.FIRST_S

    async def bear(self, error: StorageUnavailable) -> None:
        """Wait before another try; once that has lasted too long, or cannot help, raise the error."""
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = now
            until = "" if self._longest_s is None else f" for {self._longest_s:g} s"
            log.warning("%s Nothing new is begun; trying again%s.", error, until)
        if isinstance(error, StorageDamaged):
            raise error
        if self._longest_s is not None and now - self._began >= self._longest_s:
            raise error
        await asyncio.sleep(self._wait_s)
        self._wait_s = min(self._wait_s * 2, self.LONGEST_S)
