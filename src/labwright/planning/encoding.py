"""Points as rows of numbers, and back: what a Gaussian process sees of a space."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labwright.core.errors import InvalidInput
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Parameter, Space
from labwright.core.trial import Trial
from labwright.core.values import Point, Value
from labwright.inference.arrays import Array, Mask


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """One column per parameter: numbers scaled to [0, 1], an ordinal by its rank, a category as a code."""

    parameters: tuple[Parameter, ...]

    @classmethod
    def of(cls, space: Space) -> "Encoding":
        """Return the encoding of a space."""
        return cls(parameters=space.parameters)

    @property
    def categorical(self) -> Mask:
        """Which columns hold codes of categories, (d,)."""
        return np.array([isinstance(p, Categorical) for p in self.parameters])

    def columns(self, columns: Mapping[str, Sequence[Value]]) -> Array:
        """Return the rows (n, d) of a table given by columns. A word that is no level raises InvalidInput."""
        return np.column_stack([_encode(p, columns[p.name]) for p in self.parameters])

    def points(self, points: Sequence[Point]) -> Array:
        """Return the rows (n, d) of some points."""
        return self.columns({p.name: [point[p.name] for point in points] for p in self.parameters})

    def trials(self, trials: Sequence[Trial]) -> Array:
        """Return the rows (n, d) of the points of some trials."""
        return self.points([t.point for t in trials])

    def point(self, row: Array) -> dict[str, Value]:
        """Return the point nearest to a row (d,), each value one that may be chosen."""
        return {p.name: _decode(p, float(u)) for p, u in zip(self.parameters, row, strict=True)}

    def spread(self, unit: Array) -> Array:
        """Return rows (n, d) for points of the unit cube (n, d): each level of a parameter gets an equal share."""
        rows = unit.copy()
        for j, p in enumerate(self.parameters):
            if (codes := level_codes(p)) is not None:
                rows[:, j] = codes[np.minimum((unit[:, j] * len(codes)).astype(int), len(codes) - 1)]
        return rows

    def snap(self, rows: Array) -> Array:
        """Return rows (n, d) with each number of a discrete parameter moved to the nearest that may be chosen."""
        snapped = np.clip(rows, 0, 1)
        for j, p in enumerate(self.parameters):
            if isinstance(p, Categorical):
                snapped[:, j] = rows[:, j]
            elif (codes := level_codes(p)) is not None:
                snapped[:, j] = codes[np.searchsorted((codes[1:] + codes[:-1]) / 2, rows[:, j])]
        return snapped


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


def _encode(parameter: Parameter, values: Sequence[Value]) -> Array:
    match parameter:
        case Continuous(low=low, high=high, log=True):
            return _scale(np.log(np.asarray(values, dtype=float)), math.log(low), math.log(high))
        case Continuous(low=low, high=high):
            return _scale(np.asarray(values, dtype=float), low, high)
        case Discrete(values=known):
            return _scale(np.asarray(values, dtype=float), known[0], known[-1])
        case Ordinal(levels=levels):
            return _scale(_codes(parameter.name, levels, values), 0, len(levels) - 1)
        case Categorical(levels=levels):
            return _codes(parameter.name, levels, values)


def _decode(parameter: Parameter, code: float) -> Value:
    match parameter:
        case Continuous(low=low, high=high, log=True):
            return parameter.snap(low * (high / low) ** code)
        case Continuous(low=low, high=high):
            return parameter.snap(low + (high - low) * code)
        case Discrete(values=levels) | Ordinal(levels=levels) | Categorical(levels=levels):
            codes = level_codes(parameter)
            assert codes is not None
            return levels[int(np.abs(codes - code).argmin())]


def _scale(values: Array, low: float, high: float) -> Array:
    return (values - low) / ((high - low) or 1.0)


def _codes(name: str, levels: Sequence[str], values: Sequence[Value]) -> Array:
    code = {level: float(k) for k, level in enumerate(levels)}
    try:
        return np.array([code[str(v)] for v in values])
    except KeyError as error:
        raise InvalidInput(f"{name}: {error.args[0]!r} is not one of {', '.join(levels)}.") from None
