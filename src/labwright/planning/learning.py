"""When hyperparameters are fitted again: a history that grows by one row keeps those of an earlier part of it.

A fit costs the cube of the number of rows, times some hundred. So it is made at fixed sizes only, each from the rows up
to that size: whoever starts afresh on the same rows gets the same.
"""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from labwright.inference import GaussianProcess, Hyperparameters, Observations, condition, fit
from labwright.inference.gp import SHORTEST

EACH = 60  # up to so many rows there is a fit for each
GROWTH = 1.1  # then each size is so much larger than the one before
MOST = 400  # rows that a fit looks at, spread evenly over all
REMEMBERED = 64


class Fits:
    """The latest fits, so that none is made twice: a planner keeps them from one choice to the next."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[bytes, ...], Hyperparameters] = OrderedDict()

    def process(self, data: Observations, *, shortest: float = SHORTEST) -> GaussianProcess:
        """Return the Gaussian process of all rows, with the hyperparameters of those up to the last fixed size."""
        return condition(data, self._hyperparameters(data.some(_fitted(len(data))), shortest))

    def _hyperparameters(self, data: Observations, shortest: float) -> Hyperparameters:
        arrays = (data.x, data.y, data.ratios, data.known, data.categorical, np.array([shortest]), data.hinted)
        key = tuple(a.tobytes() for a in arrays)
        if key not in self._kept:
            self._kept[key] = fit(data, shortest=shortest)
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def fixed_size(rows: int) -> int:
    """Return the largest size of at most `rows` at which hyperparameters are fitted."""
    size = min(rows, EACH)
    while rows > EACH and int(size * GROWTH) <= rows:
        size = int(size * GROWTH)
    return size


def _fitted(rows: int) -> NDArray[np.intp]:
    size = fixed_size(rows)
    return np.unique(np.linspace(0, size - 1, min(size, MOST)).round().astype(np.intp))
