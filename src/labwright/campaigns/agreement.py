"""Settles what a resource leaves open: the unit of an input, and whether anything could be chosen at all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from labwright import plugins
from labwright.campaigns.file import Problems
from labwright.core.campaign import Campaign
from labwright.core.capability import Capability, Input
from labwright.core.errors import InvalidUnit
from labwright.core.procedure import Condition, Constant, Reference, Step
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal
from labwright.core.units import DIMENSIONLESS, check_unit, convert
from labwright.core.values import is_number, show


def with_units(
    campaign: Campaign,
    capabilities: Mapping[str, Capability],
    units: Mapping[str, str | None],
    problems: Problems,
) -> dict[str, Capability]:
    """Return the capabilities with the unit of each input that has none taken from what the campaign binds to it.

    `units` are those of the names in the procedure. A limit without a unit cannot be held against a value that has one,
    so it is a problem.
    """
    settled = dict(capabilities)
    for i, step in enumerate(campaign.procedure):
        for name, binding in step.inputs.items():
            declared = settled[step.use].input(name)
            unit = binding.unit if isinstance(binding, Constant) else units.get(binding.name)
            if declared is None or unit is None or declared.unit is not None:
                continue
            if unit not in DIMENSIONLESS and (declared.low is not None or declared.high is not None):
                message = f"{step.use}.{name} has limits without a unit, but this is in {unit!r}. Declare theirs."
                problems.add(("procedure", i, "with", name), message)
                continue
            settled[step.use] = _with_input(settled[step.use], replace(declared, unit=unit))
    return settled


def _with_input(capability: Capability, changed: Input) -> Capability:
    return replace(capability, inputs=tuple(changed if i.name == changed.name else i for i in capability.inputs))


def check_step(
    index: int, step: Step, capability: Capability, units: Mapping[str, str | None], problems: Problems
) -> None:
    """Hold what a step says of itself against what its capability allows, and its conditions against the units."""
    if step.retries and not capability.repeatable:
        message = f"{step.use} is not repeatable, so nothing may be tried again by itself. Take `retries` out."
        problems.add(("procedure", index, "retries"), message)
    if step.gather is not None and step.gather.size > capability.batch:
        most = "1 trial" if capability.batch == 1 else f"{capability.batch} trials"
        message = f"found {step.gather.size}; {step.use} takes at most {most} at once."
        problems.add(("procedure", index, "batch"), message)
    for condition in step.when:
        if condition.name in units and is_number(condition.against.value):
            problems.attempt(("procedure", index, "when"), _check_condition, condition, units[condition.name])


def check_beliefs(campaign: Campaign, use: str, capability: Capability, problems: Problems) -> None:
    """Refuse a question about what cannot be believed in, or that the planner would take no account of."""
    if not capability.beliefs:
        return
    place, space = ("resources", use.partition(".")[0]), campaign.problem.space
    if not getattr(plugins.load("labwright.planners", campaign.planner.kind), "learns", False):
        problems.add(place, f"the planner {campaign.planner.kind!r} takes no account of beliefs; choose `gp`.")
    for name in capability.beliefs:
        if name not in space.names:
            problems.add(place, f"{use} asks for a belief about {name}; parameters: {', '.join(space.names)}.")
        elif not isinstance(space[name], Continuous | Discrete | Ordinal | Categorical):
            problems.add(place, f"{use}: {name} is {space[name]}; a belief is about a number or a word.")


def check_files(
    index: int, step: Step, capabilities: Mapping[str, Capability], steps: Sequence[Step], problems: Problems
) -> None:
    """Hold the files that a step takes against those that steps give: a file is bound to a file, and nothing else."""
    files = {
        name
        for other in steps
        if (known := capabilities.get(other.use)) is not None
        for name, source in other.gives.items()
        if (declared := known.output(source)) is not None and declared.file
    }
    for name, binding in step.inputs.items():
        wanted, place = capabilities[step.use].input(name), ("procedure", index, "with", name)
        file = binding.name if isinstance(binding, Reference) and binding.name in files else None
        if wanted is not None and wanted.file and file is None:
            problems.add(place, f"{step.use}.{name} takes a file; bind it to one that a step gives, as $scan.")
        elif wanted is not None and file is not None and not wanted.file:
            problems.add(place, f"${file} is a file, and {step.use}.{name} takes none. Declare it `file: true`.")


def _check_condition(condition: Condition, unit: str | None) -> None:
    against = condition.against.unit
    if unit is None and against not in (None, *DIMENSIONLESS):
        raise InvalidUnit(f"{condition}: nobody declares a unit for {condition.name}. Compare it with a bare number.")
    check_unit(against, unit, str(condition))


def check_limits(campaign: Campaign, capabilities: Mapping[str, Capability], problems: Problems) -> None:
    """Hold the campaign's limits against what can be set, and the space against every limit."""
    for name, limit in campaign.limits.items():
        place = ("safety", "limits", name)
        capability, _, wanted = name.rpartition(".")
        declared = capabilities[capability].input(wanted) if capability in capabilities else None
        if declared is None:
            known = ", ".join(f"{c}.{i.name}" for c, found in capabilities.items() for i in found.inputs)
            problems.add(place, f"nothing of that name can be set; known: {known}.")
        elif limit.unit is not None and declared.unit is None:
            problems.add(place, f"it is in {limit.unit!r}, but nobody says the unit of what is set. Declare it.")
        else:
            problems.attempt(place, check_unit, limit.unit, declared.unit, name)
    if not problems.found:
        _check_overlap(campaign, capabilities, problems)


def _check_overlap(campaign: Campaign, capabilities: Mapping[str, Capability], problems: Problems) -> None:
    for step in campaign.procedure:
        for name, binding in step.inputs.items():
            if isinstance(binding, Reference) and binding.name in campaign.problem.space.names:
                declared = capabilities[step.use].input(name)
                assert declared is not None
                low, high = _allowed(campaign, f"{step.use}.{name}", declared)
                message = _apart(campaign, binding.name, f"{step.use}.{name}", declared, low, high)
                if message:
                    problems.add(("space", binding.name), message)


def _allowed(campaign: Campaign, place: str, declared: Input) -> tuple[float, float]:
    low = -math.inf if declared.low is None else declared.low
    high = math.inf if declared.high is None else declared.high
    limit = campaign.limits.get(place)
    if limit is not None:
        low = max(low, convert(limit.low, limit.unit, declared.unit, place))
        high = min(high, convert(limit.high, limit.unit, declared.unit, place))
    return low, high


def _apart(campaign: Campaign, name: str, place: str, declared: Input, low: float, high: float) -> str | None:
    """Say so where nothing that may be chosen is allowed."""
    parameter = campaign.problem.space[name]
    if isinstance(parameter, Continuous):
        bounds: tuple[float, ...] = (parameter.low, parameter.high)
    elif isinstance(parameter, Discrete):
        bounds = parameter.values
    else:
        return None
    ends = sorted(convert(b, parameter.unit, declared.unit, place) for b in bounds)
    if ends[-1] >= low and ends[0] <= high:
        return None
    unit = f" {declared.unit}" if declared.unit else ""
    return (
        f"{place} allows {show(low)} to {show(high)}{unit}, and this is {show(ends[0])} to {show(ends[-1])}{unit}: "
        "nothing could be chosen."
    )
