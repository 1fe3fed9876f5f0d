"""Several proposals at once: each is chosen as if the ones before it were already running."""

from collections.abc import Callable, Sequence

from labwright.core.errors import PoolExhausted
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial


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
