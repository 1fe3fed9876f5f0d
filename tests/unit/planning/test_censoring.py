"""Outcomes that stop at a constraint's limit."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Continuous, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.planning.censoring import _excess, stopped
from labwright.planning.model import learn

CHARGE = OutcomeConstraint(name="charge", low=80)


def problem(constraint=CHARGE):
    space = Space(parameters=(Continuous(name="t", low=0, high=10),))
    return Problem(space=space, objectives=(Objective(name="heat", goal=Goal.MINIMIZE),), constraints=(constraint,))


def trials(charge):
    proposals = [Proposal(point={"t": float(t)}, source="sampling", reason="") for t in np.linspace(0, 10, 11)]
    return [
        Trial(
            number=i,
            proposal=p,
            state=TrialState.OBSERVED,
            outcomes={"charge": float(charge(p.point["t"])), "heat": p.point["t"]},
        )
        for i, p in enumerate(proposals, start=1)
    ]


def chance(history, row, constraint=CHARGE):
    return float(np.exp(learn(problem(constraint), history).log_feasible(np.array([[row]]))[0]))


def test_where_trials_stopped_at_the_limit_the_next_one_is_likely_to_reach_it():
    history = trials(lambda t: min(20 * t, 80.0))

    assert chance(history, 0.75) > 0.95
    assert chance(history, 0.15) < 0.05


def test_the_limit_is_crossed_where_the_outcome_would_have_crossed_it():
    history = trials(lambda t: min(16 * t, 80.0))

    assert 0.05 < chance(history, 0.5) < 0.97


def test_an_upper_limit_counts_as_well():
    ceiling = OutcomeConstraint(name="charge", high=20)
    history = trials(lambda t: max(10 * (10 - t), 20.0))

    assert chance(history, 0.97, ceiling) > 0.9
    assert chance(history, 0.3, ceiling) < 0.05


def test_an_outcome_that_went_beyond_the_limit_did_not_stop_there():
    y = np.array([20.0, 80.0, 80.0, 81.0])

    assert not stopped(y, CHARGE).any()
    assert stopped(y[:3], CHARGE).tolist() == [False, True, True]


def test_one_trial_at_the_limit_may_be_there_by_chance():
    assert not stopped(np.array([20.0, 60.0, 80.0]), CHARGE).any()


def test_what_is_told_of_the_outcome_stays_what_is_recorded():
    history = trials(lambda t: min(20 * t, 80.0))

    told = learn(problem(), history).predictions(np.array([[0.8]]))["charge"]

    assert told.mean == pytest.approx(80, abs=4)


def test_when_every_trial_stopped_at_the_limit_all_are_likely_to():
    history = trials(lambda t: 80.0)

    assert chance(history, 0.55) > 0.8


@pytest.mark.parametrize(("mean", "sd"), [(3.0, 1.0), (0.0, 2.0), (-4.0, 1.0), (-30.0, 1.0)])
def test_the_mean_beyond_the_limit_is_that_of_a_truncated_normal(mean, sd):
    found = _excess(np.array([mean]), np.array([sd]))[0]

    if mean > -10:
        above = quad(lambda x: x * norm.pdf(x, mean, sd), 0, mean + 12 * sd)[0] / norm.sf(0, mean, sd)
        assert found == pytest.approx(above, rel=1e-6)
    assert 0 <= found < max(mean, 0) + 2 * sd
