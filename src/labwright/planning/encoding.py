"""Points as rows of numbers, and back: what a Gaussian process sees of a space."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labwright.core.errors import InvalidInput
from labwright.core.restriction import Composition
from labwright.core.space import Categorical, Column, Continuous, Discrete, Ordinal, Parameter, Space
from labwright.core.trial import Trial
from labwright.core.values import Point, Value, show
from labwright.inference.arrays import Array, Mask
from labwright.planning.region import Places, Region

DIGITS = 9  # of a range: settings that differ by less are the same
FAR = 1e6  # ranges: what is further off is taken to be as far
FINER = (0, 3, 6)  # decimals more, where rounding would break a constraint


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoding:
    """One column per parameter: numbers scaled to [0, 1], an ordinal by its rank, a category as a code.

    After these stand the descriptors of categories, each scaled to [0, 1] over its levels; they follow from the codes.
    """

    space: Space

    @classmethod
    def of(cls, space: Space) -> "Encoding":
        """Return the encoding of a space, always the same one."""
        found: Encoding = space.memo.setdefault("encoding", cls(space=space))
        return found

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, one for each of the first columns."""
        return self.space.parameters

    @cached_property
    def region(self) -> Region:
        """What must hold between the parameters."""
        return Region(space=self.space)

    @property
    def dimensions(self) -> int:
        """How many numbers from 0 to 1 make a point of an even spread; see `spread`."""
        return len(self.parameters) + sum(c.is_sparse for c in self.space.compositions)

    @cached_property
    def categorical(self) -> Mask:
        """Which columns hold codes of categories, (d,)."""
        own = [isinstance(p, Categorical) for p in self.parameters]
        return np.array(own + [False] * sum(table.shape[1] for table in self._descriptors.values()))

    @cached_property
    def _descriptors(self) -> dict[int, Array]:
        """The scaled descriptors (levels, k) of each category that has some, by its column."""
        found = {}
        for j, p in enumerate(self.parameters):
            if isinstance(p, Categorical) and p.descriptors:
                table = np.array(list(p.descriptors.values()), dtype=float)
                low, high = table.min(axis=1, keepdims=True), table.max(axis=1, keepdims=True)
                found[j] = ((table - low) / np.where(high > low, high - low, 1.0)).T
        return found

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """The columns that each parameter has: its own, and those of its descriptors."""
        found, first = {name: [j] for j, name in enumerate(self.space.names)}, len(self.parameters)
        for j, table in self._descriptors.items():
            found[self.space.names[j]] += range(first, first + table.shape[1])
            first += table.shape[1]
        return found

    def columns(self, columns: Mapping[str, Column]) -> Array:
        """Return the rows (n, d) of a table given by columns. A word that is no level raises InvalidInput."""
        return self.described(np.column_stack([_encode(p, columns[p.name]) for p in self.parameters]))

    def points(self, points: Sequence[Point]) -> Array:
        """Return the rows (n, d) of some points."""
        return self.columns({p.name: [point[p.name] for point in points] for p in self.parameters})

    def trials(self, trials: Sequence[Trial]) -> Array:
        """Return the rows (n, d) of the points of some trials."""
        return self.points([t.point for t in trials])

    def key(self, point: Point) -> bytes:
        """Return what two points share that are the same but for the dust of a conversion."""
        return keys(self.points([point]))[0]

    def keys_of(self, trials: Sequence[Trial]) -> set[bytes]:
        """Return the keys of the points of some trials."""
        return set(keys(self.trials(trials))) if trials else set()

    def point(self, row: Array) -> dict[str, Value]:
        """Return the point nearest to a row (d,), each value one that may be chosen.

        Where rounding would break a constraint that the row itself keeps, the numbers keep more decimals.
        """
        if self.space.linear and self.region.holds(self._numbers(row[None]))[0]:
            return self._kept(row)
        return self._point(row, 0)

    def _kept(self, row: Array) -> dict[str, Value]:
        """Return the point of a row that keeps every constraint, with the fewest decimals that keep them too."""
        for finer in FINER:
            point = self._point(row, finer)
            if all(c.holds(point) for c in self.space.linear):
                return point
        return self._point(row, 0)

    def _point(self, row: Array, finer: int) -> dict[str, Value]:
        point = {p.name: _decode(p, float(u), finer) for p, u in zip(self.parameters, row, strict=False)}
        for composition in self.space.compositions:
            point |= self._summed(composition, point)
        return point

    def _summed(self, composition: Composition, point: Point) -> dict[str, float]:
        """Return the rounded parts with the rest of the total given to the largest, or to those that can take it."""
        amounts = {part: float(point[part]) for part in composition.parts}
        for part in sorted(amounts, key=lambda name: -amounts[name]):
            rest = composition.total - math.fsum(amounts.values())
            parameter = self.space[part]
            if not rest or not amounts[part] or not isinstance(parameter, Continuous):
                break
            amounts[part] = min(max(float(f"{amounts[part] + rest:.12g}"), parameter.low), parameter.high)
        return amounts

    def spread(self, unit: Array) -> Array:
        """Return rows (n, d) for points of the unit cube (n, dimensions).

        Each level of a parameter gets an equal share, and so does each mixture of a composition.
        """
        rows = unit[:, : len(self.parameters)].copy()
        for j, p in enumerate(self.parameters):
            if (codes := level_codes(p)) is not None:
                rows[:, j] = codes[np.minimum((unit[:, j] * len(codes)).astype(int), len(codes) - 1)]
        if self.space.compositions:
            rows = self._with_numbers(rows, self.region.shared_out(self._numbers(rows), unit))
        return self.described(rows)

    def snap(self, rows: Array) -> Array:
        """Return rows (n, d) moved to what may be chosen: listed numbers, the total of a composition, near constraints.

        A constraint may still be broken; see `allows`.
        """
        snapped = np.clip(rows[:, : len(self.parameters)], 0, 1)
        for j, p in enumerate(self.parameters):
            if isinstance(p, Categorical):
                snapped[:, j] = rows[:, j]
            elif (codes := level_codes(p)) is not None:
                snapped[:, j] = codes[np.searchsorted((codes[1:] + codes[:-1]) / 2, rows[:, j])]
        if self.space.compositions or self.space.linear:
            snapped = self._with_numbers(snapped, self.region.settled(self._numbers(snapped)))
        return self.described(snapped)

    def allows(self, rows: Array) -> Mask:
        """Say which rows (n, d) keep every composition, constraint and rule, (n,)."""
        if not self.space.restrictions:
            return np.ones(len(rows), dtype=bool)
        fine = np.zeros(len(rows), dtype=bool)
        for place in self.keeping(rows):
            fine[place] = not self.space.rules or self._keeps_rules(rows[place])
        return fine

    def _keeps_rules(self, row: Array) -> bool:
        point = self._kept(row)
        return not any(rule.problems(point) for rule in self.space.rules)

    def corners(self, rng: np.random.Generator) -> Array:
        """Return rows (n, d) at ends of what the constraints leave possible, and as many between them."""
        x = self.region.corners
        if len(x):
            between = rng.dirichlet(np.ones(len(x)), size=len(x)) @ x
            x = np.vstack([x, np.where(self.region.free, between, x)])
        columns = [_encode_number(p, x[:, j]) for j, p in enumerate(self.parameters)]
        return self.snap(self.described(np.column_stack(columns)))

    def _numbers(self, rows: Array) -> Array:
        """Return the points of rows as numbers in their own units, a word by its code, (n, parameters)."""
        return np.column_stack([_decode_numbers(p, rows[:, j]) for j, p in enumerate(self.parameters)])

    def _with_numbers(self, rows: Array, x: Array) -> Array:
        """Return the rows with the numbers that a constraint may have moved."""
        for j, p in enumerate(self.parameters):
            if isinstance(p, Continuous) and p.name in self._moved:
                rows[:, j] = np.clip(_encode_number(p, x[:, j]), 0, 1)
        return rows

    @cached_property
    def _moved(self) -> frozenset[str]:
        parts = {part for c in self.space.compositions for part in c.parts}
        return frozenset(parts | {name for c in self.space.linear for name, factor in c.coefficients.items() if factor})

    def keeping(self, rows: Array) -> Places:
        """Return the places of the rows (n, d) that keep every composition and constraint; rules are not asked."""
        if not self.space.compositions and not self.space.linear:
            return np.arange(len(rows))
        return np.flatnonzero(self.region.holds(self._numbers(rows)))

    def described(self, rows: Array) -> Array:
        """Return rows of the parameters' own columns with the descriptors beside them."""
        if not self._descriptors:
            return rows
        return np.column_stack([rows, *(table[rows[:, j].astype(int)] for j, table in self._descriptors.items())])


