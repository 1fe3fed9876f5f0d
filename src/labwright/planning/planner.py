"""The contract of a planner."""

from collections.abc import Sequence
from typing import Protocol

from labwright.core.problem import Problem
from labwright.core.trial import Proposal, Trial


class Planner(Protocol):
    """Chooses what to try next; a pure function of its arguments.

    One that heeds `Problem.beliefs` and `Problem.sources`, and notes what is left to gain among the grounds of its
    proposals, has the class attribute `learns = True`; a campaign file may say `beliefs`, `sources` and `stop` to no
    other.
    """

    def propose(
        self, problem: Problem, history: Sequence[Trial], pending: Sequence[Trial], count: int, *, seed: int
    ) -> list[Proposal]:
        """Return `count` proposals, fewer when a pool runs out; an empty pool raises PoolExhausted.

        `history` holds every trial that has ended: observed, failed and refused alike. The same arguments give the same
        proposals. No proposal repeats a pending, a refused or a failed point; in a pool, no observed one either.
        """
        ...
