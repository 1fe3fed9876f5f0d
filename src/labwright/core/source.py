"""A cheap or an earlier answer to the planner's question: a campaign before this one, a simulator, a twin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from labwright.core.errors import InvalidInput
from labwright.core.space import Categorical, Continuous, Ordinal, Parameter, Space
from labwright.core.values import Point, Value, finite, show

Ask: TypeAlias = Callable[[Point], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a source says of one point: some of the outcomes, in the units of the campaign."""

    point: Point
    outcomes: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Somebody else's answers to the same question, right or wrong: how far they help is learned from the trials.

    `answers`: what it says already. `ask`: what it says of any other point, the same for the same point each time; it
    may raise. `cost`: that of asking once, as a fraction of a trial; given when, and only when, there is `ask`.
    """

    name: str
    answers: tuple[Answer, ...] = field(default=(), hash=False)
    ask: Ask | None = None
    cost: float | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidInput("A source has no name. Give it one: the reasons for a point speak of it.")
        if (self.ask is None) != (self.cost is None):
            raise InvalidInput(f"The source {self.name!r} needs a cost when, and only when, it can be asked.")
        if self.cost is not None and not 0 < (finite(self.cost) or 0) < 1:
            raise InvalidInput(
                f"The source {self.name!r} costs {self.cost!r} of a trial; a fraction above 0 and below 1 was "
                "expected. What costs as much as a trial is better measured."
            )
        if not self.answers and self.ask is None:
            raise InvalidInput(f"The source {self.name!r} knows nothing and cannot be asked. Give it answers, or ask.")

    def check(self, space: Space, outcomes: Sequence[str]) -> None:
        """Raise InvalidInput where the answers are not about this space, or about none of these outcomes."""
        for number, answer in enumerate(self.answers, start=1):
            place = f"The source {self.name!r}, answer {number}:"
            names = ", ".join(space.names)
            if strange := [name for name in answer.point if name not in space.names]:
                raise InvalidInput(f"{place} {strange[0]!r} is not a parameter; found {names} in the space.")
            if missing := [name for name in space.names if name not in answer.point]:
                raise InvalidInput(f"{place} it says no {missing[0]}; a point needs {names}. Add it, or leave it out.")
            for name, value in {**answer.outcomes, **answer.point}.items():
                word = name in space.names and not _is_numeric(space[name])
                if not word and finite(value) is None:
                    raise InvalidInput(
                        f"{place} {name} is {value!r}; a finite number was expected. Mend it, or leave the answer out."
                    )
        if self.answers and not any(name in answer.outcomes for answer in self.answers for name in outcomes):
            raise InvalidInput(
                f"The source {self.name!r} knows none of the outcomes that are wanted: {', '.join(outcomes)}. "
                "Name its outcomes as they are named here, or take it out."
            )

    def usable(self, space: Space) -> tuple[Answer, ...]:
        """Return the answers at points that can be compared with those of the space."""
        return tuple(a for a in self.answers if not _strange(space, a.point))

    def left_out(self, space: Space) -> str | None:
        """Say in words which answers cannot be compared with points of the space; None where all can."""
        strange = [words for a in self.answers if (words := _strange(space, a.point))]
        if not strange:
            return None
        return f"{len(strange)} of {len(self.answers)} answers are left out, as the first of them: {strange[0]}"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the answers of a source are to be had: from one campaign, one table, or one function with its cost."""

    name: str
    campaign: str | None = None
    table: str | None = None
    function: str | None = None
    cost: float | None = None


def _is_numeric(parameter: Parameter) -> bool:
    return not isinstance(parameter, Ordinal | Categorical)


def _strange(space: Space, point: Point) -> str | None:
    """Say what of a point cannot be encoded: a word that is no level, a number that has no logarithm."""
    return next((words for p in space.parameters if (words := _unknown(p, point[p.name]))), None)


def _unknown(parameter: Parameter, value: Value) -> str | None:
    match parameter:
        case Ordinal(levels=levels) | Categorical(levels=levels):
            return None if value in levels else f"{parameter.name} is {value!r}, not {parameter}"
        case Continuous(log=True):
            return None if float(value) > 0 else f"{parameter.name} is {show(value)}, and has no logarithm"
        case _:
            return None
