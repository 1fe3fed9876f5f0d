"""An event loop whose time is counted, not waited for."""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

LONGEST_S = 6 * 3600.0


class Stuck(Exception):
    """Nothing can happen any more, or nothing ends."""


class VirtualSelector(selectors.SelectSelector):
    """Where others would wait, time goes on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time pass; nothing ever comes from outside."""
        if timeout is None:
            raise Stuck("nobody waits for anything that will happen")
        self.now += max(timeout, 0.0)
        if self.now > LONGEST_S:
            raise Stuck(f"it did not end within {LONGEST_S:g} s")
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what waits in no time at all, always in the same order; it has one thread and gets no signals."""

    def __init__(self) -> None:
        self._virtual = VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the seconds since the loop began."""
        return self._virtual.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """Call the function here and now."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:  # type: ignore[override]
        """Do nothing: there are no signals."""

    def remove_signal_handler(self, sig: int) -> bool:
        """Do nothing: there are no signals."""
        return False
