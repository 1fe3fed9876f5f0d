"""A planner that proposes what it was told to."""

from collections.abc import Sequence

from labwright.core.errors import PoolExhausted
from labwright.core.problem import Problem
from labwright.core.trial import Proposal, Trial
from labwright.core.values import Point


class FakePlanner:
    """Proposes its points in order, one for each trial that there is."""

    def __init__(self, *points: Point) -> None:
        self._points = points

    def propose(
        self, problem: Problem, history: Sequence[Trial], pending: Sequence[Trial], count: int, *, seed: int
    ) -> list[Proposal]:
        """Return the next points; after the last, raise PoolExhausted."""
        begun = len(history) + len(pending)
        points = self._points[begun : begun + count]
        if not points:
            raise PoolExhausted("every point of the fake planner has been tried")
        return [Proposal(point=p, source="fake", reason=f"point {begun + i + 1}") for i, p in enumerate(points)]
