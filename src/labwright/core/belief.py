"""What people believe of where the best point lies, before it has been measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from labwright.core.errors import InvalidInput
from labwright.core.moment import moment
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Space
from labwright.core.values import finite, show


@dataclass(frozen=True, kw_only=True)
class Belief:
    """Where the best value of one parameter is expected.

    Of a number: `near` a value, with two chances in three `within` so much of it, both in the parameter's unit. Of a
    word: how `likely` each is to be the best, chances that sum to at most 1; words that are not named share the rest.
    `weight`: how much it counts; 2 is as much as two people who say the same.
    """

    parameter: str
    near: float | None = None
    within: float | None = None
    likely: Mapping[str, float] = field(default_factory=dict)
    weight: float = 1.0

    def __post_init__(self) -> None:
        if (self.near is None) != (self.within is None) or (self.near is None) != bool(self.likely):
            raise InvalidInput("a belief says either near and within, or likely.")
        if self.near is not None and finite(self.near) is None:
            raise InvalidInput(f"near {self.near!r} is not a finite number.")
        if self.within is not None and not (finite(self.within) or 0) > 0:
            raise InvalidInput(f"within {self.within!r} must be a finite number above 0.")
        if not (finite(self.weight) or 0) > 0:
            raise InvalidInput(f"weight {self.weight!r} must be a finite number above 0.")
        if any(not 0 <= chance <= 1 for chance in self.likely.values()) or sum(self.likely.values()) > 1 + 1e-9:
            chances = ", ".join(f"{word}: {show(chance)}" for word, chance in self.likely.items())
            raise InvalidInput(f"likely {chances}: chances lie between 0 and 1 and sum to at most 1.")
        if self.likely and not any(self.likely.values()):
            raise InvalidInput("likely: at least one chance must be above 0.")

    def check(self, space: Space) -> None:
        """Raise InvalidInput where the belief is not about something that the space lets one choose."""
        if self.parameter not in space.names:
            raise InvalidInput(f"no parameter is named {self.parameter!r}; parameters: {', '.join(space.names)}.")
        match space[self.parameter]:
            case Continuous(low=low, high=high):
                self._check_number(low, high)
            case Discrete(values=values):
                self._check_number(values[0], values[-1])
            case Ordinal(levels=levels) | Categorical(levels=levels):
                self._check_words(levels)
            case other:
                raise InvalidInput(f"{self.parameter} is {other}; a belief is about a number or a word.")

    def words(self, unit: str | None) -> str:
        """Write it for people, with the unit of its parameter."""
        weight = "" if self.weight == 1 else f", weight {show(self.weight)}"
        if self.likely:
            chances = ", ".join(f"{word} {show(chance)}" for word, chance in self.likely.items())
            return f"{self.parameter} = {chances}{weight}"
        of = f" {unit}" if unit and unit != "1" else ""
        apart = " K" if unit in ("degC", "°C") else of
        return f"{self.parameter} = {show(self.near)}{of} within {show(self.within)}{apart}{weight}"

    def _check_number(self, low: float, high: float) -> None:
        if self.near is None:
            raise InvalidInput(f"{self.parameter} is a number; say near and within, not likely.")
        if not low <= self.near <= high:
            raise InvalidInput(
                f"near {show(self.near)} cannot be chosen: {self.parameter} goes from {show(low)} to {show(high)}. "
                "Say a value in that range, or widen the space."
            )

    def _check_words(self, levels: tuple[str, ...]) -> None:
        if not self.likely:
            raise InvalidInput(f"{self.parameter} is a word; say likely, with a chance for some words.")
        if strange := [word for word in self.likely if word not in levels]:
            raise InvalidInput(f"{self.parameter} cannot be {strange[0]!r}; it is one of {', '.join(levels)}.")

    def chances(self, levels: tuple[str, ...]) -> list[float]:
        """Return the chance of each level; those that are not named share what is left."""
        rest = max(1 - sum(self.likely.values()), 0.0)
        others = sum(level not in self.likely for level in levels) or 1
        return [self.likely.get(level, rest / others) for level in levels]


@dataclass(frozen=True, kw_only=True)
class GivenBelief:
    """A belief that somebody put on record while a campaign was under way; it counts until somebody takes it back.

    `task`: the question that it answers, if any.
    """

    id: int
    campaign: str
    belief: Belief
    by: str
    at: str
    why: str | None = None
    task: int | None = None
    ended_at: str | None = None
    ended_by: str | None = None
    ended_why: str | None = None

    @property
    def counts(self) -> bool:
        """Whether the planner heeds it now."""
        return self.ended_at is None

    def told(self, space: Space) -> str:
        """Write it for people: who expects the best where, why, and whether it still counts."""
        why = f": {self.why}" if self.why else ""
        asked = f", asked in task {self.task}" if self.task else ""
        said = self.belief.words(space[self.belief.parameter].unit)
        ended = f" Taken back by {self.ended_by}, {moment(self.ended_at)}: {self.ended_why}." if self.ended_at else ""
        return f"Belief {self.id} of {self.by}, {moment(self.at)}{asked}: {said}{why}.{ended}"
