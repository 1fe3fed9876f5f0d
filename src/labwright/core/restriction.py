"""What must hold between the parameters of one point: parts that sum to a total, linear constraints, rules."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labwright.core.errors import InvalidInput
from labwright.core.values import Point, show

SLACK = 1e-9  # of the numbers that are added: sums are of rounded decimals, and decimals are not exact in binary


@dataclass(frozen=True, kw_only=True)
class Composition:
    """Continuous parameters that are the parts of one total, none below 0.

    Of the parts at least `at_least_parts` and at most `at_most_parts` are above 0; without them, any number.
    """

    name: str
    parts: tuple[str, ...]
    total: float = 1.0
    unit: str | None = None
    at_least_parts: int = 1
    at_most_parts: int | None = None

    def __post_init__(self) -> None:
        if len(self.parts) < 2 or len(set(self.parts)) != len(self.parts):
            raise InvalidInput(f"{self.name}: a composition needs two parts or more, each once; found {self._listed}.")
        if not 0 < self.total < math.inf:
            raise InvalidInput(f"{self.name}: the total is {show(self.total)}; a number above 0 was expected.")
        if not 1 <= self.at_least_parts <= self.most <= len(self.parts):
            raise InvalidInput(
                f"{self.name}: at least {self.at_least_parts} and at most {self.most} of {len(self.parts)} parts "
                f"cannot be; whole numbers from 1 to {len(self.parts)} were expected, the first not above the second."
            )

    @property
    def most(self) -> int:
        """How many parts may be above 0."""
        return len(self.parts) if self.at_most_parts is None else self.at_most_parts

    @property
    def is_sparse(self) -> bool:
        """Whether it matters how many parts are above 0."""
        return self.at_least_parts > 1 or self.most < len(self.parts)

    def problems(self, point: Point) -> list[str]:
        """Say in words what is wrong with the parts of a point."""
        amounts = [float(point[part]) for part in self.parts]
        found, wrong, unit = math.fsum(amounts), [], f" {self.unit}" if self.unit else ""
        if not abs(found - self.total) <= SLACK * max(self.total, *map(abs, amounts)):
            wrong.append(f"{' + '.join(self.parts)} = {found:.10g}{unit} is not the total of {show(self.total)}{unit}")
        there = sum(amount > 0 for amount in amounts)
        if not self.at_least_parts <= there <= self.most:
            wrong.append(f"{there} of the parts {self._listed} are above 0, and {self._count} may be")
        return wrong

    @property
    def _listed(self) -> str:
        return ", ".join(self.parts)

    @property
    def _count(self) -> str:
        least, most = self.at_least_parts, self.most
        if most == len(self.parts):
            return f"no fewer than {least}"
        return f"{'exactly' if least == most else 'at most'} {most}" if least in (1, most) else f"{least} to {most}"

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        sparse = f", {self._count} of them above 0" if self.is_sparse else ""
        return f"{' + '.join(self.parts)} = {show(self.total)}{unit}{sparse}"


@dataclass(frozen=True, kw_only=True)
class LinearConstraint:
    """A weighted sum of numeric parameters that must lie from `low` to `high`; either may be infinite."""

    coefficients: Mapping[str, float]
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        numbers = self.coefficients.values()
        if not any(numbers) or not all(map(math.isfinite, numbers)):
            raise InvalidInput(f"{self}: finite coefficients were expected, and one of them not 0.")
        if not self.low <= self.high or (math.isinf(self.low) and math.isinf(self.high)):
            raise InvalidInput(
                f"{self}: a lowest value, a highest or both were expected, the first not above the second."
            )

    def holds(self, point: Point) -> bool:
        """Say whether the point keeps it, but for what rounding costs."""
        terms = [factor * float(point[name]) for name, factor in self.coefficients.items()]
        slack = SLACK * max(map(abs, terms))
        return self.low - slack <= math.fsum(terms) <= self.high + slack

    def problems(self, point: Point) -> list[str]:
        """Say in words that a point does not keep it."""
        if self.holds(point):
            return []
        found = math.fsum(factor * float(point[name]) for name, factor in self.coefficients.items())
        return [f"{self._sum} = {found:.10g} is not {self._range}"]

    @property
    def _sum(self) -> str:
        terms = [(factor, name) for name, factor in self.coefficients.items() if factor]
        text = "".join(
            f" {'-' if factor < 0 else '+'} {'' if abs(factor) == 1 else f'{show(abs(factor))} '}{name}"
            for factor, name in terms
        )
        return text.removeprefix(" + ").strip() or "0"

    @property
    def _range(self) -> str:
        if math.isinf(self.low):
            return f"at most {show(self.high)}"
        return f"at least {show(self.low)}" if math.isinf(self.high) else f"{show(self.low)} to {show(self.high)}"

    def __str__(self) -> str:
        return f"{self._sum} is {self._range}"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A function that says of a point whether it may be tried; the same point gets the same answer."""

    name: str
    holds: Callable[[Point], bool]

    def problems(self, point: Point) -> list[str]:
        """Say in words that it forbids a point; one that raises forbids it too."""
        try:
            allowed = self.holds(dict(point))
        except Exception as error:  # a stranger's code may raise anything
            return [f"the rule {self.name} raised {type(error).__name__}: {error}"]
        return [] if allowed else [f"the rule {self.name} forbids it"]

    def __str__(self) -> str:
        return f"the rule {self.name} holds"
