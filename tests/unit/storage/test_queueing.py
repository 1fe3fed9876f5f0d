"""Trials that gather in one run."""

from dataclasses import replace

from labwright.app import Laboratory
from labwright.core.command import Failure
from labwright.core.run import Conclusion, NewRun, Next
from labwright.core.states import TrialState
from labwright.core.trial import Proposal
from labwright.storage.database import Database

POINT = Proposal(point={"x": 1.0}, source="test", reason="test")
PLATE = NewRun(
    step=0, resource="plate", key="plate", capability="read", command_id="a", inputs={"x": 1.0}, room=3, wait_s=60.0
)
OVEN = replace(PLATE, step=1, resource="oven", key="oven", command_id="b", room=1)


def test_a_trial_joins_a_batch_that_another_has_left(database_url):
    database = Database.open(database_url)
    laboratory = Laboratory.of(database)
    trials, runs = laboratory.trials, laboratory.runs
    laboratory.campaigns.add("squares", "text", "")
    laboratory.campaigns.change("squares", "start")
    both = [(POINT, Next(runs=(PLATE, OVEN))), (POINT, Next(runs=(replace(PLATE, command_id="c"),)))]
    trials.begin("squares", both, budget=3, parallel=3)
    oven, plate = sorted(runs.of("squares"), key=lambda run: run.resource)
    [taken] = runs.claim([oven], {"oven": 1})
    ended = Conclusion(state=TrialState.FAILED, why="the oven broke")
    runs.end(taken, Failure(reason="the oven broke"), lambda *_: Next(cancel=(plate.id,), conclusion=ended))

    trials.begin("squares", [(POINT, Next(runs=(replace(PLATE, command_id="d"),)))], budget=3, parallel=3)

    assert runs.get(plate.id).trials == (2, 3)
    assert laboratory.verify().problems == ()
    database.close()


def test_a_batch_that_a_trial_joined_since_it_was_seen_is_not_claimed_as_it_was(database_url):
    database, full = Database.open(database_url), replace(PLATE, wait_s=0.0)
    laboratory = Laboratory.of(database)
    trials, runs = laboratory.trials, laboratory.runs
    laboratory.campaigns.add("squares", "text", "")
    laboratory.campaigns.change("squares", "start")
    trials.begin("squares", [(POINT, Next(runs=(full,)))], budget=3, parallel=3)
    seen = runs.queued(["plate"], 1)
    trials.begin("squares", [(POINT, Next(runs=(replace(full, command_id="c"),)))], budget=3, parallel=3)

    assert runs.claim(seen, {"plate": 1}) == []

    [ours] = runs.claim(runs.queued(["plate"], 1), {"plate": 1})
    assert ours.trials == (1, 2)
    database.close()
