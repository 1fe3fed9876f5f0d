"""From the steps of a campaign file to a procedure: what each is called, what it waits for, what it may refer to."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TypeAlias

from labwright.campaigns.file.comparison import check_comparable, read_comparison, read_constant
from labwright.campaigns.file.problems import Problems
from labwright.campaigns.file.samples import read_samples
from labwright.campaigns.file.schema import Quantity, StepPart
from labwright.core.errors import InvalidInput
from labwright.core.procedure import Binding, Constant, Gather, Reference, Step, ancestors, in_order
from labwright.core.space import Categorical, Continuous, Ordinal, Space
from labwright.core.units import convert
from labwright.core.values import is_number

Place: TypeAlias = tuple[str | int, ...]


def read_steps(parts: Sequence[StepPart], words: Set[str], problems: Problems) -> tuple[Step, ...]:
    """Return the steps as a graph without circles; what is wrong with one goes to `problems`.

    `words` are the parameters whose values are words, even where one looks like a number.
    """
    before = len(problems.found)
    names = _names(parts, problems)
    made = [_step(i, part, names, parts, words, problems) for i, part in enumerate(parts)]
    steps = tuple(step for step in made if step is not None)
    if len(problems.found) == before:
        _check_circles(parts, steps, problems)
    return steps


def _step(
    i: int, part: StepPart, names: Sequence[str], parts: Sequence[StepPart], words: Set[str], problems: Problems
) -> Step | None:
    place, attempt = ("procedure", i), problems.attempt
    after = _after(i, part, parts, names, problems)
    when = [attempt(_when(i, k, problems), read_comparison, text, words) for k, text in enumerate(part.when)]
    timeout_s = None if part.timeout is None else attempt((*place, "timeout"), _duration, part.timeout, "timeout")
    gather = attempt((*place, "wait"), _gather, part)
    inputs = {name: attempt((*place, "with", name), _binding, name, value) for name, value in part.inputs.items()}
    takes = {lot: attempt((*place, "takes", lot), _amount, lot, value) for lot, value in part.takes.items()}
    samples = read_samples(i, part, problems)
    gives = attempt(place, _gives, part)
    resource, _, capability = part.use.partition(".")
    if gives is None:
        return None
    return Step(
        name=names[i],
        resource=resource,
        capability=capability,
        inputs={name: binding for name, binding in inputs.items() if binding is not None},
        gives=gives,
        after=after,
        when=tuple(condition for condition in when if condition is not None),
        retries=part.retries,
        timeout_s=timeout_s,
        always=part.always,
        gather=gather,
        samples=samples,
        takes={lot: binding for lot, binding in takes.items() if binding is not None},
    )


def _gives(part: StepPart) -> dict[str, str]:
    wrong = [f"{name}: {output}" for name, output in part.gives.items() if not output.startswith("$")]
    if wrong:
        raise InvalidInput(f"gives names outputs of {part.use} with a $; found {', '.join(wrong)}.")
    return {name: output[1:] for name, output in part.gives.items()}


def _when(i: int, k: int, problems: Problems) -> Place:
    """Return the place of a condition in the file, where one alone may stand without a list."""
    place: Place = ("procedure", i, "when")
    return (*place, k) if isinstance(problems.document.at(place), list) else place


def _names(parts: Sequence[StepPart], problems: Problems) -> list[str]:
    """Return what each step is called: its name, or its capability, with a number from the second one on."""
    names: list[str] = []
    unnamed: Counter[str] = Counter()
    for i, part in enumerate(parts):
        if part.name is None:
            unnamed[part.use] += 1
            names.append(part.use if unnamed[part.use] == 1 else f"{part.use} {unnamed[part.use]}")
            continue
        if part.name in names:
            problems.add(("procedure", i, "name"), f"another step is called {part.name}; each needs a name of its own.")
        names.append(part.name)
    return names


def _after(
    index: int, part: StepPart, parts: Sequence[StepPart], names: Sequence[str], problems: Problems
) -> tuple[str, ...]:
    if part.after is None:
        return (names[index - 1],) if index else ()
    for name in part.after:
        unnamed = sum(p.use == name and p.name is None for p in parts)
        place = ("procedure", index, "after")
        if name == names[index]:
            problems.add(place, f"{name} cannot come after itself.")
        elif name not in names:
            called = [n for n, p in zip(names, parts, strict=True) if p.use == name]
            hint = f"what uses {name} is called {' and '.join(called)}." if called else f"steps: {', '.join(names)}."
            problems.add(place, f"no step is called {name!r}; {hint}")
        elif unnamed > 1:
            problems.add(place, f"{unnamed} steps use {name}; give each a `name`, and say which is meant.")
    return tuple(dict.fromkeys(part.after))


def _check_circles(parts: Sequence[StepPart], steps: Sequence[Step], problems: Problems) -> None:
    left = set(range(len(steps))) - set(in_order(steps))
    if not left:
        return
    waiting = {steps[i].name: next(n for n in steps[i].after if n in {steps[k].name for k in left}) for i in left}
    path = [steps[min(left)].name]
    while path[-1] not in path[:-1]:
        path.append(waiting[path[-1]])
    circle = path[path.index(path[-1]) :]
    index = next(i for i, s in enumerate(steps) if s.name in circle and parts[i].after is not None)
    said = " waits for ".join(circle)
    implied = any(parts[i].after is None for i, s in enumerate(steps) if s.name in circle)
    hint = " (A step without `after` waits for the one above it.)" if implied else ""
    problems.add(("procedure", index, "after"), f"these steps wait for each other: {said}.{hint}")


def _gather(part: StepPart) -> Gather | None:
    if part.batch is None and part.wait is not None:
        raise InvalidInput("it says how long a batch waits for more trials, so it needs `batch` beside it.")
    if part.batch is None:
        return None
    at_once = part.wait is None or (part.wait.value == 0 and part.wait.unit is None)
    return Gather(size=part.batch, wait_s=0.0 if at_once or part.wait is None else _duration(part.wait, "wait"))


def _duration(found: Quantity, key: str) -> float:
    """Return a time in seconds."""
    if found.unit is None:
        raise InvalidInput(f"{key}: found {found.value:g} without a unit; a time was expected, such as '10 min'.")
    seconds = convert(found.value, found.unit, "s", key)
    if not 0 < seconds < math.inf:
        raise InvalidInput(f"{key}: found {found.value:g} {found.unit}; a time above 0 was expected.")
    return seconds


def _binding(name: str, value: float | str) -> Binding:
    if isinstance(value, str) and value.startswith("$"):
        return Reference(name=value[1:])
    return read_constant(name, value)


def _amount(lot: str, value: float | str) -> Binding:
    """Return how much is taken from a lot; an amount that is written down must be one."""
    binding = _binding(lot, value)
    if isinstance(binding, Constant) and not (is_number(binding.value) and 0 < float(binding.value) < math.inf):
        raise InvalidInput(
            f"found {value!r}; an amount above 0 such as '5 mL', or a name such as $volume, was expected."
        )
    return binding


def check_references(space: Space, parts: Sequence[StepPart], steps: Sequence[Step], problems: Problems) -> None:
    """Hold every name that a step refers to against what is known when it begins."""
    givers = _givers(space, steps, problems)
    before = ancestors(steps)
    for i, step in enumerate(steps):
        known = {*space.names, *(name for name, giver in givers.items() if giver in before[step.name])}
        for name, binding in step.inputs.items():
            if isinstance(binding, Reference) and binding.name not in known:
                _unknown(binding.name, ("procedure", i, "with", name), known, givers, problems)
        for lot, binding in step.takes.items():
            if isinstance(binding, Reference) and binding.name not in known:
                _unknown(binding.name, ("procedure", i, "takes", lot), known, givers, problems)
            elif isinstance(binding, Reference) and binding.name in space.names:
                problems.attempt(("procedure", i, "takes", lot), _check_amounts, space, binding.name)
        for k, condition in enumerate(step.when):
            place = _when(i, k, problems)
            if condition.name not in known:
                _unknown(condition.name, place, known, givers, problems)
            elif condition.name in space.names:
                problems.attempt(place, check_comparable, space, condition, parts[i].when[k])


def _givers(space: Space, steps: Sequence[Step], problems: Problems) -> dict[str, str]:
    givers: dict[str, str] = {}
    for i, step in enumerate(steps):
        for name in step.gives:
            if name in givers or name in space.names:
                problems.add(("procedure", i, "gives", name), "this name is already taken by the space or a step.")
            givers.setdefault(name, step.name)
    return givers


def _unknown(name: str, place: Place, known: Iterable[str], givers: Mapping[str, str], problems: Problems) -> None:
    if name in givers:
        message = f"${name} is given by {givers[name]}, which does not come before this step; add it to `after`."
    else:
        message = f"${name} is not known here; known: {', '.join(sorted(known))}."
    problems.add(place, message)


def _check_amounts(space: Space, name: str) -> None:
    """Refuse a parameter as an amount that is a word, or that may be below 0."""
    parameter = space[name]
    if isinstance(parameter, Categorical | Ordinal):
        raise InvalidInput(f"${name} is {parameter}; an amount was expected: a number with its unit.")
    least = parameter.low if isinstance(parameter, Continuous) else min(parameter.values)
    if least < 0:
        raise InvalidInput(f"${name} may be {least:g}, and nothing can be taken that is below 0. Narrow the parameter.")
