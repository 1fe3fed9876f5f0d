"""The best of very many candidates, of which only some are scored."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from labwright.core.errors import PoolExhausted
from labwright.inference.arrays import Array, Mask
from labwright.planning.candidates import Candidates
from labwright.planning.region import Places

IN_FULL = 50_000  # candidates; so many are scored one and all
DRAWN = 16_384
KEPT = 4_096
CENTRES = 8
NEIGHBOURS = 6_144
ROUNDS = 5
CHUNK = 65_536

Score = Callable[[Array], Array]


class Screen:
    """Chooses one candidate after the other from a listing that is too long to be scored in full each time.

    Some candidates drawn at random are scored; then, round by round, the nearest neighbours of the best, by the model's
    lengthscales, until nothing better is found. A later choice begins with the best of the earlier one.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._promising: Places | None = None

    def best(self, score: Score, candidates: Candidates, lengthscales: Array) -> tuple[int, Array]:
        """Return which candidate is best, and the rows that were looked at; `lengthscales` (d,) say what is near."""
        if len(candidates) <= IN_FULL:
            return candidates.best(score(candidates.rows)), candidates.rows
        rows, places = candidates.listing.rows, candidates.places
        values, open_ = np.full(len(rows), -np.inf), np.zeros(len(rows), dtype=bool)
        open_[places] = True
        metric = _Metric(rows, lengthscales, candidates.encoding.categorical)
        new, seen = self._first(places, open_), np.empty(0, dtype=np.intp)
        for _ in range(ROUNDS):
            values[new], open_[new] = score(rows[new]), False
            best = values[seen].max(initial=-np.inf)
            seen = np.concatenate([seen, new])
            seen = seen[np.argsort(-values[seen], kind="stable")]
            if not values[seen[0]] > best:
                break
            new = metric.nearest(self._centres(seen), open_)
        self._promising = seen[:KEPT]
        try:
            return candidates.best(values[places]), rows[seen]
        except PoolExhausted:  # of those that were scored the rules leave none
            every = [score(rows[places[start : start + CHUNK]]) for start in range(0, len(places), CHUNK)]
            return candidates.best(np.concatenate(every)), rows[seen]

    def _first(self, places: Places, open_: Mask) -> Places:
        drawn = self._rng.choice(places, DRAWN, replace=False) if self._promising is None else self._promising
        return drawn[open_[drawn]]

    def _centres(self, ranked: Places) -> Places:
        """Return the best of the places, and some others from among the good ones: there may be several hills."""
        others = self._rng.choice(ranked[CENTRES : len(ranked) // 50], CENTRES, replace=False)
        return np.concatenate([ranked[:CENTRES], others])


class _Metric:
    """How near rows are by some lengthscales; a category that differs counts as a number one lengthscale off."""

    def __init__(self, rows: Array, lengthscales: Array, categorical: Mask) -> None:
        self._rows = rows
        self._scales = np.where(categorical, 1.0, 1 / lengthscales)
        self._categories = {int(j): np.float32(1 / lengthscales[j]) for j in np.flatnonzero(categorical)}
        self._numeric = np.flatnonzero(~categorical)

    def nearest(self, centres: Places, open_: Mask) -> Places:
        """Return the open places nearest to any of the centres."""
        away = np.concatenate([
            self._away(self._rows[start : start + CHUNK], self._rows[centres])
            for start in range(0, len(self._rows), CHUNK)
        ])  # fmt: skip
        away[~open_] = np.inf
        return np.argpartition(away, NEIGHBOURS)[:NEIGHBOURS]

    def _away(self, rows: Array, centres: Array) -> NDArray[np.float32]:
        """Return the squared distance of each row (n, d) to the nearest centre (k, d), (n,)."""
        scales = self._scales[self._numeric]
        left = (rows[:, self._numeric] * scales).astype(np.float32)
        right = (centres[:, self._numeric] * scales).astype(np.float32)
        away = (right**2).sum(axis=1)[:, None] - 2 * (right @ left.T)
        for j, weight in self._categories.items():
            away += weight * (rows[:, j] != centres[:, j, None])
        nearest: NDArray[np.float32] = away.min(axis=0) + (left**2).sum(axis=1)
        return nearest
