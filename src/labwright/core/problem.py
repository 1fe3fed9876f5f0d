"""What is wanted: objectives and outcome constraints over a space."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from labwright.core.errors import InvalidInput
from labwright.core.space import Space
from labwright.core.values import show


class Goal(StrEnum):
    """What is wanted of an objective."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"
    MATCH = "match"


@dataclass(frozen=True, kw_only=True)
class Objective:
    """An outcome to make small, large, or equal to a target."""

    name: str
    goal: Goal
    unit: str | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        if (self.goal is Goal.MATCH) != (self.target is not None):
            raise InvalidInput(f"{self.name}: a target is given when, and only when, the goal is to match it.")

    def loss(self, value: float) -> float:
        """Return a number that is smaller when the value is better."""
        match self.goal:
            case Goal.MINIMIZE:
                return value
            case Goal.MAXIMIZE:
                return -value
            case Goal.MATCH:
                return abs(value - (self.target or 0.0))


@dataclass(frozen=True, kw_only=True)
class OutcomeConstraint:
    """What must hold of a result: at least `low`, at most `high`, or both."""

    name: str
    low: float = -math.inf
    high: float = math.inf
    unit: str | None = None

    def __post_init__(self) -> None:
        if not self.low <= self.high or (math.isinf(self.low) and math.isinf(self.high)):
            raise InvalidInput(
                f"{self.name}: a constraint needs at_least, at_most or both, and the first not above the second."
            )

    def holds(self, value: float) -> bool:
        """Say whether the value satisfies the constraint."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        bounds = [f"at least {show(self.low)}"] if math.isfinite(self.low) else []
        bounds += [f"at most {show(self.high)}"] if math.isfinite(self.high) else []
        return f"{self.name} {' and '.join(bounds)}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True, kw_only=True)
class ContextVariable:
    """What is recorded of every trial because it may matter, and cannot be chosen: the humidity of the day."""

    name: str
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The planner's whole question: where to look, what is wanted, what must hold."""

    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[OutcomeConstraint, ...] = ()
    context: tuple[ContextVariable, ...] = ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The names of everything that a trial must measure."""
        return tuple(dict.fromkeys([o.name for o in self.objectives] + [c.name for c in self.constraints]))

    @property
    def recorded(self) -> tuple[str, ...]:
        """The names of everything that is recorded of a trial: the outcomes, and the context."""
        return (*self.outcomes, *(c.name for c in self.context))

    @property
    def objective(self) -> Objective:
        """The first objective: the one that is shown as best so far."""
        return self.objectives[0]

    def feasible(self, outcomes: Mapping[str, float]) -> bool:
        """Say whether the outcomes are all there and satisfy every constraint."""
        return all(c.name in outcomes and c.holds(outcomes[c.name]) for c in self.constraints)
