"""People as a resource: a task is put before them, and what they report is the result."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from labwright.core.task import Addressees
from labwright.resources.desk import Desk, Errand, FieldOptions, Person, inputs_of
from labwright.resources.plain import Duration, InputOptions


class TaskOptions(BaseModel):
    """One kind of task: what is done, with which inputs, and what is reported."""

    model_config = ConfigDict(extra="forbid")

    instructions: str
    inputs: dict[str, InputOptions] = {}
    outputs: dict[str, FieldOptions] = Field(min_length=1)

    def errand(self) -> Errand:
        """Return the task without its inputs' values."""
        fields = tuple(options.field(name) for name, options in self.outputs.items())
        return Errand(instructions=self.instructions, inputs=inputs_of(self.inputs), fields=fields)


class PersonResource(Desk):
    """Offers what people are asked to do: each command is a task, done when somebody reports on it."""

    class Options(BaseModel):
        """`due`: how soon a task is wanted, as `2 h`; nothing happens when it is late, but everybody sees it.

        `people` and `skill`: whom the tasks are for. `signed`: a report is taken only from somebody who shows who they
        are, and only from those whom the task is for; otherwise from anybody.
        """

        model_config = ConfigDict(extra="forbid")

        capabilities: dict[str, TaskOptions] = Field(min_length=1)
        due: Duration | None = None
        people: list[Person] = []
        skill: Person | None = None
        signed: bool = False

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: Options, folder: Path) -> AsyncIterator["PersonResource"]:
        """Check the units and limits of what is asked for; nobody is told anything."""
        errands = {task: kind.errand() for task, kind in options.capabilities.items()}
        for task, errand in errands.items():
            errand.check(f"capabilities.{task}")
        to = Addressees(people=tuple(options.people), skill=options.skill)
        yield cls(name, errands, due_s=options.due, to=to, signed=options.signed)
