"""What is wanted: objectives and outcome constraints over a space."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from labwright.core.belief import Belief
from labwright.core.errors import InvalidInput
from labwright.core.source import Source
from labwright.core.space import Space
from labwright.core.values import show

LARGEST = 1000  # weight or shape: beyond it nothing else would count


class Goal(StrEnum):
    """What is wanted of an objective."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"
    MATCH = "match"


class Aim(StrEnum):
    """What the objectives come to, taken together."""

    BEST = "best"  # one objective: its best value
    FRONT = "front"  # several: the trials that none is better than in everything
    DESIRABILITY = "desirability"  # weighed against each other by a person: the most desirable trial


@dataclass(frozen=True, kw_only=True)
class Desirability:
    """How desirable a value is: 0 at `worst` and beyond, 1 at `best` and beyond (Derringer and Suich 1980).

    Between the two it rises as a power, `shape`: above 1 only values near the best count for much. `weight` is its part
    in the whole. A target to match has no `best`: it is 1 there, and 0 as far from it as `worst`, on either side.
    """

    worst: float
    best: float | None = None
    weight: float = 1.0
    shape: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("weight", self.weight), ("shape", self.shape)):
            if not 0 < value <= LARGEST:
                raise InvalidInput(f"The desirability's {name} is {show(value)}, not above 0 and at most {LARGEST}.")


@dataclass(frozen=True, kw_only=True)
class Objective:
    """An outcome to make small, large, or equal to a target.

    `worst`: the value from which on a trial is of no use, however good its other objectives are. It bounds the front.
    """

    name: str
    goal: Goal
    unit: str | None = None
    target: float | None = None
    worst: float | None = None
    desirability: Desirability | None = None

    def __post_init__(self) -> None:
        if (self.goal is Goal.MATCH) != (self.target is not None):
            raise InvalidInput(f"{self.name}: a target is given when, and only when, the goal is to match it.")
        if self.worst is not None and self.desirability is not None:
            raise InvalidInput(f"{self.name}: worst bounds a front. Where there is a desirability it stands in that.")
        if self.worst is not None and self.goal is Goal.MATCH and self.loss(self.worst) == 0:
            raise InvalidInput(f"{self.name}: worst is the target, {show(self.worst)}: nothing would be of use.")
        if self.desirability is not None:
            self._check(self.desirability)

    def _check(self, wish: Desirability) -> None:
        if (self.goal is Goal.MATCH) != (wish.best is None):
            raise InvalidInput(
                f"{self.name}: the desirability needs a best value, unless the goal is to match: "
                "then the target is the best, and no other is given."
            )
        worst, best = self.range
        if not best < worst:
            raise InvalidInput(
                f"{self.name}: the desirability goes from worst {show(wish.worst)} to best "
                f"{show(self.target if wish.best is None else wish.best)}, but the goal is to {self.goal}."
            )

    @property
    def range(self) -> tuple[float, float]:
        """The losses at which the desirability is 0 and 1. Only for an objective that has one."""
        assert self.desirability is not None
        best = self.desirability.best
        return self.loss(self.desirability.worst), 0.0 if best is None else self.loss(best)

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
    """The planner's whole question: where to look, what is wanted, what must hold, what others believe and answer."""

    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[OutcomeConstraint, ...] = ()
    context: tuple[ContextVariable, ...] = ()
    beliefs: tuple[Belief, ...] = ()
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        weighed = [o.name for o in self.objectives if o.desirability is not None]
        plain = [o.name for o in self.objectives if o.desirability is None]
        if weighed and plain:
            raise InvalidInput(
                f"{', '.join(weighed)} has a desirability and {', '.join(plain)} has none. Give every objective one, "
                "and the most desirable trial is looked for; or give none, and the front is."
            )
        if len(self.objectives) == 1 and self.objective.worst is not None:
            raise InvalidInput(f"{self.objective.name}: worst bounds a front, of several objectives; here is one.")
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise InvalidInput(f"Each source needs a name of its own; found {', '.join(names)}.")
        for source in self.sources:
            source.check(self.space, self.outcomes)

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
        """The first objective: the one that is shown where there is room for one only."""
        return self.objectives[0]

    @property
    def aim(self) -> Aim:
        """What the objectives come to, taken together."""
        if self.objective.desirability is not None:
            return Aim.DESIRABILITY
        return Aim.FRONT if len(self.objectives) > 1 else Aim.BEST

    def feasible(self, outcomes: Mapping[str, float]) -> bool:
        """Say whether the outcomes are all there and satisfy every constraint."""
        return all(c.name in outcomes and c.holds(outcomes[c.name]) for c in self.constraints)

    def answers(self, outcomes: Mapping[str, float]) -> bool:
        """Say whether every objective was measured and every constraint is satisfied."""
        return all(o.name in outcomes for o in self.objectives) and self.feasible(outcomes)

    def losses(self, outcomes: Mapping[str, float]) -> tuple[float, ...]:
        """Return the loss of each objective; smaller is better."""
        return tuple(o.loss(outcomes[o.name]) for o in self.objectives)

    def desirability(self, outcomes: Mapping[str, float]) -> float:
        """Return the overall desirability, from 0 to 1: the weighted geometric mean of the objectives'."""
        total, logs = 0.0, 0.0
        for objective in self.objectives:
            assert objective.desirability is not None
            worst, best = objective.range
            share = (worst - objective.loss(outcomes[objective.name])) / (worst - best)
            if share <= 0:
                return 0.0
            total += objective.desirability.weight
            logs += objective.desirability.weight * objective.desirability.shape * math.log(min(share, 1.0))
        return math.exp(logs / total)

    def rank(self, outcomes: Mapping[str, float]) -> tuple[float, ...]:
        """Return numbers by which results are ordered, the best first: of a front, by the first objective."""
        losses = self.losses(outcomes)
        return (-self.desirability(outcomes), *losses) if self.aim is Aim.DESIRABILITY else losses
