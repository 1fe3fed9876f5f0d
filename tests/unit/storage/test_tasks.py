"""Tasks on record: put once, ended once, and what does not fit is refused."""

import json
from dataclasses import replace

import pytest

from labwright.app import Laboratory
from labwright.core.command import Failure, Measurement, Observation
from labwright.core.errors import InvalidInput, NotFound
from labwright.core.form import Field
from labwright.core.run import NewRun, Next
from labwright.core.states import RunState, TaskState, TrialState
from labwright.core.task import Report, Task
from labwright.core.trial import Proposal
from labwright.storage.campaigns import Campaigns
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries
from labwright.storage.database.packing import pack, unpack
from labwright.storage.tasks import Tasks

TASK = Task(
    title="ada.weigh",
    instructions="Weigh the vial.",
    given={"vial": Measurement(value="A7"), "t": Measurement(value=20.0, unit="degC")},
    fields=(Field(name="mass", unit="mg", low=0, high=500), Field(name="colour", levels=("red", "blue"))),
    due_s=7200,
)
GOOD = {"mass": Measurement(value=0.2, unit="g", sd=0.001), "colour": Measurement(value="red")}


@pytest.fixture
def database(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path}/labwright.db")
    for name in ("study", "other"):
        Campaigns(database).add(name, f"name: {name}", "")
    yield database
    database.close()


@pytest.fixture
def tasks(database) -> Tasks:
    return Tasks(database)


def kinds(database) -> list[str]:
    with database.read() as connection:
        return [entry.kind for entry in entries(connection, "campaign/study")]


def test_a_task_reads_back_as_it_was_put(tasks):
    posted = tasks.put("c1", "study", (3, 4), "ada", TASK)

    assert tasks.get(posted.id) == posted
    assert posted.task == TASK
    assert (posted.trials, posted.resource, posted.state) == ((3, 4), "ada", TaskState.OPEN)
    assert posted.since < posted.due
    assert str(posted) == f"task {posted.id} (ada.weigh, trials 3, 4)"


def test_a_task_is_put_once_for_a_command(tasks, database):
    first = tasks.put("c1", "study", (3,), "ada", TASK)
    again = tasks.put("c1", "study", (3,), "ada", replace(TASK, instructions="Weigh it twice."))

    assert again == first
    assert kinds(database).count("task.open") == 1


def test_a_task_that_an_earlier_version_put_reads_back(tasks, database):
    tasks.put("c1", "study", (3,), "ada", TASK)
    with database.write() as connection:
        text = unpack(connection.exec_driver_sql("SELECT asked FROM tasks").scalar_one())
        for field in text["fields"]:
            field["shared"] = False
            for name in ("kind", "types", "largest"):
                del field[name]
        for name in ("people", "skill", "signed"):
            del text[name]
        connection.exec_driver_sql("UPDATE tasks SET asked = ?", (pack(text),))

    assert tasks.get(1).task == TASK


def test_a_task_of_an_unknown_campaign_is_refused(tasks):
    with pytest.raises(NotFound, match="No campaign named 'nobody'"):
        tasks.put("c1", "nobody", (1,), "ada", TASK)


def test_open_tasks_are_those_of_one_campaign_or_of_all(tasks):
    for command_id, campaign in (("c1", "study"), ("c2", "other"), ("c3", "study")):
        tasks.put(command_id, campaign, (1,), "ada", TASK)
    tasks.fail(1, "no balance")

    assert [t.command_id for t in tasks.open()] == ["c2", "c3"]
    assert [t.command_id for t in tasks.open("study")] == ["c3"]


def test_an_open_task_shows_that_its_campaign_was_stopped(tasks, database):
    tasks.put("c1", "study", (1,), "ada", TASK)
    Campaigns(database).change("study", "start")
    Campaigns(database).change("study", "stop")

    assert [t.campaign_state.value for t in tasks.open()] == ["stopped"]


def test_an_answer_is_recorded_in_the_units_of_the_fields_with_who_and_what_else(tasks, database):
    tasks.put("c1", "study", (1,), "ada", TASK)
    assert tasks.answered("c1") is None

    posted = tasks.answer(1, GOOD, by="Ada", note="humid")

    outcome = tasks.answered("c1")
    assert outcome == posted.outcome
    assert isinstance(outcome, Observation)
    assert outcome.values["mass"].value == pytest.approx(200)
    assert outcome.values["mass"].sd == pytest.approx(1.0)
    assert outcome.values["mass"].unit == "mg"
    assert outcome.values["colour"] == Measurement(value="red")
    assert (posted.state, posted.by, posted.note) == (TaskState.DONE, "Ada", "humid")
    with database.read() as connection:
        last = [json.loads(e.body) for e in entries(connection, "campaign/study")][-1]
    assert (last["task"], last["task_state"], last["reported"]["by"]) == (1, "done", "Ada")