def keys(rows: Array) -> list[bytes]:
    """Return a key for each row (n, d): rows that differ by dust alone have the same."""
    return [row.tobytes() for row in np.round(rows, DIGITS) + 0.0]  # adding 0 makes -0 and 0 alike


def level_codes(parameter: Parameter) -> Array | None:
    """Return the codes (k,) of all that may be chosen, rising; None where any number may."""
    match parameter:
        case Continuous():
            return None
        case Discrete(values=values):
            return _scale(np.array(values, dtype=float), values[0], values[-1])
        case Ordinal(levels=levels):
            return _scale(np.arange(len(levels), dtype=float), 0, len(levels) - 1)
        case Categorical(levels=levels):
            return np.arange(len(levels), dtype=float)


def _encode(parameter: Parameter, values: Column) -> Array:
    if isinstance(parameter, Ordinal):
        return _scale(_codes(parameter.name, parameter.levels, values), 0, len(parameter.levels) - 1)
    if isinstance(parameter, Categorical):
        return _codes(parameter.name, parameter.levels, values)
    return _encode_number(parameter, np.asarray(values, dtype=float))


def _encode_number(parameter: Parameter, values: Array) -> Array:
    match parameter:
        case Continuous(name=name, low=low, high=high, log=True):
            if not (values > 0).all():
                raise InvalidInput(
                    f"{name}: found {show(float(values.min()))}, expected more than 0: it is logarithmic."
                )
            return _scale(np.log(values), math.log(low), math.log(high))
        case Continuous(low=low, high=high):
            return _scale(values, low, high)
        case Discrete(values=known):
            return _scale(values, known[0], known[-1])
        case Ordinal(levels=levels):
            return _scale(values, 0, len(levels) - 1)
        case Categorical():
            return values


