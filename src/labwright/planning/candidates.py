"""The points that may still be proposed, where they can be listed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labwright.core.errors import PoolExhausted
from labwright.core.space import Continuous, Pool, Space
from labwright.core.trial import Trial
from labwright.core.values import Value
from labwright.inference.arrays import Array
from labwright.planning.encoding import Encoding, level_codes

LISTED = 10_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The rows (n, d) that have not been tried; `places` (n,) are their places in the pool, if there is one."""

    encoding: Encoding
    rows: Array
    places: Sequence[int]
    pool: Pool | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def point(self, index: int) -> dict[str, Value]:
        """Return one candidate as a point."""
        return self.encoding.point(self.rows[index]) if self.pool is None else self.pool.row(int(self.places[index]))


def remaining(space: Space, tried: Sequence[Trial]) -> Candidates | None:
    """Return what is left of the pool, or of a space of a few levels; None where the points cannot be listed.

    Rows that equal a tried one are tried. Raises PoolExhausted when nothing is left.
    """
    encoding = Encoding.of(space)
    rows = _listed(space, encoding)
    if rows is None:
        return None
    used = {row.tobytes() for row in _plain(encoding.trials(tried))} if tried else set()
    places = np.flatnonzero([row.tobytes() not in used for row in _plain(rows)])
    if not len(places):
        raise PoolExhausted(f"All {len(rows)} candidates have been tried. Widen the space, or end the campaign.")
    return Candidates(encoding=encoding, rows=rows[places], places=places.tolist(), pool=space.pool)


def _listed(space: Space, encoding: Encoding) -> Array | None:
    if space.pool is not None:
        return encoding.columns(space.pool.columns)
    if any(isinstance(p, Continuous) for p in space.parameters):
        return None
    codes = [level_codes(p) for p in space.parameters]
    if math.prod(len(c) for c in codes if c is not None) > LISTED:
        return None
    return np.stack(np.meshgrid(*[c for c in codes if c is not None], indexing="ij"), axis=-1).reshape(-1, len(codes))


def _plain(rows: Array) -> Array:
    # Rows are compared by their bytes: minus zero must be zero.
    return rows + 0.0
