"""From the file to what the planner is told besides the question: what people believe, and when it is enough."""

from collections import Counter
from collections.abc import Sequence

from labwright.campaigns.file.problems import Problems
from labwright.campaigns.file.schema import NOISE, BeliefPart, Quantity, StopPart
from labwright.core.belief import Belief
from labwright.core.campaign import StopRule
from labwright.core.errors import InvalidInput
from labwright.core.problem import Objective
from labwright.core.space import Space
from labwright.core.units import convert, convert_spread


def build_beliefs(parts: Sequence[BeliefPart], space: Space, problems: Problems) -> tuple[Belief, ...]:
    """Return the beliefs; what does not fit the space or itself goes to `problems`."""
    found = [problems.attempt(("planner", "beliefs", i), belief_of, part, space) for i, part in enumerate(parts)]
    for name, times in Counter(part.parameter for part in parts).items():
        if times > 1:
            last = max(i for i, part in enumerate(parts) if part.parameter == name)
            problems.add(
                ("planner", "beliefs", last), f"{name} has {times} beliefs; say one, as wide as you are unsure."
            )
    return tuple(belief for belief in found if belief is not None)


def belief_of(part: BeliefPart, space: Space) -> Belief:
    """Return a belief in the unit of its parameter; what does not fit the space raises InvalidInput."""
    if part.parameter not in space.names:
        raise InvalidInput(f"no parameter is named {part.parameter!r}; parameters: {', '.join(space.names)}.")
    unit = space[part.parameter].unit
    near = None if part.near is None else convert(part.near.value, part.near.unit or unit, unit, "near")
    within = None if part.within is None else _difference(part.within, unit, "within")
    belief = Belief(parameter=part.parameter, near=near, within=within, likely=part.likely, weight=part.weight)
    belief.check(space)
    return belief


def _difference(quantity: Quantity, unit: str | None, place: str) -> float:
    """Return how far apart two values are, in a unit: 5 degC are 5 K here."""
    if quantity.unit is None:
        return quantity.value
    if quantity.unit in ("K", "kelvin") and unit in ("degC", "°C"):
        return quantity.value
    return convert_spread(quantity.value, 0.0, quantity.unit, unit, place)


def build_stop(part: StopPart | None, objectives: Sequence[Objective], problems: Problems) -> StopRule | None:
    """Return when the campaign stops before its budget is spent; what cannot be judged goes to `problems`."""
    if part is None:
        return None
    if len(objectives) > 1:
        problems.add(
            ("stop",), f"this campaign has {len(objectives)} objectives, and a gain is judged by one; take `stop` out."
        )
    return problems.attempt(("stop", "when_gain_below"), _stop, part, objectives[0])


def _stop(part: StopPart, objective: Objective) -> StopRule:
    wanted, of_noise = part.when_gain_below, part.when_gain_below.unit == NOISE
    if objective.unit is None and wanted.unit is not None and not of_noise:
        raise InvalidInput(
            f"found '{wanted.value:g} {wanted.unit}', but {objective.name} has no unit. Write a number alone, "
            f"{wanted.value:g}, or so many times the noise, as `0.5 noise`; or give {objective.name} its unit."
        )
    gain = wanted.value if of_noise else _difference(wanted, objective.unit, "when_gain_below")
    if gain <= 0:
        raise InvalidInput(f"found {wanted.value:g}, expected a gain above 0.")
    return StopRule(gain=gain, of_noise=of_noise, unit=objective.unit, not_before=part.not_before)