def _decode_numbers(parameter: Parameter, codes: Array) -> Array:
    match parameter:
        case Continuous(low=low, high=high, log=True):
            return np.asarray(low * (high / low) ** codes, dtype=float)
        case Continuous(low=low, high=high):
            return low + (high - low) * codes
        case Discrete(values=known):
            return known[0] + (known[-1] - known[0]) * codes
        case _:
            return codes


def _decode(parameter: Parameter, code: float, finer: int) -> Value:
    match parameter:
        case Continuous(low=low, high=high, log=True):
            return parameter.snap(low * (high / low) ** code, finer=finer)
        case Continuous(low=low, high=high):
            return parameter.snap(low + (high - low) * code, finer=finer)
        case Discrete(values=levels) | Ordinal(levels=levels) | Categorical(levels=levels):
            codes = level_codes(parameter)
            assert codes is not None
            return levels[int(np.abs(codes - code).argmin())]


def _scale(values: Array, low: float, high: float) -> Array:
    scaled: Array = np.clip((values - low) / ((high - low) or 1.0), -FAR, FAR)
    return scaled


def _codes(name: str, levels: Sequence[str], values: Column) -> Array:
    code = {level: float(k) for k, level in enumerate(levels)}
    words = values.tolist() if isinstance(values, np.ndarray) else values
    try:
        if all(map(code.__contains__, words)):
            return np.fromiter(map(code.__getitem__, words), dtype=float, count=len(words))
        return np.array([code[str(word)] for word in words])
    except KeyError as error:
        raise InvalidInput(f"{name}: {error.args[0]!r} is not one of {', '.join(levels)}.") from None
