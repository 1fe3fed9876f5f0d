"""From the `space` and the `rules` of a campaign file to a space."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from labwright.campaigns.file.problems import Problems
from labwright.campaigns.file.quantities import common_unit, in_unit
from labwright.campaigns.file.rules import read_rule
from labwright.campaigns.file.schema import (
    CampaignPart,
    CategoricalPart,
    CompositionPart,
    ContinuousPart,
    DiscretePart,
    OrdinalPart,
    ParameterPart,
    PartLimits,
)
from labwright.core.errors import InvalidInput
from labwright.core.restriction import Composition
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Parameter, Space

Place = tuple[str | int, ...]


def build_space(part: CampaignPart, problems: Problems) -> Space | None:
    """Return the space; what is wrong goes to `problems`, and None may be returned."""
    parameters: list[Parameter] = []
    compositions = []
    before = len(problems.found)
    for name, one in part.space.items():
        if isinstance(one, CompositionPart):
            found = problems.attempt(("space", name), _composition, name, one)
            parameters += found[1] if found else ()
            compositions += [found[0]] if found else []
        elif (parameter := problems.attempt(("space", name), _parameter, name, one)) is not None:
            parameters.append(parameter)
    folder = Path(problems.file).parent
    rules = [problems.attempt(("rules", i), read_rule, text, folder) for i, text in enumerate(part.rules)]
    if len(problems.found) > before:
        return None
    kept = tuple(rule for rule in rules if rule is not None)
    # Each for itself, so that what is wrong has its line.
    problems.attempt(("space",), Space, parameters=tuple(parameters))
    for composition in compositions if len(problems.found) == before else ():
        problems.attempt(("space", composition.name), Space, parameters=tuple(parameters), compositions=(composition,))
    for i, rule in enumerate(kept) if len(problems.found) == before else ():
        problems.attempt(("rules", i), Space, parameters=tuple(parameters), constraints=(rule,))
    if len(problems.found) > before:
        return None
    return problems.attempt(
        ("space",), Space, parameters=tuple(parameters), compositions=tuple(compositions), constraints=kept
    )


def places(parts: Mapping[str, ParameterPart]) -> dict[str, Place]:
    """Return where each parameter stands in the file."""
    return dict(_places(parts))


def _places(parts: Mapping[str, ParameterPart]) -> Iterator[tuple[str, Place]]:
    for name, part in parts.items():
        if not isinstance(part, CompositionPart):
            yield name, ("space", name)
            continue
        for i, one in enumerate(part.parts):
            yield one, ("space", name, "parts", i if isinstance(part.parts, Sequence) else one)


def _parameter(name: str, part: ParameterPart) -> Parameter:
    if isinstance(part, ContinuousPart):
        unit = common_unit(part.unit, [part.low, part.high])
        low, high = (in_unit(q, unit, key) for key, q in (("low", part.low), ("high", part.high)))
        return Continuous(name=name, low=low, high=high, unit=unit, log=part.log)
    if isinstance(part, DiscretePart):
        unit = common_unit(part.unit, part.values)
        return Discrete(name=name, values=tuple(in_unit(q, unit, "values") for q in part.values), unit=unit)
    if isinstance(part, OrdinalPart):
        return Ordinal(name=name, levels=tuple(part.levels))
    assert isinstance(part, CategoricalPart)
    return Categorical(name=name, levels=tuple(part.levels), descriptors=_descriptors(part))


def _descriptors(part: CategoricalPart) -> dict[str, tuple[float, ...]]:
    """Return the numbers that tell of each level what it is like; all levels must have the same."""
    if not isinstance(part.levels, Mapping):
        return {}
    names = list(dict.fromkeys(name for level in part.levels.values() for name in level))
    for level, numbers in part.levels.items():
        missing = [name for name in names if name not in numbers]
        if missing:
            raise InvalidInput(f"the level {level} has no {', '.join(missing)}; give it to every level, or to none.")
    return {name: tuple(numbers[name] for numbers in part.levels.values()) for name in names}


def _composition(name: str, part: CompositionPart) -> tuple[Composition, list[Parameter]]:
    limits = part.parts if isinstance(part.parts, Mapping) else dict.fromkeys(part.parts, PartLimits())
    unit = common_unit(part.unit, [part.total, *(q for one in limits.values() for q in (one.low, one.high))])
    total = in_unit(part.total, unit, "total")
    composition = Composition(
        name=name,
        parts=tuple(part.parts),
        total=total,
        unit=unit,
        at_least_parts=part.at_least_parts,
        at_most_parts=part.at_most_parts,
    )
    parameters: list[Parameter] = []
    for one, limit in limits.items():
        low = 0.0 if limit.low is None else in_unit(limit.low, unit, f"{one}.low")
        high = total if limit.high is None else min(in_unit(limit.high, unit, f"{one}.high"), total)
        parameters.append(Continuous(name=one, low=low, high=high, unit=unit))
    return composition, parameters
