"""Several proposals at once: each is chosen as if the ones before it were already running."""

from collections.abc import Callable, Sequence

import numpy as np

from labwright.core.errors import PoolExhausted
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.inference.arrays import Array
from labwright.planning.encoding import Encoding

NEAR = 0.05  # of each number's range: two points that differ by less in all of them teach nearly the same
LAST = 1e9  # far below what any logarithm of a gain is worth


def one_by_one(count: int, pending: Sequence[Trial], choose: Callable[[Sequence[Trial]], Proposal]) -> list[Proposal]:
    """Return `count` choices, each made with the ones before it pending.

    Fewer when the pool runs out on the way; raises PoolExhausted when there is not even one.
    """
    chosen: list[Proposal] = []
    for _ in range(count):
        running = [Trial(number=0, proposal=p, state=TrialState.PROPOSED) for p in chosen]
        try:
            chosen.append(choose([*pending, *running]))
        except PoolExhausted:
            if not chosen:
                raise
            break
    return chosen


def apart(score: Callable[[Array], Array], encoding: Encoding, running: Sequence[Trial]) -> Callable[[Array], Array]:
    """Return a score of rows (n, d) by which those near a running trial come after all others."""
    if not running:
        return score
    reach = np.where(encoding.categorical, 0.5, NEAR)

    def of_apart(rows: Array) -> Array:
        near = np.zeros(len(rows), dtype=bool)
        for row in encoding.trials(running):
            near |= (np.abs(rows - row) < reach).all(axis=1)
        return score(rows) - LAST * near

    return of_apart
