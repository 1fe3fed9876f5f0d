"""What a campaign's trials take from lots and do with samples."""

import math
from collections.abc import Mapping, Sequence

from labwright.campaigns.file import Problems
from labwright.core.campaign import Campaign
from labwright.core.material import Act, Handling, Taking, check_same
from labwright.core.need import Need
from labwright.core.procedure import Binding, Constant, Names, Reference, Step, amount_of, in_order
from labwright.core.space import Continuous, Discrete, Space


def takings_of(index: int, step: Step, names: Names) -> tuple[Taking, ...]:
    """Return what a step takes from lots, by what is known; what is no amount raises InvalidInput."""
    found = []
    for lot in step.takes:
        amount = amount_of(step, lot, names)
        unit = None if amount is None else amount.unit
        value = None if amount is None else float(amount.value)
        found.append(Taking(step=index, lot=lot, amount=value, unit=unit))
    return tuple(found)


def needs_of(space: Space, steps: Sequence[Step]) -> tuple[Need, ...]:
    """Return what a trial that comes to its end takes from each lot, wherever in the space it lies."""
    found: dict[str, Need] = {}
    doubtful: set[str] = set()
    for i in in_order(steps):
        step = steps[i]
        skippable = bool(step.when) or not doubtful.isdisjoint({*step.references, *step.samples.needed})
        doubtful |= {*step.gives, *step.samples.makes} if skippable else set()
        for lot, binding in step.takes.items():
            least, most, unit = _bounds(space, binding)
            need = Need(lot=lot, least=0.0 if skippable else least, most=most * (1 + step.retries), unit=unit)
            found[lot] = found[lot] + need if lot in found else need
    return tuple(found.values())


def _bounds(space: Space, binding: Binding) -> tuple[float, float, str | None]:
    """Return the least and the most that an amount may be, and its unit; what a result tells may be anything."""
    if isinstance(binding, Constant):
        return float(binding.value), float(binding.value), binding.unit
    parameter = space[binding.name] if binding.name in space.names else None
    if parameter is not None and space.pool is not None:
        amounts = [float(value) for value in space.pool.columns[parameter.name]]
        return min(amounts), max(amounts), parameter.unit
    match parameter:
        case Continuous(low=low, high=high, unit=unit):
            return low, high, unit
        case Discrete(values=values, unit=unit):
            return values[0], values[-1], unit
        case _:
            return 0.0, math.inf, None


def handlings_of(steps: Sequence[Step]) -> tuple[Handling, ...]:
    """Return what the steps do with the samples of a trial; what is made is where it was made."""
    found = []
    for i, step in enumerate(steps):
        found += [Handling(step=i, sample=n, act=Act.MAKE, place=step.resource) for n in step.samples.makes]
        found += [Handling(step=i, sample=n, act=Act.MEASURE) for n in step.samples.measures]
        found += [Handling(step=i, sample=n, act=Act.MOVE, place=to) for n, to in step.samples.moves.items()]
        found += [Handling(step=i, sample=n, act=Act.USE_UP) for n in step.samples.uses_up]
    return tuple(found)


def check_amounts(campaign: Campaign, units: Mapping[str, str | None], problems: Problems) -> None:
    """Hold what is taken from each lot by the result of a step against what others take; `units`: of every name."""
    first: dict[str, tuple[str, str | None]] = {}
    for i, step in enumerate(campaign.procedure):
        for lot, binding in step.takes.items():
            unit = binding.unit if isinstance(binding, Constant) else units.get(binding.name)
            if isinstance(binding, Reference) and unit is None and binding.name not in campaign.problem.space.names:
                continue  # the resource does not say it
            name, against = first.setdefault(lot, (step.name, unit))
            problems.attempt(("procedure", i, "takes", lot), check_same, unit, against, lot, name)
