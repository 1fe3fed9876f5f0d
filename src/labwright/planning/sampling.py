"""Points spread evenly over the space: the first design, and the plan of one who trusts no model."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from pydantic import BaseModel

from labwright.core.errors import PoolExhausted
from labwright.core.problem import Problem
from labwright.core.space import Space
from labwright.core.trial import Proposal, Trial
from labwright.inference.arrays import Array
from labwright.planning.batch import one_by_one
from labwright.planning.candidates import Candidates, remaining
from labwright.planning.encoding import Encoding

ATTEMPTS = 1024
AT_ONCE = 16  # of them; the first is nearly always new


class SamplingPlanner:
    """Proposes the centre first, then the points of a scrambled Sobol sequence (Owen 1998), one for each trial."""

    class Options(BaseModel, extra="forbid", frozen=True):
        """It has none."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()

    def propose(
        self, problem: Problem, history: Sequence[Trial], pending: Sequence[Trial], count: int, *, seed: int
    ) -> list[Proposal]:
        """Return `count` proposals; see `Planner.propose`."""
        return one_by_one(count, pending, lambda running: sample(problem.space, [*history, *running], seed))


def sample(
    space: Space, tried: Sequence[Trial], seed: int, *, moved: Callable[[Array], Array] | None = None
) -> Proposal:
    """Return the point whose turn it is after the trials `tried`; see `SamplingPlanner`.

    In a pool it is the candidate nearest to that point. `moved` takes the point's row (d,) to where somebody expects
    the best. Raises PoolExhausted when nothing is left.
    """
    candidates = remaining(space, tried)
    if candidates is None:
        return _anywhere(space, tried, seed, moved)
    number = len(tried)
    unit = even(len(space.parameters), 1, seed, skip=number - 1) if number else _centre(len(space.parameters))
    target = candidates.encoding.spread(unit)[0]
    row = target if moved is None else moved(target)
    point = candidates.point(_nearest(candidates, row, np.random.default_rng([seed, number])))
    turn = _turn(number) if moved is None else _believed(number)
    return Proposal(point=point, source="sampling", reason=f"{turn}, or the candidate nearest to it")


def even(dimensions: int, count: int, seed: int, *, skip: int = 0) -> Array:
    """Return points (count, dimensions) of the scrambled Sobol sequence of that seed, after the first `skip`."""
    # Imported here because scipy.stats takes 0.4 s to load.
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, seed=np.random.default_rng(seed))
    if skip:
        sequence.fast_forward(skip)
    points: Array = sequence.random(count)
    return points


def _anywhere(
    space: Space, tried: Sequence[Trial], seed: int, moved: Callable[[Array], Array] | None = None
) -> Proposal:
    encoding, number = Encoding.of(space), len(tried)
    for unit in _spread(len(space.parameters), number, seed):
        row = encoding.spread(unit[None])[0]
        point = encoding.point(row if moved is None else moved(row))
        if all(t.proposal.point != point for t in tried):
            turn = _turn(number) if moved is None else _believed(number)
            return Proposal(point=point, source="sampling", reason=turn)
    raise PoolExhausted(f"Of {ATTEMPTS} points spread over the space each has been tried. Widen the space.")


def _spread(dimensions: int, number: int, seed: int) -> Iterator[Array]:
    """Yield the points (d,) of the unit cube that come after so many, the centre first of all."""
    if not number:
        yield _centre(dimensions)[0]
    for skip in range(0, ATTEMPTS, AT_ONCE):
        yield from even(dimensions, AT_ONCE, seed, skip=max(number - 1, 0) + skip)


def _centre(dimensions: int) -> Array:
    return np.full((1, dimensions), 0.5)


def _nearest(candidates: Candidates, target: Array, rng: np.random.Generator) -> int:
    """Return the candidate nearest to a row (d,); of equally near ones, one drawn at random: a table may be sorted."""
    away = candidates.rows - target
    distance = np.where(candidates.encoding.categorical, away != 0, away**2).sum(axis=1)
    return int(rng.choice(np.flatnonzero(distance <= distance.min() + 1e-12)))


def _believed(number: int) -> str:
    return "drawn from what people believe" if number else "where people believe the best to be"


def _turn(number: int) -> str:
    return f"point {number} of an even spread" if number else "the centre of the space"
