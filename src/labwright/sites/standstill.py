"""What is not begun though it is ready, and why: each reason is told once, as it comes."""

import asyncio
import math
from collections.abc import Callable, Mapping

from labwright.core.run import Run

AGAIN_S = 1.0  # until a run is looked at again that was held back


class Standstill:
    """Things on which nothing begins now, and runs that wait for the state of their instrument."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._things: dict[str, str] = {}
        self._runs: dict[int, tuple[float, str]] = {}

    def note(self, held: Mapping[str, str]) -> None:
        """Take note of why nothing begins on some things, by their names."""
        for name, why in held.items():
            if self._things.get(name) != why:
                self._tell(f"{name} waits: {why}")
        self._things = dict(held)

    def hold_back(self, run: Run, rule: str, why: str) -> None:
        """Let a run wait; it is told of once for each rule that holds it back."""
        _, before = self._runs.get(run.id, (0.0, ""))
        if rule != before:
            self._tell(f"{run.resource} holds back run {run.id}: {why}")
        self._runs[run.id] = (_now() + AGAIN_S, rule)

    def is_waiting(self, run: Run) -> bool:
        """Whether it is too early to look at a run again."""
        return _now() < self._runs.get(run.id, (-math.inf, ""))[0]

    def let_go(self, run: Run) -> None:
        """Take note that nothing holds a run back any more."""
        self._runs.pop(run.id, None)


def _now() -> float:
    return asyncio.get_running_loop().time()
