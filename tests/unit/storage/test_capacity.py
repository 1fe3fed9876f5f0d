"""How many runs a physical thing takes at once, where campaigns say different things of it."""

from contextlib import closing
from itertools import count

import pytest

from labwright.app import Laboratory
from labwright.core.run import NewRun, Next
from labwright.core.trial import Proposal
from labwright.storage.database import Database

POINT = Proposal(point={"x": 1.0}, source="test", reason="test")
KEYS = {"wide": "oven here|a", "narrow": "oven here|b"}
NUMBERS = count()


@pytest.fixture
def laboratory(database_url):
    with closing(Database.open(database_url)) as database:
        yield Laboratory.of(database)


def begin(laboratory, campaign, runs, capacity):
    laboratory.campaigns.add(campaign, "text", "")
    laboratory.campaigns.change(campaign, "start")
    new = {"step": 0, "resource": "oven", "key": KEYS[campaign], "capability": "heat", "inputs": {"x": 1.0}}
    following = [Next(runs=(NewRun(**new, command_id=f"c{next(NUMBERS)}", capacity=capacity),)) for _ in range(runs)]
    laboratory.trials.begin(campaign, [(POINT, f) for f in following], budget=runs, parallel=runs)


def claim(laboratory, campaign, says):
    """What a worker gets that serves the campaign's set-up, and has read in its file that the oven takes so many."""
    return laboratory.runs.claim(laboratory.runs.queued([KEYS[campaign]], 9), {KEYS[campaign]: says})


@pytest.mark.parametrize("first", ["wide", "narrow"])
def test_the_least_that_a_campaign_at_work_there_says_counts_whichever_came_first(laboratory, first):
    for campaign in (first, *(KEYS.keys() - {first})):
        begin(laboratory, campaign, 3, {"wide": 3, "narrow": 1}[campaign])

    assert len(claim(laboratory, "wide", 3)) == 1
    assert claim(laboratory, "narrow", 1) == []
    assert laboratory.runs.capacities() == {"oven here": 1}


def test_it_takes_more_again_when_whoever_said_less_has_no_open_runs(laboratory):
    begin(laboratory, "wide", 3, 3)
    begin(laboratory, "narrow", 1, 1)
    [run] = claim(laboratory, "narrow", 1)
    assert claim(laboratory, "wide", 3) == []
    laboratory.runs.requeue(run, "it never started")
    laboratory.campaigns.change("narrow", "stop")
    laboratory.runs.call_off("narrow", "the campaign was stopped")

    assert len(claim(laboratory, "wide", 3)) == 3


def test_of_a_run_from_before_that_was_kept_the_worker_says_it(laboratory):
    begin(laboratory, "wide", 3, None)

    assert len(claim(laboratory, "wide", 2)) == 2
