import pytest
from rich.console import Console
from rich.progress import Progress

from labwright.cli.progress import Watch
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Continuous, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial

PROBLEM = Problem(
    space=Space(parameters=(Continuous(name="x", low=0, high=10),)),
    objectives=(Objective(name="y", goal=Goal.MAXIMIZE),),
)


@pytest.fixture
def watch():
    console = Console(width=200)
    bar = Progress(console=console, disable=True)
    return Watch(console, bar, bar.add_task("squares", best="", doing=""), PROBLEM)


def trials(ended):
    """Return three trials that were begun at once; `ended`: what those gave that have ended."""
    return [trial(n, ended.get(n)) for n in (1, 2, 3)]


def trial(number, y):
    state, outcomes = (TrialState.RUNNING, {}) if y is None else (TrialState.OBSERVED, {"y": y})
    proposal = Proposal(point={"x": 5.0}, source="fake", reason="")
    return Trial(campaign="squares", number=number, proposal=proposal, state=state, outcomes=outcomes)


def test_each_trial_is_told_once_as_it_ends_in_whatever_order(watch, capsys):
    for ended in ({}, {3: 1.0}, {3: 1.0, 1: 4.0}, {3: 1.0, 1: 4.0, 2: 2.0}):
        watch.trials(trials(ended))

    told = capsys.readouterr().out.splitlines()
    assert told == [
        "squares/3 y = 1; best y 1",
        "squares/1 y = 4; best y 4",
        "squares/2 y = 2; best y 4",
    ]


def test_what_had_ended_before_is_not_told_again(watch, capsys):
    watch.trials(trials({2: 2.0}))
    watch.trials(trials({2: 2.0, 1: 4.0}))

    assert capsys.readouterr().out.splitlines() == ["squares/1 y = 4; best y 4"]
