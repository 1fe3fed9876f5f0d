"""Who said what of a trial, and when, on both databases."""

from contextlib import closing

import pytest

from labwright.app import Laboratory
from labwright.core.approval import Demand, Question, Say
from labwright.core.command import Failure, Measurement, Observation
from labwright.core.form import Field
from labwright.core.run import NewRun, Next
from labwright.core.task import Task
from labwright.core.trial import Proposal, Statement
from labwright.storage.approvals import Approvals
from labwright.storage.database import Database
from labwright.storage.people import People
from labwright.storage.tasks import Tasks

POINT = Proposal(point={"x": 1.0}, source="test", reason="test")
WEIGH = Task(title="ada.weigh", instructions="Weigh it.", given={}, fields=(Field(name="mass", unit="mg"),))


@pytest.fixture
def laboratory(database_url):
    with closing(Database.open(database_url)) as database:
        laboratory = Laboratory.of(database)
        laboratory.campaigns.add("study", "name: study", "")
        laboratory.campaigns.change("study", "start")
        yield laboratory


def begin(laboratory, command_id, count=1):
    """Begin a run that serves some trials."""
    for number in range(count):
        new = NewRun(
            step=0,
            resource="ada",
            key="ada",
            capability="weigh",
            command_id=command_id if not number else f"{command_id}-{number}",
            inputs={},
            room=count,
        )
        laboratory.trials.begin("study", [(POINT, Next(runs=(new,)))], budget=10, parallel=10)
    [run] = laboratory.runs.claim(laboratory.runs.queued(["ada"], 9), {"ada": 9})
    return run


def said(laboratory, number=None):
    return [(s.trial, s.run, s.what, s.by, s.why) for s in laboratory.statements.of("study", number)]


def nothing(*_):
    return Next()


@pytest.mark.parametrize("kind", ["done", "failed", "never run"])
def test_what_a_person_decided_is_told_with_their_name_and_reason(laboratory, kind):
    run = begin(laboratory, "c1")
    laboratory.runs.lose(run, "the power failed")
    lost = laboratory.runs.get(run.id)
    if kind == "never run":
        laboratory.runs.requeue(lost, 'it says "by":"nobody"', by="ada")
    else:
        outcome = Failure(reason="broken") if kind == "failed" else Observation(values={})
        laboratory.runs.decide(lost, outcome, nothing, why='it says "by":"nobody"', by="ada")

    assert said(laboratory) == [(1, run.id, f"decided as {kind}", "ada", 'it says "by":"nobody"')]


def test_what_is_queued_again_by_itself_or_ends_as_it_should_was_said_by_nobody(laboratory):
    run = begin(laboratory, "c1")
    laboratory.runs.requeue(run, 'the resource says: "by":"me"')
    [again] = laboratory.runs.claim(laboratory.runs.queued(["ada"], 9), {"ada": 9})
    laboratory.runs.end(again, Observation(values={}), nothing)

    assert said(laboratory) == []


def test_what_is_said_of_a_run_of_several_trials_is_said_of_each(laboratory):
    run = begin(laboratory, "c1", count=2)
    laboratory.runs.lose(run, "the power failed")
    laboratory.runs.decide(laboratory.runs.get(run.id), Failure(reason="broken"), nothing, why="I saw it", by="ada")

    both = [(number, run.id, "decided as failed", "ada", "I saw it") for number in (1, 2)]
    assert said(laboratory) == both
    assert said(laboratory, 2) == both[1:]


def test_what_people_recorded_is_told_with_who_they_said_they_are_and_their_note(laboratory):
    tasks, runs = Tasks(laboratory.database), []
    for command_id in ("c1", "c2", "c3"):
        runs.append(begin(laboratory, command_id).id)
        tasks.put(command_id, "study", (len(runs),), "ada", WEIGH)
    tasks.answer(1, {"mass": Measurement(value=2)}, by="Grace H.", note="humid")
    tasks.fail(2, "the vial broke")

    assert said(laboratory) == [
        (1, runs[0], "recorded", "Grace H.", "humid"),
        (2, runs[1], "recorded as failed", None, None),
    ]


def test_who_approved_and_who_refused_a_trial_is_told_in_order(laboratory):
    people, approvals = People(laboratory.database), Approvals(laboratory.database)
    ada = people.add("ada", "hash")
    grace = people.add("grace", "hash", by=ada)
    question = Question(content="{}", reasons=("high",), demands=(Demand(people=2),), expires_s=60.0)
    laboratory.trials.hold("study", POINT, lambda _: question)
    seen = approvals.of("study", 1).digest
    approvals.sign("study", 1, person=ada, say=Say.APPROVE, seen=seen)
    approvals.sign("study", 1, person=grace, say=Say.REFUSE, seen=seen, why="no fan")

    assert said(laboratory) == [(1, None, "approved", "ada", None), (1, None, "refused", "grace", "no fan")]


def test_a_statement_reads_as_a_line():
    told = Statement(trial=1, at="2026-11-22T22:43:55+00:00", what="refused", by="grace", why="no fan")

    assert str(told) == "refused by grace, 2026-11-22 22:43 UTC: no fan"
