"""What may be chosen: parameters, each with its unit, or a pool of the only possible points."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from labwright.core.errors import InvalidInput
from labwright.core.restriction import Composition, LinearConstraint, Rule
from labwright.core.values import Point, Value, is_number, show

if TYPE_CHECKING:
    from numpy.typing import NDArray

HUGE, TINY = 1e100, 1e-100


@dataclass(frozen=True, kw_only=True)
class Continuous:
    """Any number from `low` to `high`; `log` when its effect goes by ratios."""

    name: str
    low: float
    high: float
    unit: str | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InvalidInput(f"{self.name}: low {self.low} and high {self.high} must be finite, and low below high.")
        if not TINY < self.high - self.low < HUGE or max(abs(self.low), abs(self.high)) > HUGE:
            raise InvalidInput(
                f"{self.name}: a range from {self.low} to {self.high} cannot be computed with. Take another unit: "
                f"numbers must stay within ±{HUGE:g}, and a range be wider than {TINY:g}."
            )
        if self.log and self.low <= 0:
            raise InvalidInput(f"{self.name}: a log parameter must be above 0, but low is {self.low}.")

    @property
    def decimals(self) -> int:
        """The decimals that a chosen value keeps: a hundred-thousandth of the range."""
        return 5 - math.floor(math.log10(self.low if self.log else self.high - self.low))

    def snap(self, value: float, *, finer: int = 0) -> float:
        """Return the nearest value that may be chosen, with the decimals that it keeps, or some more."""
        if value <= self.low or value >= self.high:
            return self.low if value <= self.low else self.high
        return min(max(round(float(value), self.decimals + finer), self.low), self.high)

    def settable(self, value: float) -> float:
        """Return a value rounded to what a person can set, a thousandth of the range; one within stays within."""
        rounded = round(value, self.decimals - 2)
        return min(max(rounded, self.low), self.high) if self.allows(value) else rounded

    def allows(self, value: Value) -> bool:
        """Say whether the value lies within the range."""
        return is_number(value) and self.low <= float(value) <= self.high

    def __str__(self) -> str:
        return f"{show(self.low)} to {show(self.high)}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True, kw_only=True)
class Discrete:
    """One of a few numbers, in rising order."""

    name: str
    values: tuple[float, ...]
    unit: str | None = None

    def __post_init__(self) -> None:
        if not self.values or any(not math.isfinite(v) for v in self.values):
            raise InvalidInput(f"{self.name}: a discrete parameter needs at least one finite value.")
        if max(abs(v) for v in self.values) > HUGE:
            raise InvalidInput(f"{self.name}: values must stay within ±{HUGE:g}; found {list(self.values)}.")
        if list(self.values) != sorted(set(self.values)):
            raise InvalidInput(f"{self.name}: values must rise and each stand once; found {list(self.values)}.")

    def allows(self, value: Value) -> bool:
        """Say whether the value is one of those listed."""
        return is_number(value) and any(math.isclose(float(value), v, rel_tol=1e-9, abs_tol=1e-12) for v in self.values)

    def __str__(self) -> str:
        return f"one of {', '.join(show(v) for v in self.values)}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True, kw_only=True)
class Ordinal:
    """One of a few words that have an order, the lowest first."""

    name: str
    levels: tuple[str, ...]
    unit: None = None

    def __post_init__(self) -> None:
        _check_levels(self.name, self.levels)

    def allows(self, value: Value) -> bool:
        """Say whether the word is one of the levels."""
        return value in self.levels

    def __str__(self) -> str:
        return " < ".join(self.levels)


@dataclass(frozen=True, kw_only=True)
class Categorical:
    """One of a few words without an order.

    `descriptors`: numbers that tell of each level what it is like, by their names, in the order of the levels.
    """

    name: str
    levels: tuple[str, ...]
    unit: None = None
    descriptors: Mapping[str, tuple[float, ...]] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _check_levels(self.name, self.levels)
        for descriptor, numbers in self.descriptors.items():
            if len(numbers) != len(self.levels) or not all(abs(number) <= HUGE for number in numbers):
                raise InvalidInput(
                    f"{self.name}: the descriptor {descriptor} needs one finite number for each of the "
                    f"{len(self.levels)} levels; found {list(numbers)}."
                )

    def allows(self, value: Value) -> bool:
        """Say whether the word is one of the levels."""
        return value in self.levels

    def __str__(self) -> str:
        return f"one of {', '.join(self.levels)}"


Parameter: TypeAlias = Continuous | Discrete | Ordinal | Categorical


def _check_levels(name: str, levels: Sequence[str]) -> None:
    if not levels or len(set(levels)) != len(levels):
        raise InvalidInput(f"{name}: levels must be given, each once; found {list(levels)}.")


Restriction: TypeAlias = Composition | LinearConstraint | Rule
Column: TypeAlias = "Sequence[Value] | NDArray[Any]"


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """The only possible points: one column per parameter, one row per candidate. Columns become arrays."""

    columns: Mapping[str, Column]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", {name: _array(column) for name, column in self.columns.items()})
        if len({len(column) for column in self.columns.values()}) > 1:
            raise InvalidInput("The columns of a pool must be of one length.")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def row(self, index: int) -> dict[str, Value]:
        """Return one candidate as a point."""
        return {name: _value(column[index]) for name, column in self.columns.items()}

    def has(self, point: Point) -> bool:
        """Say whether a point is among the candidates; numbers are compared to twelve digits."""
        return self.find(point) is not None

    def find(self, point: Point) -> int | None:
        """Return the first candidate that is this point; see `has`."""
        import numpy as np

        left: NDArray[np.intp] | None = None
        for name, column in self.columns.items():
            some = column if left is None else np.asarray(column)[left]
            places = np.flatnonzero(_alike(some, point[name]))
            left = places if left is None else left[places]
        return int(left[0]) if left is not None and len(left) else None


def _array(column: Column) -> Column:
    # Imported here because commands that only show what is on record need none.
    import numpy as np

    if isinstance(column, np.ndarray):
        return column
    return np.array(column, dtype=None if all(map(is_number, column)) else object)


def _value(cell: Any) -> Value:
    found: Value = cell.item() if hasattr(cell, "item") else cell
    return found


def _alike(column: Any, value: Value) -> Any:
    """Say which cells are the value but for the dust of a conversion, (n,)."""
    if not is_number(value) or column.dtype.kind not in "iuf":
        return column == value
    return abs(column - value) <= 1e-12 * abs(float(value)) + 1e-300


@dataclass(frozen=True, kw_only=True)
class Space:
    """The parameters that may be chosen, what must hold between them, and the pool if only certain points exist.

    `memo` is where others keep what they have worked out of it, for it never changes.
    """

    parameters: tuple[Parameter, ...]
    pool: Pool | None = None
    compositions: tuple[Composition, ...] = ()
    constraints: tuple[LinearConstraint | Rule, ...] = ()
    memo: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = self.names
        if not names or len(set(names)) != len(names):
            raise InvalidInput(f"A space needs parameters, each name once; found {list(names)}.")
        if self.pool is not None and (set(self.pool.columns) != set(names) or not len(self.pool)):
            raise InvalidInput(f"A pool needs at least one row and the columns {list(names)}.")
        parts = [part for c in self.compositions for part in c.parts]
        if len(set(parts)) != len(parts):
            raise InvalidInput(f"A parameter is a part of one composition only; found {', '.join(parts)}.")
        for composition in self.compositions:
            self._check_parts(composition)
        for constraint in self.linear:
            self._check_terms(constraint)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(p.name for p in self.parameters)

    @property
    def restrictions(self) -> tuple[Restriction, ...]:
        """Everything that must hold between parameters."""
        return (*self.compositions, *self.constraints)

    @property
    def linear(self) -> tuple[LinearConstraint, ...]:
        """The linear constraints."""
        return tuple(c for c in self.constraints if isinstance(c, LinearConstraint))

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules."""
        return tuple(c for c in self.constraints if isinstance(c, Rule))

    def __getitem__(self, name: str) -> Parameter:
        return next(p for p in self.parameters if p.name == name)

    def problems(self, point: Point) -> list[str]:
        """Say in words why the point is not in the space; an empty list when it is. The pool is not consulted."""
        names = self.names
        wrong = [f"{name} is missing" for name in names if name not in point]
        wrong += [f"{name} is not a parameter" for name in point if name not in names]
        for p in self.parameters:
            if p.name in point and not p.allows(point[p.name]):
                wrong.append(f"{p.name} = {show(point[p.name])} is not {p}")
        if wrong:
            return wrong
        wrong = [problem for composition in self.compositions for problem in composition.problems(point)]
        wrong += [problem for constraint in self.linear for problem in constraint.problems(point)]
        return wrong or [problem for rule in self.rules for problem in rule.problems(point)]

    def _check_parts(self, composition: Composition) -> None:
        found = {p.name: p for p in self.parameters if p.name in composition.parts}
        parts = [p for p in found.values() if isinstance(p, Continuous) and not p.log and p.low >= 0]
        if len(parts) < len(composition.parts):
            listed = ", ".join(f"{name}: {found.get(name, 'nothing')}" for name in composition.parts)
            raise InvalidInput(
                f"{composition.name}: each part must be continuous, not log, and never below 0; found {listed}."
            )
        always = [p for p in parts if p.low > 0]
        others = sorted((p.high for p in parts if p.low == 0), reverse=True)
        least = sum(p.low for p in always)
        most = sum(p.high for p in always) + sum(others[: max(composition.most - len(always), 0)])
        if len(always) > composition.most:
            raise InvalidInput(
                f"{composition.name}: {len(always)} parts are never 0, but at most {composition.most} may be."
            )
        slack = 1e-9 * composition.total
        if not least - slack <= composition.total <= most + slack:
            raise InvalidInput(
                f"{composition.name}: within their limits the parts sum to {show(least)} to {show(most)}, "
                f"so never to {show(composition.total)}."
            )

    def _check_terms(self, constraint: LinearConstraint) -> None:
        least, most = 0.0, 0.0
        for name, factor in constraint.coefficients.items():
            parameter = next((p for p in self.parameters if p.name == name), None)
            if not isinstance(parameter, Continuous | Discrete):
                said = "no parameter" if parameter is None else f"{parameter}, and words cannot be added"
                raise InvalidInput(f"{constraint}: {name} is {said}.")
            ends = sorted(factor * end for end in ends_of(parameter))
            least, most = least + ends[0], most + ends[1]
        if least > constraint.high or most < constraint.low:
            raise InvalidInput(f"{constraint}: never, for within the space it is {show(least)} to {show(most)}.")


def ends_of(parameter: Continuous | Discrete) -> tuple[float, float]:
    """Return the lowest and the highest value of a numeric parameter."""
    if isinstance(parameter, Continuous):
        return parameter.low, parameter.high
    return parameter.values[0], parameter.values[-1]
