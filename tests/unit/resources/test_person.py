"""People as a resource: what is asked of them, and what comes back."""

import pytest
from pydantic import ValidationError

from labwright.core.capability import Output
from labwright.core.command import Command, Failure, Measurement, Running
from labwright.core.errors import InvalidInput
from labwright.core.form import Field
from labwright.core.recorder import Silent
from labwright.core.task import Task
from labwright.resources.person import PersonResource

WEIGH = {
    "instructions": "Weigh the vial.",
    "inputs": {"t": {"unit": "degC", "low": 0, "high": 90}},
    "outputs": {"mass": {"unit": "mg", "low": 0, "high": 500}, "colour": {"levels": ["red", "blue"]}},
}


class Desk(Silent):
    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[Task] = []

    async def task(self, task: Task):
        self.tasks.append(task)
        return Failure(reason="nobody came")


def opened(tmp_path, weigh=WEIGH, **more):
    options = PersonResource.Options.model_validate({"capabilities": {"weigh": weigh}, **more})
    return PersonResource.open("ada", options, tmp_path)


def command() -> Command:
    return Command(command_id="c1", epoch=1, capability="weigh", inputs={"t": 20.0})


async def test_a_command_becomes_a_task_with_units_limits_and_a_time(tmp_path):
    desk = Desk()
    async with opened(tmp_path, due="2 h") as ada:
        outcome = await ada.run(command(), desk)

    assert outcome == Failure(reason="nobody came")
    assert desk.tasks == [
        Task(
            title="ada.weigh",
            instructions="Weigh the vial.",
            given={"t": Measurement(value=20.0, unit="degC")},
            fields=(Field(name="mass", unit="mg", low=0, high=500), Field(name="colour", levels=("red", "blue"))),
            due_s=7200,
        )
    ]


async def test_what_people_do_is_never_repeated_and_can_be_asked_about(tmp_path):
    async with opened(tmp_path) as ada:
        [weigh] = ada.capabilities()
        answer = await ada.ask(command())
        await ada.stop()

    assert (weigh.repeatable, weigh.queryable, weigh.outputs[0]) == (False, True, Output(name="mass", unit="mg"))
    assert answer == Running()


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"mass": {"unit": "smoots"}}, "smoots"),
        ({"mass": {"low": 5, "high": 2}}, r"capabilities\.weigh\.outputs\.mass: low = 5 is above high = 2"),
        ({"mass": {"levels": []}}, "levels is empty"),
    ],
)
async def test_what_nobody_could_report_is_refused(tmp_path, outputs, words):
    with pytest.raises(InvalidInput, match=words):
        async with opened(tmp_path, WEIGH | {"outputs": outputs}):
            pass


@pytest.mark.parametrize("weigh", [{"instructions": "x", "outputs": {}}, {"outputs": {"y": {}}}, WEIGH | {"due": 3}])
async def test_a_task_without_instructions_or_fields_is_refused(tmp_path, weigh):
    with pytest.raises(ValidationError):
        async with opened(tmp_path, weigh):
            pass
