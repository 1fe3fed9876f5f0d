"""Declared limits: what is set without one is refused."""

import math
from collections.abc import Iterator, Mapping

from labwright.core.campaign import Limit
from labwright.core.capability import Capability, Input
from labwright.core.space import Space
from labwright.core.units import convert
from labwright.core.values import Point, Value, is_number, is_reference, show
from labwright.core.verdict import ALLOWED, Action, Decision, Plan, Verdict

_UNDECLARED = "its limits are not declared, by the resource or under safety: limits"


class SpaceReviewer:
    """Refuses a point that is not in the space, breaks a restriction, or is no candidate where there are some."""

    def __init__(self, space: Space) -> None:
        self._space = space

    def __call__(self, plan: Plan) -> Verdict:
        """Name every parameter that is missing, unknown or out of range, and everything that it breaks."""
        problems, pool = self._space.problems(plan.point), self._space.pool
        if not problems and pool is not None and not pool.has(plan.point):
            problems = [f"{_written(plan.point)} is none of the {len(pool)} candidates"]
        return Verdict(decision=Decision.REFUSE, reasons=tuple(problems)) if problems else ALLOWED


def _written(point: Point) -> str:
    return ", ".join(f"{name} = {show(value)}" for name, value in point.items())


class LimitsReviewer:
    """Holds every input against the resource's limits and the campaign's.

    `capabilities` and `limits` are named resource.capability and resource.capability.input. A number needs a lowest and
    a highest value, a word a list of levels; for a repeatable capability the space's own bounds are limits enough, and
    what is only shown to people sets nothing.
    """

    def __init__(self, capabilities: Mapping[str, Capability], limits: Mapping[str, Limit]) -> None:
        self._capabilities = capabilities
        self._limits = limits

    def __call__(self, plan: Plan) -> Verdict:
        """Name every input that is out of its limits, or has none."""
        objections = [o for action in plan.actions for o in self._objections(action)]
        if not objections:
            return ALLOWED
        return Verdict(decision=max(d for d, _ in objections), reasons=tuple(reason for _, reason in objections))

    def _objections(self, action: Action) -> Iterator[tuple[Decision, str]]:
        capability = self._capabilities.get(action.name)
        if capability is None:
            yield Decision.UNKNOWN, f"{action.name} is not a capability that anyone declares"
            return
        for name, value in action.inputs.items():
            place, declared = f"{action.name}.{name}", capability.input(name)
            if declared is None:
                yield Decision.REFUSE, f"{place} is not an input of it"
            elif declared.file:
                if not is_reference(value):
                    yield Decision.REFUSE, f"{place} = {value!r} is no file of an earlier step"
            elif is_number(value):
                yield from self._number(place, float(value), declared, capability.repeatable or declared.shown)
            elif isinstance(value, str):
                yield from self._word(place, value, declared, capability.repeatable or declared.shown)
            else:
                yield Decision.REFUSE, f"{place} = {value!r} is neither a number nor a word"

    def _number(self, place: str, value: float, declared: Input, harmless: bool) -> Iterator[tuple[Decision, str]]:
        if not math.isfinite(value):
            yield Decision.REFUSE, f"{place} = {value} is not a finite number"
            return
        if declared.levels is not None:
            if value not in declared.levels:
                yield Decision.REFUSE, f"{place} = {show(value)} is not one of {_listed(declared.levels)}"
            return
        low, high = self._range(place, declared)
        unit = f" {declared.unit}" if declared.unit else ""
        if value < low:
            yield Decision.REFUSE, f"{place} = {show(value)}{unit} is below its limit of {show(low)}{unit}"
        elif value > high:
            yield Decision.REFUSE, f"{place} = {show(value)}{unit} is above its limit of {show(high)}{unit}"
        elif not harmless and math.isinf(high - low):
            yield Decision.UNKNOWN, f"{place} = {show(value)}{unit} is set, but {_UNDECLARED}"

    def _range(self, place: str, declared: Input) -> tuple[float, float]:
        low = -math.inf if declared.low is None else declared.low
        high = math.inf if declared.high is None else declared.high
        limit = self._limits.get(place)
        if limit is None:
            return low, high
        bounds = [convert(bound, limit.unit, declared.unit, f"limit of {place}") for bound in (limit.low, limit.high)]
        return max(low, bounds[0]), min(high, bounds[1])

    def _word(self, place: str, value: str, declared: Input, harmless: bool) -> Iterator[tuple[Decision, str]]:
        bounded = declared.low is not None or declared.high is not None or place in self._limits
        if declared.levels is not None:
            if value not in declared.levels:
                yield Decision.REFUSE, f"{place} = {value!r} is not one of {_listed(declared.levels)}"
        elif bounded or declared.unit is not None:
            yield Decision.REFUSE, f"{place} = {value!r} is a word; a number was expected"
        elif not harmless:
            yield Decision.UNKNOWN, f"{place} = {value!r} is set, but {_UNDECLARED}"


def _listed(levels: tuple[Value, ...]) -> str:
    return ", ".join(show(level) for level in levels)
