from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Continuous, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial, best, taught

PROBLEM = Problem(
    space=Space(parameters=(Continuous(name="x", low=0, high=10),)),
    objectives=(Objective(name="y", goal=Goal.MINIMIZE),),
)


def observed(number, y, *, x=5.0, **said):
    proposal = Proposal(point={"x": x}, source="fake", reason="")
    return Trial(number=number, proposal=proposal, state=TrialState.OBSERVED, outcomes={"y": y}, **said)


def test_an_excluded_trial_is_never_the_best_and_teaches_nothing():
    trials = [observed(1, 1.0, excluded="a dirty cell"), observed(2, 2.0)]

    assert best(PROBLEM, trials) == trials[1]
    assert taught(trials) == trials[1:]


def test_an_imported_trial_outside_the_space_teaches_but_is_never_the_best():
    trials = [observed(1, 1.0, x=11.0, imported="ab"), observed(2, 2.0, imported="ab")]

    assert best(PROBLEM, trials) == trials[1]
    assert taught(trials) == trials


def test_an_imported_trial_uses_no_budget_and_an_excluded_one_does():
    assert not observed(1, 1.0, imported="ab").uses_budget
    assert observed(1, 1.0, excluded="a dirty cell").uses_budget
