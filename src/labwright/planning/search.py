"""Looking for the best point of a space whose points cannot be listed."""

from collections.abc import Callable, Sequence

import numpy as np

from labwright.core.errors import PoolExhausted
from labwright.core.space import Categorical, Continuous
from labwright.core.trial import Trial
from labwright.core.values import Value
from labwright.inference.arrays import Array
from labwright.planning.encoding import Encoding, keys
from labwright.planning.region import Places

CLIMBERS = 8
CHILDREN = 24
STEPS = (0.2, 0.1, 0.1, 0.05, 0.05, 0.02, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005)


def best_new(
    score: Callable[[Array], Array],
    starts: Array,
    encoding: Encoding,
    tried: Sequence[Trial],
    rng: np.random.Generator,
) -> tuple[dict[str, Value], Array]:
    """Return the best point that is new and allowed, climbing from rows (n, d), and the rows that were looked at.

    Raises PoolExhausted where none of them is.
    """
    used = encoding.keys_of(tried)
    climbed = climb(_of_new(score, encoding, tried), starts, encoding, rng)
    for row in [*climbed, *starts]:
        point = encoding.point(row)
        if encoding.key(point) not in used and not (encoding.space.restrictions and encoding.space.problems(point)):
            return point, np.vstack([climbed, starts])
    raise PoolExhausted("Every point that was looked at has been tried. Widen the space, or end the campaign.")


def _of_new(score: Callable[[Array], Array], encoding: Encoding, tried: Sequence[Trial]) -> Callable[[Array], Array]:
    """Return a score that is nothing where a trial was or may not be: the climb must not end there."""
    known = encoding.keys_of(tried)

    def of_new(rows: Array) -> Array:
        values = np.full(len(rows), -np.inf)
        new = encoding.allows(rows) & [key not in known for key in keys(rows)]
        values[new] = score(rows[new])
        return values

    return of_new


def climb(score: Callable[[Array], Array], starts: Array, encoding: Encoding, rng: np.random.Generator) -> Array:
    """Return rows (k, d) where `score` is high, the highest first.

    The best of `starts` (n, d) are climbed from side by side: in each round every climber tries some points around it,
    in steps that shrink, and moves to the best. Half of the tries change one coordinate only.
    """
    values = score(starts)
    chosen = np.argsort(-values, kind="stable")[:CLIMBERS]
    rows, values = starts[chosen], values[chosen]
    for step in STEPS:
        tries = np.repeat(rows[:, None], CHILDREN, axis=1)
        tries = _moved(tries.reshape(-1, rows.shape[1]), step, encoding, rng).reshape(tries.shape)
        tried = score(tries.reshape(-1, rows.shape[1])).reshape(tries.shape[:2])
        winners = tried.argmax(axis=1)
        better = tried.max(axis=1) > values
        rows = np.where(better[:, None], tries[np.arange(len(rows)), winners], rows)
        values = np.where(better, tried.max(axis=1), values)
    return rows[np.argsort(-values, kind="stable")]


def around(row: Array, count: int, encoding: Encoding, rng: np.random.Generator) -> Array:
    """Return points (count, d) around one (d,), some near and some far."""
    quarter = [np.repeat(row[None], count // 4, axis=0) for _ in range(4)]
    return np.vstack(
        [_moved(rows, step, encoding, rng) for rows, step in zip(quarter, (0.2, 0.1, 0.03, 0.01), strict=True)]
    )


def _moved(rows: Array, step: float, encoding: Encoding, rng: np.random.Generator) -> Array:
    """Return the rows (n, d) moved by about `step`; levels change at random, a category to any other."""
    n, d = len(rows), len(encoding.parameters)
    rows = rows[:, :d]
    change = rng.random((n, d)) < np.where(np.arange(n) % 2, 1.0, 1 / d)[:, None]
    moves = step * rng.standard_normal((n, d))
    unit = encoding.spread(rng.random((n, encoding.dimensions)))
    moved = np.clip(rows + change * moves, 0, 1)
    for j, p in enumerate(encoding.parameters):
        if isinstance(p, Continuous):
            continue
        jump = change[:, j] & (rng.random(n) < (1 / d if isinstance(p, Categorical) else 0.5))
        moved[:, j] = np.where(jump, unit[:, j], rows[:, j] if isinstance(p, Categorical) else moved[:, j])
    for group in encoding.region.groups.values():
        moved = _swapped(moved, group, rng)
    return encoding.snap(moved)


def _swapped(rows: Array, group: Places, rng: np.random.Generator) -> Array:
    """Return the rows with, in every fourth or so, the amounts of two parts exchanged: small moves bring in no part."""
    chosen = np.flatnonzero(rng.random(len(rows)) < 0.25)
    pairs = np.array([rng.choice(group, 2, replace=False) for _ in chosen], dtype=np.intp).reshape(-1, 2)
    swapped = rows.copy()
    swapped[chosen, pairs[:, 0]], swapped[chosen, pairs[:, 1]] = rows[chosen, pairs[:, 1]], rows[chosen, pairs[:, 0]]
    return swapped
