"""How one point is tried: a small graph of steps, with inputs bound from the point, constants or earlier steps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from labwright.core.capability import Capability
from labwright.core.command import Measurement, Observation
from labwright.core.errors import InvalidInput
from labwright.core.material import Samples
from labwright.core.space import Space
from labwright.core.units import check_unit, convert, convert_value
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


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A comparison that must hold for a step to be done: a name, one of < <= > >= == !=, and a constant."""

    name: str
    sign: str
    against: Constant

    def holds(self, found: Measurement) -> bool:
        """Say whether it holds of what was found, in whatever unit; numbers that differ by rounding are equal.

        What cannot be compared (another dimension, a word with a number by size, NaN) raises InvalidInput.
        """
        if self.sign in ("==", "!=") and not (is_number(found.value) and is_number(self.against.value)):
            return (found.value == self.against.value) is (self.sign == "==")
        value, against = self._numbers(found)
        if math.isclose(value, against, rel_tol=1e-9):
            return self.sign in ("==", "<=", ">=")
        return {"<": value < against, ">": value > against, "!": True, "=": False}[self.sign[0]]

    def _numbers(self, found: Measurement) -> tuple[float, float]:
        if not is_number(found.value) or not is_number(self.against.value) or math.isnan(float(found.value)):
            raise InvalidInput(f"{self} cannot be told: {self.name} is {found.value!r}.")
        check_unit(found.unit, self.against.unit, str(self))
        return float(found.value), convert(float(self.against.value), self.against.unit, found.unit, str(self))

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
    `always`: a clean-up, done also when the trial has failed; `takes`: how much of each lot.
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
    samples: Samples = field(default_factory=Samples)
    takes: Mapping[str, Binding] = field(default_factory=dict)

    @property
    def use(self) -> str:
        """The capability's full name: resource.capability."""
        return f"{self.resource}.{self.capability}"

    @property
    def has_material(self) -> bool:
        """Whether it touches a sample or takes from a lot."""
        return bool(self.takes or self.samples.all)

    @property
    def references(self) -> tuple[str, ...]:
        """The names that it needs: in its conditions, and for its inputs and the amounts that it takes."""
        bound = [b.name for b in (*self.inputs.values(), *self.takes.values()) if isinstance(b, Reference)]
        return tuple(dict.fromkeys([c.name for c in self.when] + bound))


def in_order(steps: Sequence[Step]) -> tuple[int, ...]:
    """Return the places of the steps so that none comes before one that it waits for; circles are left out."""
    order: list[int] = []
    settled: set[str] = set()
    while found := [i for i, s in enumerate(steps) if s.name not in settled and settled.issuperset(s.after)]:
        order += found
        settled |= {steps[i].name for i in found}
    return tuple(order)


def ancestors(steps: Sequence[Step]) -> dict[str, frozenset[str]]:
    """Return for each step the names of all that come before it, however far; circles are left out."""
    found: dict[str, frozenset[str]] = {}
    for i in in_order(steps):
        after = steps[i].after
        found[steps[i].name] = frozenset(after).union(*(found[name] for name in after))
    return found


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


def amount_of(step: Step, lot: str, names: Names) -> Measurement | None:
    """Return how much a step takes from a lot, or None where that is not known yet.

    What is no amount (a word, NaN, a negative number) raises InvalidInput.
    """
    binding = step.takes[lot]
    found = names.get(binding.name) if isinstance(binding, Reference) else binding
    if found is None:
        return None
    if not is_number(found.value) or not 0 <= float(found.value) < math.inf:
        raise InvalidInput(
            f"{step.use} would take {found.value!r} from lot {lot}; an amount of 0 or more was expected."
        )
    return Measurement(value=float(found.value), unit=found.unit)


def given(step: Step, observation: Observation) -> dict[str, Measurement]:
    """Return what the step gives to later steps and to the trial; an output that is missing raises InvalidInput."""
    missing = [output for output in step.gives.values() if output not in observation.values]
    if missing:
        found = ", ".join(observation.values) or "nothing"
        raise InvalidInput(f"{step.use} did not return {', '.join(missing)}; it returned {found}.")
    return {name: observation.values[output] for name, output in step.gives.items()}
