"""Pareto fronts: what they dominate, exactly, as boxes. Losses are rows (n, m): smaller is better."""

from dataclasses import dataclass

import numpy as np

from labwright.inference.arrays import Array, Mask

NEAR, FAR = 0.1, 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes:
    """Boxes (k, m) that lie side by side, from `low` to `high` in each coordinate."""

    low: Array
    high: Array

    def __len__(self) -> int:
        return len(self.low)


def nondominated(losses: Array) -> Mask:
    """Say of each row (n, m) whether no other is as good in everything and better in something."""
    as_good = (losses[:, None] <= losses).all(axis=2)
    better = (losses[:, None] < losses).any(axis=2)
    return ~np.asarray((as_good & better).any(axis=0))


def reference_point(front: Array, losses: Array) -> Array:
    """Return the losses (m,) up to which a front (k, m) counts, given all `losses` (n, m) that were found.

    At least a tenth of the front's range beyond its worst, as Ishibuchi et al. (2011) found good; further if results
    lie there, up to three times its range. With the tenth alone a front that is short by chance is never seen to go on,
    and without an end a single result that is far off makes all others look alike. Where the front has no range in an
    objective, that of all losses is taken, and else the size of the loss.
    """
    worst, furthest = front.max(axis=0), losses.max(axis=0)
    ranges = [worst - front.min(axis=0), furthest - losses.min(axis=0), np.abs(worst), np.ones(len(worst))]
    # A range that is nothing but rounding would leave no room between the front and its reference.
    known = [r > 1e-9 * np.maximum(np.abs(worst), np.finfo(float).tiny) for r in ranges]
    span = np.select(known, ranges)
    result: Array = worst + np.clip(furthest - worst, NEAR * span, FAR * span)
    return result


def hypervolume(losses: Array, reference: Array) -> float:
    """Return the volume that rows (n, m) dominate up to the reference (m,), exactly.

    It costs about n times the number of boxes: n for two objectives, 2n for three, and of the order of
    n^floor(m / 2) for m of them (Lacour, Klamroth and Fonseca 2017).
    """
    boxes = dominated_boxes(losses, reference)
    return float(np.prod(boxes.high - boxes.low, axis=1).sum())


def dominated_boxes(losses: Array, reference: Array) -> Boxes:
    """Return what some rows (n, m) dominate up to the reference (m,)."""
    upper, defined_by = _corners(losses, reference)
    return _side_by_side(upper, defined_by, reference)


def free_boxes(losses: Array, reference: Array) -> Boxes:
    """Return what no row (n, m) dominates up to the reference (m,); it has no end towards the better, -inf.

    Seen from the other side it is what the corners of the dominated part dominate.
    """
    upper, _ = _corners(losses, reference)
    mirrored = dominated_boxes(-upper, np.full(len(reference), np.inf))
    return Boxes(low=-mirrored.high, high=-mirrored.low)


def _corners(losses: Array, reference: Array) -> tuple[Array, Array]:
    """Return the local upper bounds (k, m) of some rows, and the rows that define them (k, m, m).

    Below each bound, and below these only, nothing is dominated. Klamroth, Lacour and Vanderpooten, "On the
    representation of the search region in multi-objective optimization", European Journal of Operational Research 245
    (2015), algorithm 5.
    """
    m = len(reference)
    upper = reference[None].astype(float)
    defined_by = np.full((1, m, m), -np.inf)
    defined_by[0, range(m), range(m)] = reference
    for row in _front_within(losses, reference):
        inside = (upper > row).all(axis=1)
        split, split_by = upper[inside], defined_by[inside]
        parts: list[tuple[Array, Array]] = [(upper[~inside], defined_by[~inside])]
        for j in range(m):
            others = np.delete(split_by[:, :, j], j, axis=1)
            kept = (row[j] >= others).all(axis=1)
            corner, by = split[kept].copy(), split_by[kept].copy()
            corner[:, j], by[:, j] = row[j], row
            parts.append((corner, by))
        upper, defined_by = (np.concatenate(some) for some in zip(*parts, strict=True))
    return upper, defined_by


def _front_within(losses: Array, reference: Array) -> Array:
    inside = np.unique(losses[(losses < reference).all(axis=1)], axis=0)
    return inside[nondominated(inside)]


def _side_by_side(upper: Array, defined_by: Array, reference: Array) -> Boxes:
    """Return one box for each corner.

    Lacour, Klamroth and Fonseca, "A box decomposition algorithm to compute the hypervolume indicator", Computers &
    Operations Research 79 (2017), section 2.
    """
    k, m = upper.shape
    low, high = np.empty((k, m)), np.empty((k, m))
    for j in range(m):
        low[:, j] = upper[:, 0] if j == 0 else defined_by[:, :j, j].max(axis=1)
        high[:, j] = reference[0] if j == 0 else upper[:, j]
    solid: Mask = np.asarray((low < high).all(axis=1))
    return Boxes(low=low[solid], high=high[solid])
