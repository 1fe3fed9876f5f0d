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
from labwright.planning.search import around

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
    encoding, number = candidates.encoding, len(tried)
    unit = even(encoding.dimensions, 1, seed, skip=number - 1) if number else _centre(encoding.dimensions)
    target = encoding.spread(unit)[0]
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
    used = encoding.keys_of(tried)
    for row in (row for rows in _spread(encoding, tried, seed) for row in rows):
        point = encoding.point(row if moved is None else moved(row))
        if encoding.key(point) not in used and not (space.restrictions and space.problems(point)):
            turn = _turn(number) if moved is None else _believed(number)
            return Proposal(point=point, source="sampling", reason=turn)
    if not space.restrictions:
        raise PoolExhausted(f"Of {ATTEMPTS} points spread over the space each has been tried. Widen the space.")
    kept = f"none keeps all of these{' and is new' if tried else ''}: {'; '.join(map(str, space.restrictions))}"
    raise PoolExhausted(f"Of {ATTEMPTS} points spread over the space and of those near to them {kept}. Widen them.")


def _spread(encoding: Encoding, tried: Sequence[Trial], seed: int) -> Iterator[Array]:
    """Yield rows (n, d) of the points that come after so many, the centre first of all.

    Where no even spread keeps the constraints there follow the points nearest to it that may, the region's corners,
    and what is around the points that were tried.
    """
    number = len(tried)
    if not number:
        centre = encoding.spread(_centre(encoding.dimensions))
        yield centre
        yield encoding.snap(centre) if encoding.space.restrictions else centre[:0]
    for skip in range(0, ATTEMPTS, AT_ONCE):
        rows = encoding.spread(even(encoding.dimensions, AT_ONCE, seed, skip=max(number - 1, 0) + skip))
        yield rows[encoding.keeping(rows)]
    if encoding.space.restrictions:
        rng = np.random.default_rng([seed, number])
        yield beside(encoding, even(encoding.dimensions, ATTEMPTS, seed), rng)
        for row in encoding.trials(tried):
            rows = around(row, ATTEMPTS // 4, encoding, rng)
            yield rows[encoding.keeping(rows)]


def beside(encoding: Encoding, unit: Array, rng: np.random.Generator) -> Array:
    """Return rows (n, d) that keep the constraints, near to points of the unit cube and at the region's corners."""
    rows = np.vstack([encoding.snap(encoding.spread(unit)), encoding.corners(rng)])
    return rows[encoding.keeping(rows)]


def starts(encoding: Encoding, count: int, rng: np.random.Generator) -> Array:
    """Return rows (n, d) spread evenly over what the constraints leave possible, to begin a search from.

    They are `count`, but for what the constraints exclude; where they exclude most, some more are moved to their edge.
    """
    unit = even(encoding.dimensions, count, int(rng.integers(2**31)))
    rows = encoding.spread(unit)
    kept = encoding.keeping(rows)
    if len(kept) > count // 4:
        return rows[kept]
    return np.vstack([rows[kept], beside(encoding, unit, rng)])


def _centre(dimensions: int) -> Array:
    return np.full((1, dimensions), 0.5)


def _nearest(candidates: Candidates, target: Array, rng: np.random.Generator) -> int:
    """Return the candidate nearest to a row (d,); of equally near ones, one drawn at random: a table may be sorted."""
    away = candidates.rows - target
    distance = np.where(candidates.encoding.categorical, away != 0, away**2).sum(axis=1)
    drawn = rng.choice(np.flatnonzero(distance <= distance.min() + 1e-12))
    distance[drawn] = -1.0
    return candidates.best(-distance)


def _believed(number: int) -> str:
    return "drawn from what people believe" if number else "where people believe the best to be"


def _turn(number: int) -> str:
    return f"point {number} of an even spread" if number else "the centre of the space"
