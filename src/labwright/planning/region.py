"""What of a space may be proposed, where its parameters restrict each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from labwright.core.errors import InvalidInput
from labwright.core.restriction import SLACK, Composition, LinearConstraint
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Parameter, Space, ends_of
from labwright.inference.arrays import Array, Mask

Places = NDArray[np.intp]
CORNERS = 24
NODES = 10_000
IMPOSSIBLE = 2  # as scipy.optimize.milp says it
DUST = 1e-12  # of a total
ROUNDS = 30  # of projections, one constraint after the other


@dataclass(frozen=True, kw_only=True, eq=False)
class Region:
    """The compositions and linear constraints of a space, over points as numbers (n, d) in their own units.

    A word's column is not looked at. Rules are not known here.
    """

    space: Space

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, one for each column."""
        return self.space.parameters

    @cached_property
    def free(self) -> Mask:
        """Which columns may take any number of a range, (d,)."""
        return np.array([isinstance(p, Continuous) for p in self.parameters])

    @cached_property
    def ends(self) -> tuple[Array, Array]:
        """The lowest and the highest number of each column, (d,) and (d,); a word's are 0."""
        ends = [ends_of(p) if isinstance(p, Continuous | Discrete) else (0.0, 0.0) for p in self.parameters]
        return np.array([low for low, _ in ends]), np.array([high for _, high in ends])

    @cached_property
    def linear(self) -> tuple[LinearConstraint, ...]:
        """The linear constraints, those of one sum as one: two of them may leave an equality."""
        bounds: dict[tuple[tuple[str, float], ...], tuple[float, float]] = {}
        for constraint in self.space.linear:
            terms, low, high = _normal(constraint)
            before = bounds.get(terms, (-math.inf, math.inf))
            bounds[terms] = (max(before[0], low), min(before[1], high))
        return tuple(
            LinearConstraint(coefficients=dict(terms), low=low, high=max(low, high))
            for terms, (low, high) in bounds.items()
        )

    @cached_property
    def sums(self) -> tuple[Array, Array]:
        """The linear constraints as A x <= b: A (m, d) and b (m,)."""
        rows, bounds = [], []
        for constraint in self.linear:
            row = np.array([constraint.coefficients.get(name, 0.0) for name in self.space.names])
            for sign, bound in ((1.0, constraint.high), (-1.0, -constraint.low)):
                if math.isfinite(bound):
                    rows.append(sign * row)
                    bounds.append(bound)
        return np.array(rows).reshape(-1, len(self.parameters)), np.array(bounds)

    @cached_property
    def inner(self) -> Array:
        """The bounds b (m,) less what rounding a point may add to its sums; a narrow band is not closed by it."""
        matrix, bounds = self.sums
        rounding = np.array([0.5 * 10.0**-p.decimals if isinstance(p, Continuous) else 0.0 for p in self.parameters])
        # The part that takes the rest of a total is off by what all others are.
        for group in self.groups.values():
            rounding[group] *= len(group)
        widths = np.array([c.high - c.low for c in self.linear for b in (c.high, c.low) if math.isfinite(b)])
        result: Array = bounds - np.minimum(np.abs(matrix) @ rounding, widths / 4)
        return result

    @cached_property
    def groups(self) -> dict[Composition, Places]:
        """The columns of each composition's parts."""
        names = self.space.names
        return {c: np.array([names.index(part) for part in c.parts]) for c in self.space.compositions}

    def holds(self, x: Array) -> Mask:
        """Say which points (n, d) keep everything but the rules, (n,)."""
        matrix, bounds = self.sums
        fine = np.ones(len(x), dtype=bool)
        for row, bound in zip(matrix, bounds, strict=True):
            terms = x * row
            fine &= terms.sum(axis=1) <= bound + SLACK * np.abs(terms).max(axis=1)
        for composition, group in self.groups.items():
            parts = x[:, group]
            away = np.abs(parts.sum(axis=1) - composition.total)
            count = (parts > 0).sum(axis=1)
            fine &= away <= SLACK * np.maximum(composition.total, np.abs(parts).max(axis=1))
            fine &= (count >= composition.at_least_parts) & (count <= composition.most)
        return fine

    def shared_out(self, x: Array, weights: Array) -> Array:
        """Return points whose parts are spread evenly over each composition by `weights` (n, w) in (0, 1).

        Each part takes one column of the weights, in the order of the parameters; each sparse composition one more, for
        how many parts are above 0.
        """
        x, extra = x.copy(), len(self.parameters)
        for composition, group in self.groups.items():
            low, high = self.ends[0][group], self.ends[1][group]
            # Exponentials divided by their sum are spread evenly over a simplex.
            shares = -np.log(np.clip(1 - weights[:, group], 1e-12, 1.0))
            if composition.is_sparse:
                span = composition.most - composition.at_least_parts + 1
                count = composition.at_least_parts + np.minimum(weights[:, extra] * span, span - 1).astype(int)
                order = np.argsort(
                    np.argsort(-(shares + 1e9 * (low > 0)), axis=1, kind="stable"), axis=1, kind="stable"
                )
                shares = np.where(order < np.maximum(count, 1)[:, None], shares, 0.0)
                extra += 1
            shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
            x[:, group] = mixed(low + (composition.total - low.sum()) * shares, low, high, composition)
        return x

    def settled(self, x: Array) -> Array:
        """Return the points moved into the region where that is easy; the others come near.

        Compositions are kept in any case. Numbers that must be of a list stay as they are.
        """
        x, (matrix, _) = self._mixed(x), self.sums
        left = np.flatnonzero((x @ matrix.T > self.inner).any(axis=1)) if len(matrix) else np.empty(0, dtype=int)
        low, high = self.ends
        # A long range and a short one move alike.
        scale = np.where(self.free, (high - low) ** 2, 0.0)
        norms = np.maximum((matrix**2) @ scale, 1e-300)
        for _ in range(ROUNDS):
            if not len(left):
                break
            some = x[left]
            for row, bound, norm in zip(matrix, self.inner, norms, strict=True):
                beyond = np.maximum(some @ row - bound, 0.0) / norm
                some = some - beyond[:, None] * (row * scale)
            some = np.where(self.free, np.clip(some, low, high), some)
            x[left] = self._mixed(some)
            left = left[(x[left] @ matrix.T > self.inner + 1e-12 * np.abs(self.inner)).any(axis=1)]
        return x

    def _mixed(self, x: Array) -> Array:
        x = x.copy()
        for composition, group in self.groups.items():
            x[:, group] = mixed(x[:, group], self.ends[0][group], self.ends[1][group], composition)
        return x

    @cached_property
    def corners(self) -> Array:
        """Points (n, d), each at an end of the region in some direction; none if there is none; words are drawn."""
        rng = np.random.default_rng(0)
        found = [point for point in (self._corner(rng) for _ in range(CORNERS)) if point is not None]
        x = np.array(found).reshape(-1, len(self.parameters))
        for j, p in enumerate(self.parameters):
            if isinstance(p, Ordinal | Categorical):
                x[:, j] = rng.integers(len(p.levels), size=len(x))
        return x

    def _corner(self, rng: np.random.Generator) -> Array | None:
        wish = rng.standard_normal(len(self.parameters))
        inside, _ = _furthest(self.space, wish, (self.sums[0], self.inner))
        return _furthest(self.space, wish, self.sums)[0] if inside is None else inside


