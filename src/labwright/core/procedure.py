"""How one point is tried: a small graph of steps, with inputs bound from the point, constants or earlier steps."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from labwright.core.capability import Capability
from labwright.core.command import Measurement, Observation
from labwright.core.errors import InvalidInput
from labwright.core.space import Space
from labwright.core.units import convert_value
from labwright.core.values import Point, Value, is_number, show


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A name of the point, or one that an earlier step gives; written `$name`."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Constant:
    """A value that every trial sets alike."""

    value: Value
    unit: str | None = None


Binding: TypeAlias = Reference | Constant
Names: TypeAlias = Mapping[str, Measurement]
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A comparison that must hold for a step to be done: a name, one of < <= > >= == !=, and a constant."""

    name: str
    sign: str
    against: Constant

    def holds(self, names: Names) -> bool:
        """Whether it holds; a name that is not known, or a word held against a number, raises InvalidInput.

        A constant without a unit is in the unit of what it is held against.
        """
        found = names.get(self.name)
        if found is None:
            raise InvalidInput(f"{self}: {self.name} is not known; known: {', '.join(names) or 'nothing'}.")
        against = self.against.value
        if is_number(found.value) != is_number(against) or not (is_number(against) or self.sign in ("==", "!=")):
            raise InvalidInput(f"{self}: {show(found.value)!r} and {show(against)!r} cannot be compared so.")
        if self.against.unit is not None:
            against = convert_value(against, self.against.unit, found.unit or "1", str(self))
        return COMPARISONS[self.sign](found.value, against)

    def __str__(self) -> str:
        unit = f" {self.against.unit}" if self.against.unit else ""
        return f"{self.name} {self.sign} {show(self.against.value)}{unit}"


@dataclass(frozen=True, kw_only=True)
class Gather:
    """Several trials in one run: at most `size`, and none waits longer than `wait_s` for the others."""

    size: int
    wait_s: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """One capability of one resource.

    `inputs`: what each input is bound to; `gives`: a name for each output kept; `after`: the names of the steps that
    come before it; `when`: what must hold, or it is skipped; `retries`: how often a failed attempt is made again;
    `always`: a clean-up, done also when the trial has failed.
    """

    name: str
    resource: str
    capability: str
    inputs: Mapping[str, Binding]
    gives: Mapping[str, str]
    after: tuple[str, ...] = ()
    when: tuple[Condition, ...] = ()
    retries: int = 0
    timeout_s: float | None = None
    always: bool = False
    gather: Gather | None = None

    @property
    def use(self) -> str:
        """The capability's full name: resource.capability."""
        return f"{self.resource}.{self.capability}"


def names_of(space: Space, point: Point) -> dict[str, Measurement]:
    """Return the point's values with the units of the space."""
    return {name: Measurement(value=value, unit=space[name].unit) for name, value in point.items()}


def bind(step: Step, capability: Capability, names: Names) -> dict[str, Value]:
    """Return the step's inputs in the capability's units; a name that is not known yet is left out."""
    inputs: dict[str, Value] = {}
    for name, binding in step.inputs.items():
        declared = capability.input(name)
        if isinstance(binding, Reference):
            if binding.name not in names:
                continue
            value, unit = names[binding.name].value, names[binding.name].unit
        else:
            value, unit = binding.value, binding.unit
        inputs[name] = convert_value(value, unit, declared.unit if declared else None, f"{step.use}.{name}")
    return inputs


def given(step: Step, observation: Observation) -> dict[str, Measurement]:
    """Return what the step gives to later steps and to the trial; an output that is missing raises InvalidInput."""
    missing = [output for output in step.gives.values() if output not in observation.values]
    if missing:
        found = ", ".join(observation.values) or "nothing"
        raise InvalidInput(f"{step.use} did not return {', '.join(missing)}; it returned {found}.")
    return {name: observation.values[output] for name, output in step.gives.items()}