def test_a_task_that_could_not_be_done_is_a_failure(tasks):
    tasks.put("c1", "study", (1,), "ada", TASK)

    tasks.fail(1, "the vial broke", by="Ada")

    assert tasks.answered("c1") == Failure(reason="the vial broke")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mass": 700}, "mass is 700; expected 0 to 500 mg"),
        ({"mass": "heavy"}, "mass is 'heavy'; expected 0 to 500 mg"),
        ({"mass": float("nan")}, "a finite number was expected"),
        ({"mass": True}, "mass is True"),
        ({"colour": "green"}, "colour is 'green'; expected one of red, blue"),
        ({"weight": 3}, "weight: nothing of that name is asked for; asked for: mass, colour"),
        ({"mass": None}, "mass is missing; expected 0 to 500 mg"),
    ],
)
def test_what_does_not_fit_the_fields_is_refused_and_the_task_stays_open(tasks, values, words):
    tasks.put("c1", "study", (1,), "ada", TASK)
    reported = GOOD | {n: Measurement(value=v) for n, v in values.items()}
    reported = {n: m for n, m in reported.items() if m.value is not None}

    with pytest.raises(InvalidInput, match=r"task 1 \(ada\.weigh, trial 1\): .*" + words.replace(".", r"\.")):
        tasks.answer(1, reported)
    assert tasks.get(1).state is TaskState.OPEN


def test_a_unit_of_another_dimension_is_refused(tasks):
    tasks.put("c1", "study", (1,), "ada", TASK)

    with pytest.raises(InvalidInput, match="'mL' cannot be converted to 'mg'"):
        tasks.answer(1, GOOD | {"mass": Measurement(value=1, unit="mL")})


def test_a_second_answer_is_refused_and_the_first_stays(tasks, database):
    tasks.put("c1", "study", (1,), "ada", TASK)
    tasks.answer(1, GOOD, by="Ada")

    with pytest.raises(InvalidInput, match=r"task 1 .* was recorded already, .* by Ada, as done"):
        tasks.fail(1, "no")
    assert isinstance(tasks.answered("c1"), Observation)
    assert kinds(database).count("task.done") == 1


def test_several_reports_are_recorded_together_or_not_at_all(tasks):
    for command_id in ("c1", "c2"):
        tasks.put(command_id, "study", (1,), "ada", TASK)

    with pytest.raises(InvalidInput, match="task 2"):
        tasks.report([Report(task=1, values=GOOD), Report(task=2, values={})])
    assert [t.id for t in tasks.open()] == [1, 2]

    tasks.report([Report(task=1, values=GOOD), Report(task=2, values={}, failed="no time")])
    assert tasks.open() == []


def test_a_task_that_is_not_there_is_named(tasks):
    with pytest.raises(NotFound, match="There is no task 9"):
        tasks.answer(9, GOOD)


def test_a_task_whose_queued_run_was_called_off_is_waited_for_by_nobody_and_takes_no_report(tasks, database):
    laboratory = Laboratory.of(database)
    weigh = NewRun(step=0, resource="ada", key="ada", capability="weigh", command_id="c1", inputs={})
    laboratory.campaigns.change("study", "start")
    first = Proposal(point={"x": 1.0}, source="test", reason="test")
    laboratory.trials.begin("study", [(first, Next(runs=(weigh,)))], budget=1, parallel=1)
    [run] = laboratory.runs.claim(laboratory.runs.of("study"), {"ada": 1})
    tasks.put("c1", "study", (1,), "ada", TASK)
    laboratory.runs.lose(run, "its process has ended")
    laboratory.runs.requeue(laboratory.runs.get(run.id), "she was ill", by="grace")
    assert [t.id for t in tasks.open()] == [1]

    laboratory.campaigns.change("study", "stop")
    laboratory.runs.call_off("study", "the campaign was stopped")

    assert laboratory.runs.get(run.id).state is RunState.CANCELLED
    assert laboratory.trials.get("study", 1).state is TrialState.FAILED
    assert tasks.open() == []
    assert tasks.get(1).state is TaskState.WITHDRAWN
    with pytest.raises(InvalidInput, match=r"is waited for by nobody any more.*labwright correct study/1 --set"):
        tasks.answer(1, GOOD)
    assert tasks.answered("c1") is None
    assert laboratory.verify().problems == ()