def mixed(x: Array, low: Array, high: Array, composition: Composition) -> Array:
    """Return the nearest amounts (n, k) from `low` to `high` (k,) that sum to the total.

    The largest stay where too many are above 0; where too few are, the next get a thousandth of the total.
    """
    highest, lowest = np.broadcast_to(high, x.shape), np.broadcast_to(low, x.shape)
    if composition.is_sparse:
        kept = _kept(np.where(low > 0, np.inf, x), composition.most)
        # Where the largest cannot hold the total, those that can hold most stay.
        short = np.where(kept, highest, 0.0).sum(axis=1) < composition.total
        kept[short] = _kept(np.where(low > 0, np.inf, highest + 1e-6 * x)[short], composition.most)
        room = (composition.total - low.sum()) / (2 * len(low))
        wanted = _kept(np.where(kept, np.where(low > 0, np.inf, x), -np.inf), composition.at_least_parts)
        highest = np.where(kept, highest, 0.0)
        lowest = np.where(wanted, np.maximum(lowest, np.minimum(1e-3 * composition.total, room)), lowest)
        lowest = np.minimum(lowest, highest)
    return _levelled(x, lowest, highest, composition.total)


def _kept(x: Array, count: int | Places) -> Mask:
    """Mark the `count` largest of each row, (n, k)."""
    ranks = np.argsort(np.argsort(-x, axis=1, kind="stable"), axis=1, kind="stable")
    marked: Mask = ranks < count
    return marked


def _levelled(x: Array, low: Array, high: Array, total: float) -> Array:
    """Return clip(x + shift, low, high) with the shift of each row for which it sums to the total.

    The sum rises with the shift, in straight pieces between the shifts at which a part reaches one of its ends.
    """
    shifts = np.sort(np.concatenate([low - x, high - x], axis=1), axis=1)
    sums = np.clip(x[:, None] + shifts[:, :, None], low[:, None], high[:, None]).sum(axis=2)
    after = np.clip((sums < total).sum(axis=1), 1, shifts.shape[1] - 1)
    line = np.arange(len(x))
    left, right, least, most = shifts[line, after - 1], shifts[line, after], sums[line, after - 1], sums[line, after]
    part = np.where(most > least, (total - least) / np.where(most > least, most - least, 1.0), 0.0)
    shift = left + np.clip(part, 0.0, 1.0) * (right - left)
    # The dust of a sum would bring in parts that are not there.
    shift[np.abs(shift) <= DUST * total] = 0.0
    moved: Array = np.clip(x + shift[:, None], low, high)
    return moved


