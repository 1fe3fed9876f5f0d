"""Short phrases of a report: a value with its unit, a point, a count, a list."""

import math
from collections.abc import Mapping, Sequence

from labwright.core.problem import Goal, Objective
from labwright.core.space import Continuous, Discrete, Parameter, Space
from labwright.core.trial import Trial
from labwright.core.values import Value, show

NEAR = 0.005
NO_UNIT = (None, "", "1", "dimensionless")


def with_unit(value: Value, unit: str | None) -> str:
    """Write a value with its unit."""
    return show(value) if unit in NO_UNIT else f"{show(value)}\u00a0{unit}"


def assigned(name: str, value: Value, unit: str | None) -> str:
    """Write a name with its value; they stay on one line."""
    return f"{name}\u00a0=\u00a0{with_unit(value, unit)}"


def headed(name: str, unit: str | None) -> str:
    """Write a name with the unit of what stands under or beside it."""
    return name if unit in NO_UNIT else f"{name} [{unit}]"


def point_words(space: Space, trial: Trial) -> str:
    """Write a trial's point."""
    return listed([assigned(p.name, trial.point[p.name], p.unit) for p in space.parameters])


def outcomes_words(trial: Trial, names: Sequence[str], units: Mapping[str, str | None]) -> str:
    """Write some outcomes of a trial, as far as they were measured."""
    return listed([assigned(n, trial.outcomes[n], units.get(n)) for n in names if n in trial.outcomes])


def wanted(objective: Objective) -> str:
    """Write what is wanted of an objective."""
    if objective.goal is Goal.MATCH and objective.target is not None:
        return f"{objective.name} to match {with_unit(objective.target, objective.unit)}{_weighed(objective)}"
    return (
        f"{objective.name} as {'low' if objective.goal is Goal.MINIMIZE else 'high'} as possible{_weighed(objective)}"
    )


def _weighed(objective: Objective) -> str:
    wish = objective.desirability
    if wish is None:
        return "" if objective.worst is None else f" (of use from {with_unit(objective.worst, objective.unit)} on)"
    best = "" if wish.best is None else f", best {with_unit(wish.best, objective.unit)}"
    shape = "" if wish.shape == 1 else f", shape {show(wish.shape)}"
    return f" (worst {with_unit(wish.worst, objective.unit)}{best}, weight {show(wish.weight)}{shape})"


def edge_words(parameter: Parameter, value: Value) -> str | None:
    """Say that a value stands at the end of what could be chosen; None where it does not."""
    if isinstance(value, str):
        return None
    match parameter:
        case Continuous(low=low, high=high, log=log):
            share = math.log(value / low, high / low) if log else (value - low) / (high - low)
            at_low, at_high = share <= NEAR, share >= 1 - NEAR
        case Discrete(values=values) if len(values) > 1:
            at_low, at_high = value <= values[0], value >= values[-1]
        case _:
            return None
    return "the lowest allowed" if at_low else "the highest allowed" if at_high else None


def counted(count: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun: `1 trial`, `3 trials`."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def listed(items: Sequence[str]) -> str:
    """Write a list as a person says it: `a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def sentence(text: str) -> str:
    """Write a reason as a sentence: its first letter large, and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def percent(share: float) -> str:
    """Write a share of 1 in percent."""
    return f"{100 * share:.0f}\u00a0%"


def rough(value: float, unit: str | None) -> str:
    """Write what is known roughly only: three digits."""
    return with_unit(float(f"{value:.3g}"), unit)
