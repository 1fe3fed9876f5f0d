"""Experts as a resource: a question is put before those who have a skill, and only they may answer it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labwright.core import form
from labwright.core.form import FieldKind
from labwright.core.task import Addressees
from labwright.resources.desk import Desk, Errand, FieldOptions, Person, inputs_of
from labwright.resources.plain import Duration, InputOptions, Level

DECISION = "decision"


class QuestionOptions(BaseModel):
    """One kind of question: what experts are shown (`inputs`, without limits: they set nothing), and what they answer.

    `outputs`: values. `decision`: the words of which one is chosen; it is the output `decision`. `beliefs`: parameters
    of the campaign; where an expert expects the best of them is told to the planner.
    """

    model_config = ConfigDict(extra="forbid")

    question: str
    inputs: dict[str, InputOptions] = {}
    outputs: dict[str, FieldOptions] = {}
    decision: list[Level] | None = Field(default=None, min_length=2)
    beliefs: list[str] = []

    @model_validator(mode="after")
    def _asks(self) -> Self:
        """Refuse a question without an answer, or with two of one name."""
        if not (self.outputs or self.decision or self.beliefs):
            raise ValueError("say what is answered: outputs, decision, beliefs, or several of them")
        names = [*self.outputs, *([DECISION] if self.decision else []), *self.beliefs]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{twice} is asked for twice; each answer needs a name of its own")
        return self

    def errand(self) -> Errand:
        """Return the question without its inputs' values."""
        fields = [options.field(name) for name, options in self.outputs.items()]
        if self.decision:
            fields.append(form.Field(name=DECISION, levels=tuple(self.decision)))
        fields += [form.Field(name=name, kind=FieldKind.BELIEF, required=False) for name in self.beliefs]
        shown = tuple(replace(one, shown=True) for one in inputs_of(self.inputs))
        return Errand(instructions=self.question, inputs=shown, fields=tuple(fields))


class ExpertResource(Desk):
    """Offers questions to those who are on record with a skill: each command is one, answered under their name."""

    class Options(BaseModel):
        """`skill`: what one must be able to do to be asked; `people`: who of those, otherwise all. `due`: how soon.

        An answer is taken only from somebody who shows who they are and has the skill at that time.
        """

        model_config = ConfigDict(extra="forbid")

        skill: Person
        capabilities: dict[str, QuestionOptions] = Field(min_length=1)
        people: list[Person] = []
        due: Duration | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: Options, folder: Path) -> AsyncIterator["ExpertResource"]:
        """Check the units and limits of what is asked for; nobody is told anything."""
        errands = {question: kind.errand() for question, kind in options.capabilities.items()}
        for question, errand in errands.items():
            errand.check(f"capabilities.{question}")
        to = Addressees(people=tuple(options.people), skill=options.skill)
        yield cls(name, errands, due_s=options.due, to=to, signed=True)