def _furthest(space: Space, wish: Array, sums: tuple[Array, Array]) -> tuple[Array | None, bool]:
    """Return the point (d,) that goes furthest against `wish` (d,), and whether there surely is none. Words are 0.

    A mixed-integer linear program: a number of a list is a sum of which one term is taken, and a part that may be
    absent has a switch. It is solved for numbers scaled to [0, 1], each line by its largest coefficient.
    """
    # Imported here because it takes a while, and few spaces need it.
    from scipy.optimize import Bounds, LinearConstraint, milp

    d = len(space.parameters)
    lines, lows, highs, switches = _program(space)
    matrix = np.vstack([np.hstack([sums[0], np.zeros((len(sums[0]), switches))]), *lines])
    low, high = Region(space=space).ends
    offset = matrix[:, :d] @ low
    least = np.concatenate([np.full(len(sums[0]), -np.inf), lows]) - offset
    most = np.concatenate([sums[1], highs]) - offset
    matrix[:, :d] *= high - low
    largest = np.abs(matrix).max(axis=1, initial=1e-300)
    found = milp(
        np.concatenate([wish, np.zeros(switches)]),
        constraints=LinearConstraint(matrix / largest[:, None], least / largest, most / largest),
        bounds=Bounds(0, 1),
        integrality=np.concatenate([np.zeros(d), np.ones(switches)]),
        options={"node_limit": NODES},
    )
    point: Array | None = None if found.x is None else low + (high - low) * found.x[:d]
    return point, found.status == IMPOSSIBLE


def _program(space: Space) -> tuple[list[Array], list[float], list[float], int]:
    """Return lines over parameters and switches with their bounds, and how many switches there are."""
    names, d = space.names, len(space.parameters)
    lines: list[dict[int, float]] = []
    lows: list[float] = []
    highs: list[float] = []
    count = 0

    def add(line: dict[int, float], low: float, high: float) -> None:
        lines.append(line)
        lows.append(low)
        highs.append(high)

    for j, p in enumerate(space.parameters):
        if isinstance(p, Discrete):
            places = range(d + count, d + count + len(p.values))
            add({j: -1.0, **dict(zip(places, p.values, strict=True))}, 0.0, 0.0)
            add(dict.fromkeys(places, 1.0), 1.0, 1.0)
            count += len(p.values)
    for c in space.compositions:
        parts = [names.index(part) for part in c.parts]
        add(dict.fromkeys(parts, 1.0), c.total, c.total)
        if c.is_sparse:
            switch = {j: d + count + k for k, j in enumerate(parts)}
            for j, part in zip(parts, c.parts, strict=True):
                parameter = space[part]
                assert isinstance(parameter, Continuous)
                add({j: 1.0, switch[j]: -parameter.high}, -np.inf, 0.0)
                add({j: 1.0, switch[j]: -1e-3 * min(parameter.high, c.total)}, 0.0, np.inf)
            add(dict.fromkeys(switch.values(), 1.0), c.at_least_parts, c.most)
            count += len(parts)
    return [_line(line, d + count) for line in lines], lows, highs, count


def _line(terms: dict[int, float], width: int) -> Array:
    line = np.zeros(width)
    line[list(terms)] = list(terms.values())
    return line


def check_possible(space: Space) -> None:
    """Raise InvalidInput where no point keeps every composition and linear constraint; say which cannot go together.

    Each is possible alone: the space itself has seen to that.
    """
    together = [*space.compositions, *space.linear]
    if not space.linear or _is_possible(space, together):
        return
    # Leave out one after the other; what must stay for it to be impossible is what clashes.
    for one in list(together):
        rest = [other for other in together if other is not one]
        if not _is_possible(space, rest):
            together = rest
    raise InvalidInput(f"No point of the space keeps all of these: {'; '.join(map(str, together))}. Widen one of them.")


def _is_possible(space: Space, some: Sequence[object]) -> bool:
    kept = Space(
        parameters=space.parameters,
        compositions=tuple(c for c in space.compositions if c in some),
        constraints=tuple(c for c in space.linear if c in some),
    )
    _, impossible = _furthest(kept, np.zeros(len(space.parameters)), Region(space=kept).sums)
    return not impossible


def _normal(constraint: LinearConstraint) -> tuple[tuple[tuple[str, float], ...], float, float]:
    """Return the terms of a sum by name, the first with the factor 1, and what the sum then lies between."""
    terms = sorted((name, factor) for name, factor in constraint.coefficients.items() if factor)
    first = terms[0][1]
    low, high = sorted((constraint.low / first, constraint.high / first))
    return tuple((name, factor / first) for name, factor in terms), low, high
