"""Four processes at once on one campaign: its budget, what is in flight, the room of its instruments and its lots."""

import json
import subprocess
import sys
from collections import Counter
from contextlib import closing

import pytest

from labwright.app import Laboratory
from labwright.core.states import LIVE_RUNS
from labwright.storage.database import Database
from labwright.storage.database.ledger import entries

BUDGET, PARALLEL, ROOM, THERE = 40, 5, 2, 30.0
PROCESS = """
import random, sys, time
from uuid import uuid4
from labwright.app import Laboratory
from labwright.core.command import Measurement, Observation
from labwright.core.errors import OutOfStock
from labwright.core.material import Materials, Taking
from labwright.core.run import Conclusion, NewRun, Next
from labwright.core.states import TrialState
from labwright.core.trial import Proposal
from labwright.storage.database import Database

url, seed, BUDGET, PARALLEL, ROOM = sys.argv[1], *map(int, sys.argv[2:])
laboratory, dice = Laboratory.of(Database.open(url)), random.Random(seed)
POINT = Proposal(point={"x": 1.0}, source="test", reason="test")
KEYS = {"oven": ROOM, "scale": ROOM}

def run(step, key, takes=()):
    told = {"resource": "r", "capability": "c", "command_id": uuid4().hex, "inputs": {}, "capacity": ROOM}
    return NewRun(step=step, key=key, material=bool(takes), **told)

def first():
    takes = (Taking(step=0, lot="water", amount=1.0, unit="mL"),) if dice.random() < 0.7 else ()
    return Next(runs=(run(0, "oven", takes),), materials=Materials(takings=takes, handlings=()) if takes else None)

def advance(point, number, runs):
    if all(r.step == 0 for r in runs):
        return Next(runs=(run(1, "scale"),))
    return Next(conclusion=Conclusion(state=TrialState.OBSERVED, outcomes={"y": 1.0}))

mine, deadline = [], time.monotonic() + 90
while time.monotonic() < deadline:
    try:
        begun = [(POINT, first()) for _ in range(dice.randint(1, 4))]
        laboratory.trials.begin("study", begun, budget=BUDGET, parallel=PARALLEL)
    except OutOfStock:
        pass
    mine += laboratory.runs.claim(laboratory.runs.queued(list(KEYS), dice.randint(1, 6)), KEYS)
    dice.shuffle(mine)
    while mine and dice.random() < 0.7:
        if dice.random() < 0.1:
            laboratory.runs.requeue(mine.pop(), "it never started")
        else:
            laboratory.runs.end(mine.pop(), Observation(values={"y": Measurement(value=1.0)}), advance)
    trials = laboratory.trials.of("study")
    if not mine and sum(t.uses_budget for t in trials) == BUDGET and not any(t.is_pending for t in trials):
        sys.exit()
sys.exit("it has not ended")
"""


@pytest.mark.timeout(120)
def test_four_processes_at_once_never_go_beyond_a_count_and_use_all_of_it(tmp_path, database_url):
    (tmp_path / "process.py").write_text(PROCESS)
    with closing(Database.open(database_url)) as database:
        laboratory = Laboratory.of(database)
        laboratory.campaigns.add("study", "text", "")
        laboratory.campaigns.change("study", "start")
        laboratory.materials.add("water", THERE, "mL")
        words = [sys.executable, str(tmp_path / "process.py"), database_url]
        commands = [[*words, *map(str, (seed, BUDGET, PARALLEL, ROOM))] for seed in range(4)]
        processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for command in commands]
        assert [(p.communicate()[1], p.returncode) for p in processes] == [(b"", 0)] * 4

        most = most_at_once(database)
        taken = Counter(entry.kind.value for entry in laboratory.materials.entries("water"))
        assert [trial.number for trial in laboratory.trials.of("study")] == list(range(1, BUDGET + 1))
        assert most == {"trials": PARALLEL, "oven": ROOM, "scale": ROOM}
        assert laboratory.materials.lot("water").left == THERE - taken["taken"] + taken["returned"] >= 0
        assert laboratory.verify().problems == ()


def most_at_once(database):
    """Return how many trials and runs were in flight at most, as the ledger tells it entry by entry."""
    with database.read() as connection:
        told = [json.loads(entry.body) for entry in entries(connection, "campaign/study")]
    things, live, trials, most = {}, set(), set(), Counter()
    for body in told:
        if "key" in body:
            things[body["run"]] = body["key"]
        if "run_state" in body:
            (live.add if body["run_state"] in LIVE_RUNS else live.discard)(body["run"])
        if "trial_state" in body:
            (trials.add if body["trial_state"] == "running" else trials.discard)(body["trial"])
        most |= Counter(things[run] for run in live) | Counter(trials=len(trials))
    return most
