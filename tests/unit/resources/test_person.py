"""People as a resource: what is asked of them, and what comes back."""

import pytest
from pydantic import ValidationError

from labwright.core.capability import Output
from labwright.core.command import Command, Failure, Measurement, Running
from labwright.core.errors import InvalidInput
from labwright.core.form import Field, FieldKind
from labwright.core.recorder import Silent
from labwright.core.task import Addressees, Task
from labwright.resources.expert import ExpertResource
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


async def test_whom_a_task_is_for_and_that_it_is_signed_stands_in_the_task(tmp_path):
    desk = Desk()
    async with opened(tmp_path, people=["ada", "grace"], skill="weighing", signed=True) as ada:
        await ada.run(command(), desk)

    assert desk.tasks[0].to == Addressees(people=("ada", "grace"), skill="weighing")
    assert desk.tasks[0].signed


async def test_a_field_may_be_words_yes_or_no_or_a_file_and_what_may_be_left_out_is_no_output(tmp_path):
    desk, fields = Desk(), {
        "clear": {"kind": "yes_no"},
        "remark": {"kind": "words", "required": False},
        "count": {"kind": "number"},
        "photo": {"kind": "file", "types": ["image/png"], "at_most": "2 MB"},
    }  # fmt: skip
    async with opened(tmp_path, WEIGH | {"outputs": fields}) as ada:
        await ada.run(command(), desk)
        [weigh] = ada.capabilities()

    assert [(output.name, output.file) for output in weigh.outputs] == [
        ("clear", False),
        ("count", False),
        ("photo", True),
    ]
    assert desk.tasks[0].fields == (
        Field(name="clear", kind=FieldKind.YES_NO),
        Field(name="remark", kind=FieldKind.WORDS, required=False),
        Field(name="count", kind=FieldKind.NUMBER),
        Field(name="photo", kind=FieldKind.FILE, types=("image/png",), largest=2_000_000),
    )


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"kind": "file", "unit": "mg"}, "file has no unit, low, high or levels"),
        ({"kind": "number", "levels": [1, 2]}, "levels name what may be chosen"),
        ({"kind": "words", "types": ["image/png"]}, "types and at_most are of a file"),
        ({"kind": "file", "types": ["image/svg"]}, "'image/svg' is no type that is told by content"),
        ({"kind": "file", "at_most": "5 mg"}, "is not a size"),
        ({"kind": "file", "at_most": "500 GB"}, "less than or equal to 200000000"),
        ({"kind": "file", "at_most": 0}, "greater than 0"),
        ({"kind": "photo"}, "kind"),
    ],
)
async def test_a_field_that_contradicts_itself_is_refused(tmp_path, field, words):
    with pytest.raises(ValidationError, match=words):
        async with opened(tmp_path, WEIGH | {"outputs": {"y": field}}):
            pass


async def test_an_expert_is_asked_for_a_decision_and_beliefs_under_their_name(tmp_path):
    judge = {"question": "Go on?", "inputs": {"t": {}}, "decision": ["go", "stop"], "beliefs": ["rate"]}
    options = ExpertResource.Options.model_validate({"skill": "tlc", "capabilities": {"weigh": judge}, "due": "1 d"})
    desk = Desk()
    async with ExpertResource.open("chemist", options, tmp_path) as chemist:
        await chemist.run(command(), desk)
        [found] = chemist.capabilities()

    [task] = desk.tasks
    assert (task.signed, task.to, task.due_s, task.beliefs) == (True, Addressees(skill="tlc"), 86400, ("rate",))
    assert [f.name for f in task.fields] == ["decision", "rate"]
    assert (found.outputs, found.beliefs) == ((Output(name="decision"),), ("rate",))
    assert [one.shown for one in found.inputs] == [True]


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
