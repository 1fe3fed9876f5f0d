"""The points that may still be proposed, where they can be listed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from labwright.core.errors import PoolExhausted
from labwright.core.space import Continuous, Pool, Space
from labwright.core.trial import Trial
from labwright.core.values import Value
from labwright.inference.arrays import Array
from labwright.planning.encoding import Encoding, level_codes
from labwright.planning.region import Places

LISTED = 10_000
DUST = 1e-9  # of a range: settings that differ by less are the same


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """Every row (n, d) of a pool, or of a space of a few levels.

    `places` (m,) are those of the rows that keep the constraints. Whether a rule allows a row is asked when it is to be
    chosen: there may be a million of them. `allowed` is what was answered.
    """

    rows: Array
    places: Places
    allowed: dict[int, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, space: Space) -> "Listing | None":
        """Return the listing of a space, made once; None where its points cannot be listed."""
        if "listing" not in space.memo:
            encoding = Encoding.of(space)
            rows = _rows(space, encoding)
            space.memo["listing"] = None if rows is None else cls(rows=rows, places=encoding.keeping(rows))
        found: Listing | None = space.memo["listing"]
        return found

    def without(self, tried: Array) -> Places:
        """Return the places of the rows that equal none of those tried (t, d)."""
        left = np.zeros(len(self.rows), dtype=bool)
        left[self.places] = True
        keys, order = self._sorted
        sought = tried @ _weights(tried)
        reach = 2 * DUST * tried.shape[1]
        ends = zip(np.searchsorted(keys, sought - reach), np.searchsorted(keys, sought + reach), strict=True)
        for row, (start, end) in zip(tried, ends, strict=True):
            alike = order[start:end]
            left[alike[(np.abs(self.rows[alike] - row) <= DUST).all(axis=1)]] = False
        return np.flatnonzero(left)

    @cached_property
    def _sorted(self) -> tuple[Array, Places]:
        """A weighted sum of each row, rising, and the places of the rows: equal rows stand together."""
        keys = self.rows @ _weights(self.rows)
        order = np.argsort(keys)
        return keys[order], order


def _weights(rows: Array) -> Array:
    return np.random.default_rng(0).random((rows.shape[1],))


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """What has not been tried of a listing: the places (n,) of its rows."""

    encoding: Encoding
    listing: Listing
    places: Places
    pool: Pool | None = None

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def rows(self) -> Array:
        """The rows (n, d)."""
        every = self.listing.rows
        return every if len(self.places) == len(every) else every[self.places]

    def point(self, index: int) -> dict[str, Value]:
        """Return one candidate as a point."""
        place = int(self.places[index])
        return self.encoding.point(self.listing.rows[place]) if self.pool is None else self.pool.row(place)

    def best(self, values: Array) -> int:
        """Return which candidate has the largest value (n,) of those that every rule allows; -inf is not looked at.

        Raises PoolExhausted where the rules leave none.
        """
        best = int(values.argmax())
        if not self.encoding.space.rules or self._allowed(best):
            return best
        for index in np.argsort(-values, kind="stable"):
            if values[index] > -np.inf and self._allowed(int(index)):
                return int(index)
        space = self.encoding.space
        why = f", as of the first of them: {space.problems(self.point(best))[0]}"
        raise PoolExhausted(
            f"None of the {len(self)} candidates left keeps every rule{why}. Widen them, or end the campaign."
        )

    def _allowed(self, index: int) -> bool:
        place, known = int(self.places[index]), self.listing.allowed
        if place not in known:
            known[place] = not self.encoding.space.problems(self.point(index))
        return known[place]


def remaining(space: Space, tried: Sequence[Trial]) -> Candidates | None:
    """Return what is left of the pool, or of a space of a few levels; None where the points cannot be listed.

    Rows that equal a tried one are tried, and rows that break a constraint are left out; the rules are asked later.
    Raises PoolExhausted when nothing is left.
    """
    listing = Listing.of(space)
    if listing is None:
        return None
    encoding = Encoding.of(space)
    places = listing.without(encoding.trials(tried)) if tried else listing.places
    if not len(places):
        raise _exhausted(space, len(listing.places))
    return Candidates(encoding=encoding, listing=listing, places=places, pool=space.pool)


def _exhausted(space: Space, count: int) -> PoolExhausted:
    if not space.restrictions:
        return PoolExhausted(f"All {count} candidates have been tried. Widen the space, or end the campaign.")
    kept = (
        f"All {count} candidates that keep the constraints have been tried" if count else "No candidate keeps them all"
    )
    return PoolExhausted(f"{kept}: {'; '.join(map(str, space.restrictions))}. Widen them, or end the campaign.")


def _rows(space: Space, encoding: Encoding) -> Array | None:
    if space.pool is not None:
        return encoding.columns(space.pool.columns)
    if any(isinstance(p, Continuous) for p in space.parameters):
        return None
    codes = [level_codes(p) for p in space.parameters]
    if math.prod(len(c) for c in codes if c is not None) > LISTED:
        return None
    own = np.stack(np.meshgrid(*[c for c in codes if c is not None], indexing="ij"), axis=-1).reshape(-1, len(codes))
    return encoding.described(own)
