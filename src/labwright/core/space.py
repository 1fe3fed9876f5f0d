"""What may be chosen: parameters, each with its unit, or a pool of the only possible points."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from labwright.core.errors import InvalidInput
from labwright.core.values import Point, Value, is_number, show

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

    def snap(self, value: float) -> float:
        """Return the nearest value that may be chosen, rounded to what a person can set."""
        if value <= self.low or value >= self.high:
            return self.low if value <= self.low else self.high
        return min(max(round(float(value), self.decimals), self.low), self.high)

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
    """One of a few words without an order."""

    name: str
    levels: tuple[str, ...]
    unit: None = None

    def __post_init__(self) -> None:
        _check_levels(self.name, self.levels)

    def allows(self, value: Value) -> bool:
        """Say whether the word is one of the levels."""
        return value in self.levels

    def __str__(self) -> str:
        return f"one of {', '.join(self.levels)}"


Parameter: TypeAlias = Continuous | Discrete | Ordinal | Categorical


def _check_levels(name: str, levels: Sequence[str]) -> None:
    if not levels or len(set(levels)) != len(levels):
        raise InvalidInput(f"{name}: levels must be given, each once; found {list(levels)}.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """The only possible points: one column per parameter, one row per candidate."""

    columns: Mapping[str, Sequence[Value]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def row(self, index: int) -> dict[str, Value]:
        """Return one candidate as a point."""
        return {name: column[index] for name, column in self.columns.items()}


@dataclass(frozen=True, kw_only=True)
class Space:
    """The parameters that may be chosen, and the pool if only certain points exist."""

    parameters: tuple[Parameter, ...]
    pool: Pool | None = None

    def __post_init__(self) -> None:
        names = self.names
        if not names or len(set(names)) != len(names):
            raise InvalidInput(f"A space needs parameters, each name once; found {list(names)}.")
        if self.pool is not None and (set(self.pool.columns) != set(names) or not len(self.pool)):
            raise InvalidInput(f"A pool needs at least one row and the columns {list(names)}.")

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order."""
        return tuple(p.name for p in self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        return next(p for p in self.parameters if p.name == name)

    def problems(self, point: Point) -> list[str]:
        """Say in words why the point is not in the space; an empty list when it is. The pool is not consulted."""
        wrong = [f"{name} is missing" for name in self.names if name not in point]
        wrong += [f"{name} is not a parameter" for name in point if name not in self.names]
        for p in self.parameters:
            if p.name in point and not p.allows(point[p.name]):
                wrong.append(f"{p.name} = {show(point[p.name])} is not {p}")
        return wrong
