"""Where people take up work: each command is a task, put before them once, and what they report is the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labwright.core import form
from labwright.core.attachment import KINDS, LARGEST, MOST
from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Answer, Command, Measurement, Outcome, Running
from labwright.core.errors import InvalidInput
from labwright.core.form import FieldKind
from labwright.core.recorder import Recorder
from labwright.core.task import Addressees, Task
from labwright.core.units import check_unit
from labwright.resources.plain import InputOptions, Level, Number, Size


class FieldOptions(BaseModel):
    """What is reported: a number with its unit and limits, one of `levels`, or what `kind` says.

    `required: false`: it may be left out, and is then no output that a step could give. Of a file, `types` are the
    media types that it may have by its content, and `at_most` its size, as `5 MB`.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    kind: Literal["number", "words", "yes_no", "file"] | None = None
    unit: str | None = None
    low: Number | None = None
    high: Number | None = None
    levels: list[Level] | None = None
    required: bool = True
    types: list[str] = []
    at_most: Size = Field(default=LARGEST, le=MOST)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """Refuse what means nothing for the kind."""
        is_file, is_number = self.kind == "file", self.kind in (None, "number")
        if not is_number and (self.unit, self.low, self.high, self.levels) != (None, None, None, None):
            raise ValueError(f"{self.kind} has no unit, low, high or levels; take them out")
        if self.kind == "number" and self.levels is not None:
            raise ValueError("levels name what may be chosen; take kind out")
        if not is_file and self.model_fields_set & {"types", "at_most"}:
            raise ValueError("types and at_most are of a file; say kind: file, or take them out")
        if unknown := [kind for kind in self.types if kind not in KINDS]:
            raise ValueError(f"{unknown[0]!r} is no type that is told by content; known: {', '.join(KINDS)}")
        return self

    def field(self, name: str) -> form.Field:
        """Return what is asked for."""
        return form.Field(
            name=name,
            kind=FieldKind(self.kind or "value"),
            unit=self.unit,
            low=self.low,
            high=self.high,
            levels=None if self.levels is None else tuple(self.levels),
            required=self.required,
            types=tuple(self.types),
            largest=self.at_most,
        )


Person = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Errand:
    """One kind of task: what a person reads, which inputs it has, and what is reported."""

    instructions: str
    inputs: tuple[Input, ...]
    fields: tuple[form.Field, ...]

    def check(self, place: str) -> None:
        """Raise InvalidInput for units and limits that nobody could keep to."""
        for side, declared in (("inputs", self.inputs), ("outputs", self.fields)):
            for one in declared:
                _check(f"{place}.{side}.{one.name}", one)

    def capability(self, name: str) -> Capability:
        """Return what people are said to be able to do; what may be left out is no output."""
        return Capability(
            name=name,
            inputs=self.inputs,
            outputs=tuple(
                Output(name=f.name, unit=f.unit, file=f.kind is FieldKind.FILE)
                for f in self.fields
                if f.required and f.kind is not FieldKind.BELIEF
            ),
            queryable=True,
            beliefs=tuple(f.name for f in self.fields if f.kind is FieldKind.BELIEF),
        )


def inputs_of(options: Mapping[str, InputOptions]) -> tuple[Input, ...]:
    """Return the inputs that some options declare."""
    return tuple(one.declared(name) for name, one in options.items())


class Desk:
    """Puts tasks before people. `to`: whom they are for; `signed`: whether whoever reports must show who they are."""

    def __init__(
        self, name: str, errands: Mapping[str, Errand], *, due_s: float | None, to: Addressees, signed: bool
    ) -> None:
        self.name = name
        self._errands = errands
        self._capabilities = {n: errand.capability(n) for n, errand in errands.items()}
        self._due_s = due_s
        self._to = to
        self._signed = signed

    def capabilities(self) -> Sequence[Capability]:
        """Offer each kind of task."""
        return tuple(self._capabilities.values())

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Put the task before people, unless it is there already, and wait for what they report."""
        errand = self._errands.get(command.capability)
        if errand is None:
            raise InvalidInput(f"{self.name} has no capability {command.capability!r}.")
        declared = {i.name: i.unit for i in errand.inputs}
        task = Task(
            title=f"{self.name}.{command.capability}",
            instructions=errand.instructions,
            given={n: Measurement(value=v, unit=declared.get(n)) for n, v in command.inputs.items()},
            fields=errand.fields,
            due_s=self._due_s,
            to=self._to,
            signed=self._signed,
        )
        return await recorder.task(task)

    async def ask(self, command: Command) -> Answer:
        """Running: its task is on record, or is put there when it is run again, and never twice for one command."""
        return Running()

    async def stop(self) -> None:
        """Nothing moves; an open task shows that its campaign was stopped."""


def _check(place: str, declared: Input | form.Field) -> None:
    check_unit(declared.unit, None, place)
    if declared.low is not None and declared.high is not None and declared.low > declared.high:
        raise InvalidInput(f"{place}: low = {declared.low:g} is above high = {declared.high:g}.")
    if declared.levels is not None and not declared.levels:
        raise InvalidInput(f"{place}: levels is empty; name what may be chosen, or leave it out.")
