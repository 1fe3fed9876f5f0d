"""Campaigns played in memory against a function."""

import pytest

from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial


def _observed(number, point, **outcomes):
    proposal = Proposal(point=point, source="test", reason="a test")
    return Trial(number=number, proposal=proposal, state=TrialState.OBSERVED, outcomes=outcomes)


def _play(planner, problem, experiment, count, seed=1):
    history = []
    for number in range(1, count + 1):
        (proposal,) = planner.propose(problem, history, [], 1, seed=seed)
        outcomes = experiment(proposal.point)
        state = TrialState.FAILED if outcomes is None else TrialState.OBSERVED
        history.append(Trial(number=number, proposal=proposal, state=state, outcomes=outcomes or {}))
    return history


@pytest.fixture
def observed():
    """Makes one observed trial."""
    return _observed


@pytest.fixture
def play():
    """Runs trials one at a time; None from the experiment is a failed trial."""
    return _play
