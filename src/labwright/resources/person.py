"""People as a resource: a task is put before them, and what they report is the result."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Answer, Command, Measurement, Outcome, Running
from labwright.core.errors import InvalidInput
from labwright.core.recorder import Recorder
from labwright.core.task import Task
from labwright.core.units import check_unit
from labwright.resources.plain import Duration, InputOptions, Level, Number


class FieldOptions(BaseModel):
    """What is reported: a number with its unit and limits, or one of `levels`."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    unit: str | None = None
    low: Number | None = None
    high: Number | None = None
    levels: list[Level] | None = None

    def declared(self, name: str) -> Input:
        """Return what is asked for."""
        levels = None if self.levels is None else tuple(self.levels)
        return Input(name=name, unit=self.unit, low=self.low, high=self.high, levels=levels)


class TaskOptions(BaseModel):
    """One kind of task: what is done, with which inputs, and what is reported."""

    model_config = ConfigDict(extra="forbid")

    instructions: str
    inputs: dict[str, InputOptions] = {}
    outputs: dict[str, FieldOptions] = Field(min_length=1)

    def capability(self, name: str) -> Capability:
        """Return what a person is said to be able to do."""
        return Capability(
            name=name,
            inputs=tuple(options.declared(n) for n, options in self.inputs.items()),
            outputs=tuple(Output(name=n, unit=options.unit) for n, options in self.outputs.items()),
            queryable=True,
        )

    def task(self, title: str, inputs: Mapping[str, Measurement], due_s: float | None) -> Task:
        """Return the task for some inputs."""
        fields = tuple(options.declared(n) for n, options in self.outputs.items())
        return Task(title=title, instructions=self.instructions, given=inputs, fields=fields, due_s=due_s)


class PersonResource:
    """Offers what people are asked to do: each command is a task, done when somebody reports on it."""

    class Options(BaseModel):
        """`due`: how soon a task is wanted, as `2 h`; nothing happens when it is late, but everybody sees it."""

        model_config = ConfigDict(extra="forbid")

        capabilities: dict[str, TaskOptions] = Field(min_length=1)
        due: Duration | None = None

    def __init__(self, name: str, options: Options) -> None:
        self.name = name
        self._options = options
        self._capabilities = {n: o.capability(n) for n, o in options.capabilities.items()}

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: Options, folder: Path) -> AsyncIterator["PersonResource"]:
        """Check the units and limits of what is asked for; nobody is told anything."""
        for task, kind in options.capabilities.items():
            for side, declared in (("inputs", kind.inputs), ("outputs", kind.outputs)):
                for field, found in declared.items():
                    _check(f"capabilities.{task}.{side}.{field}", found.declared(field))
        yield cls(name, options)

    def capabilities(self) -> Sequence[Capability]:
        """Offer each kind of task."""
        return tuple(self._capabilities.values())

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Put the task before people, unless it is there already, and wait for what they report."""
        capability = self._capabilities.get(command.capability)
        if capability is None:
            raise InvalidInput(f"{self.name} has no capability {command.capability!r}.")
        declared = {i.name: i.unit for i in capability.inputs}
        given = {n: Measurement(value=v, unit=declared.get(n)) for n, v in command.inputs.items()}
        kind = self._options.capabilities[command.capability]
        return await recorder.task(kind.task(f"{self.name}.{command.capability}", given, self._options.due))

    async def ask(self, command: Command) -> Answer:
        """Running: its task is on record, or is put there when it is run again, and never twice for one command."""
        return Running()

    async def stop(self) -> None:
        """Nothing moves; an open task shows that its campaign was stopped."""


def _check(place: str, declared: Input) -> None:
    check_unit(declared.unit, None, place)
    if declared.low is not None and declared.high is not None and declared.low > declared.high:
        raise InvalidInput(f"{place}: low = {declared.low:g} is above high = {declared.high:g}.")
    if declared.levels is not None and not declared.levels:
        raise InvalidInput(f"{place}: levels is empty; name what may be chosen, or leave it out.")
