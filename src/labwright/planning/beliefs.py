"""What people believe of where the best lies: how much it counts in a choice, and the points drawn from it.

After πBO (Hvarfner, Stoll, Souza, Lindauer, Hutter and Nardi, ICLR 2022): the acquisition is multiplied by the density
of the belief to the power of β / n after n observations, so that what is measured wins in the end.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from labwright.core.belief import Belief
from labwright.core.space import Categorical, Ordinal, Space
from labwright.inference.arrays import Array
from labwright.planning.encoding import Encoding, level_codes

STRENGTH = 5.0  # β: what a belief of weight 1 counts after one observation
FLOOR = 0.01  # of the highest density: nothing is impossible


def log_belief(space: Space, beliefs: Sequence[Belief], rows: Array) -> Array:
    """Return the log density of the beliefs at rows (m, d), 0 at the best point by them; each by its weight."""
    total = np.zeros(len(rows))
    for belief in beliefs:
        total += belief.weight * np.log(FLOOR + (1 - FLOOR) * _density(space, belief, rows))
    return total


def pull(observed: int) -> float:
    """Return the power of the beliefs' density in the acquisition after so many observations."""
    return STRENGTH / max(observed, 1)


def drawn(space: Space, beliefs: Sequence[Belief], turn: int, seed: int) -> Callable[[Array], Array] | None:
    """Return what moves a row (d,) of an even spread to where the beliefs expect the best; None where it stays.

    Every second turn of a first design is drawn from the beliefs, and the first of all is their best point.
    """
    if not beliefs or turn % 2:
        return None
    rng = np.random.default_rng([seed, turn]) if turn else None
    return lambda row: _moved(space, beliefs, row, rng)


def around_beliefs(space: Space, beliefs: Sequence[Belief], rows: Array, rng: np.random.Generator) -> Array:
    """Return rows (n, d) moved to where the beliefs expect the best, each drawn from them anew."""
    return np.array([_moved(space, beliefs, row, rng) for row in rows])


def _moved(space: Space, beliefs: Sequence[Belief], row: Array, rng: np.random.Generator | None) -> Array:
    row = row.copy()
    for belief in beliefs:
        row[space.names.index(belief.parameter)] = _draw(space, belief, rng)
    moved: Array = Encoding.of(space).snap(row[None])[0]
    return moved


def _density(space: Space, belief: Belief, rows: Array) -> Array:
    """Return the belief's density at rows (m, d) as a part of its highest."""
    column = rows[:, space.names.index(belief.parameter)]
    if belief.likely:
        codes, chances = _levels(space, belief)
        density: Array = (chances / chances.max())[np.abs(column[:, None] - codes).argmin(axis=1)]
        return density
    centre, sd = _normal(space, belief)
    return np.exp(-(((column - centre) / sd) ** 2) / 2)


def _draw(space: Space, belief: Belief, rng: np.random.Generator | None) -> float:
    """Return one code of the parameter: drawn, or the likeliest without a generator."""
    if belief.likely:
        codes, chances = _levels(space, belief)
        return float(codes[chances.argmax()] if rng is None else rng.choice(codes, p=chances / chances.sum()))
    centre, sd = _normal(space, belief)
    if rng is None:
        return centre
    low, high = ndtr((0 - centre) / sd), ndtr((1 - centre) / sd)
    return float(np.clip(centre + sd * ndtri(rng.uniform(low, high)), 0, 1))


def _normal(space: Space, belief: Belief) -> tuple[float, float]:
    """Return the centre and the spread of a belief about a number, as the encoding scales it."""
    assert belief.near is not None and belief.within is not None
    alone = Encoding.of(Space(parameters=(space[belief.parameter],)))
    centre, end = alone.columns({belief.parameter: [belief.near, belief.near + belief.within]})[:, 0]
    return float(centre), max(float(end - centre), 1e-6)


def _levels(space: Space, belief: Belief) -> tuple[Array, Array]:
    """Return the codes (k,) of a parameter's words and the chance of each."""
    parameter = space[belief.parameter]
    codes = level_codes(parameter)
    assert isinstance(parameter, Ordinal | Categorical) and codes is not None
    return codes, np.array(belief.chances(parameter.levels))
