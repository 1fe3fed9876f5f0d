"""What the steps of a campaign file do with samples and lots, held against what can be."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from labwright.campaigns.file.problems import Problems
from labwright.campaigns.file.schema import NAME, StepPart
from labwright.core.material import Samples, check_same
from labwright.core.procedure import Constant, Reference, Step, ancestors
from labwright.core.space import Space

Before: TypeAlias = Mapping[str, frozenset[str]]
KEYS = ("makes", "measures", "uses_up", "moves")


def read_samples(index: int, part: StepPart, problems: Problems) -> Samples:
    """Return what a step does with samples; a name that cannot be one goes to `problems`."""
    for key in KEYS:
        for name in getattr(part, key):
            if re.match(NAME, name) is None:
                message = f"found {name!r}; a name of letters, digits and _ was expected."
                problems.add(("procedure", index, key), message)
    makes, measures, uses_up = (tuple(dict.fromkeys(names)) for names in (part.makes, part.measures, part.uses_up))
    for name in set(uses_up) & ({*makes} | {*part.moves}):
        other = "makes" if name in makes else "moves"
        message = f"it {other} {name} and uses it up; nothing could be done with it in between. Say one of the two."
        problems.add(("procedure", index, "uses_up"), message)
    return Samples(makes=makes, measures=measures, uses_up=uses_up, moves=part.moves)


def check_samples(steps: Sequence[Step], problems: Problems) -> None:
    """See that each sample is made before anything is done with it, once, and that nothing is done with it after."""
    before = ancestors(steps)
    for i, step in enumerate(steps):
        for key, name in _named(step):
            message = _unmade(step, name, steps, before) if key != "makes" else _twice(i, name, steps, "makes")
            message = message or (_used(i, key, name, steps, before) if key != "makes" else None)
            if message is not None:
                problems.add(("procedure", i, key), message)


def _named(step: Step) -> Iterator[tuple[str, str]]:
    for key in KEYS:
        for name in getattr(step.samples, key):
            yield key, name


def _unmade(step: Step, name: str, steps: Sequence[Step], before: Before) -> str | None:
    makers = [s.name for s in steps if name in s.samples.makes]
    if name in step.samples.makes or any(maker in before[step.name] for maker in makers):
        return None
    if makers:
        return f"{name} is made by {makers[0]}, which does not come before this step; add it to `after`."
    made = sorted({n for s in steps for n in s.samples.makes})
    return f"no step makes {name}; made here: {', '.join(made) or 'nothing'}. Say which step does: `makes: {name}`."


def _twice(index: int, name: str, steps: Sequence[Step], key: str) -> str | None:
    """Say that an earlier step does the same with a sample; steps with conditions may stand for each other."""
    for other in steps[:index]:
        if name in getattr(other.samples, key) and not (other.when and steps[index].when):
            done = "makes" if key == "makes" else "uses up"
            return f"{other.name} {done} {name} as well; only one step can, unless both have a `when`."
    return None


def _used(index: int, key: str, name: str, steps: Sequence[Step], before: Before) -> str | None:
    """Say that a sample may be gone when a step comes to it."""
    if key == "uses_up" and (twice := _twice(index, name, steps, key)):
        return twice
    step = steps[index]
    for other in steps:
        if other is step or name not in other.samples.uses_up or (key == "uses_up" or (other.when and step.when)):
            continue
        if other.name in before[step.name]:
            return f"{other.name} uses up {name} before this step; nothing can be done with it any more."
        if step.name not in before[other.name]:
            return f"{other.name} uses up {name} and may come first; add this step to its `after`."
    return None


def check_lots(space: Space, steps: Sequence[Step], problems: Problems) -> None:
    """See that what is taken from one lot comes in units that can be converted into each other, where known."""
    first: dict[str, tuple[str, str | None]] = {}
    for i, step in enumerate(steps):
        for lot, binding in step.takes.items():
            if isinstance(binding, Reference) and binding.name not in space.names:
                continue  # it is known when the resources have said what they give
            unit = (binding.unit if isinstance(binding, Constant) else space[binding.name].unit) or "1"
            name, against = first.setdefault(lot, (step.name, unit))
            problems.attempt(("procedure", i, "takes", lot), check_same, unit, against, lot, name)
