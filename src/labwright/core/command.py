"""What is sent to a resource, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from labwright.core.values import Value, show


@dataclass(frozen=True, kw_only=True)
class Command:
    """One order to a resource, its inputs in the units that the capability declares.

    `batch`: where several trials are gathered, the inputs of each; `inputs` are then those of the first. `timeout_s`:
    how long it may take.
    """

    command_id: str
    epoch: int
    capability: str
    inputs: Mapping[str, Value]
    batch: tuple[Mapping[str, Value], ...] = ()
    timeout_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One value with its unit and, where known, its standard deviation. None: the resource does not say."""

    value: Value
    unit: str | None = None
    sd: float | None = None

    def __str__(self) -> str:
        spread = "" if self.sd is None else f" ± {show(self.sd)}"
        return f"{show(self.value)}{spread}{f' {self.unit}' if self.unit and self.unit != '1' else ''}"


def assigned(values: Mapping[str, Measurement]) -> str:
    """Write values for people: `x = 1 mm, t = 25 degC`."""
    return ", ".join(f"{name} = {measurement}" for name, measurement in values.items())


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What a resource measured. `quality` is good, suspect or bad; `objects` are references to stored files."""

    values: Mapping[str, Measurement]
    quality: str = "good"
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The command ended without a result, and why. The resource is free again."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What came of a command with a batch: one outcome for each, in their order."""

    outcomes: tuple[Observation | Failure, ...]


Outcome: TypeAlias = Observation | Failure | Gathered


@dataclass(frozen=True, kw_only=True)
class Done:
    """The command has ended; this is what came of it."""

    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Running:
    """The command is being carried out; run it again with the same id to wait for its end."""


@dataclass(frozen=True, kw_only=True)
class NeverStarted:
    """The resource is certain that it never began, and will not begin later."""


@dataclass(frozen=True, kw_only=True)
class CannotTell:
    """The resource does not know; a person must look."""

    reason: str = ""


Answer: TypeAlias = Done | Running | NeverStarted | CannotTell
