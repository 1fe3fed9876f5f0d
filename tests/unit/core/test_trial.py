from hypothesis import given
from hypothesis import strategies as st

from labwright.core.problem import Desirability, Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Continuous, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial, best, front, taught, winners

PROBLEM = Problem(
    space=Space(parameters=(Continuous(name="x", low=0, high=10),)),
    objectives=(Objective(name="y", goal=Goal.MINIMIZE),),
)


def observed(number, y, *, x=5.0, **said):
    proposal = Proposal(point={"x": x}, source="fake", reason="")
    return Trial(number=number, proposal=proposal, state=TrialState.OBSERVED, outcomes={"y": y}, **said)


TRADED = Problem(
    space=PROBLEM.space,
    objectives=(Objective(name="y", goal=Goal.MINIMIZE), Objective(name="z", goal=Goal.MAXIMIZE)),
    constraints=(OutcomeConstraint(name="k", low=0),),
)


def measured(*rows):
    proposal = Proposal(point={"x": 5.0}, source="fake", reason="")
    found = [{name: float(v) for name, v in zip("yzk", row, strict=False) if v is not None} for row in rows]
    return [
        Trial(number=n, proposal=proposal, state=TrialState.OBSERVED, outcomes=outcomes)
        for n, outcomes in enumerate(found, start=1)
    ]


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


def test_the_front_holds_what_no_other_is_better_than_in_everything():
    trials = measured((3, 1, 0), (2, 2, 0), (1, 0, 0), (2, 3, 0))

    assert [t.number for t in front(TRADED, trials)] == [3, 4]
    assert winners(TRADED, trials) == front(TRADED, trials)


def test_equal_results_stand_on_the_front_together():
    assert [t.number for t in front(TRADED, measured((1, 1, 0), (1, 1, 0), (2, 0, 0)))] == [1, 2]


def test_what_breaks_a_constraint_or_misses_an_objective_is_on_no_front():
    trials = measured((0, 9, -1), (0, None, 0), (None, 9, 0), (0, 9, None), (5, 1, 0))

    assert [t.number for t in front(TRADED, trials)] == [5]
    assert best(TRADED, trials) == trials[4]
    assert front(TRADED, trials[:4]) == []
    assert best(TRADED, trials[:4]) is None


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(-1, 1)), max_size=12))
def test_every_other_result_is_dominated_by_one_of_the_front(rows):
    trials = measured(*rows)
    found = front(TRADED, trials)

    def dominates(a, b):
        (y, z), (v, w) = ((t.outcomes["y"], -t.outcomes["z"]) for t in (a, b))
        return y <= v and z <= w and (y, z) != (v, w)

    others = [t for t in trials if t not in found and t.outcomes["k"] >= 0]
    assert all(any(dominates(one, other) for one in found) for other in others)
    assert not any(dominates(a, b) for a in found for b in found)
    assert best(TRADED, trials) == (found[0] if found else None)


def test_the_most_desirable_trial_is_the_best_where_objectives_are_weighed():
    wishes = (Desirability(worst=4, best=0), Desirability(worst=0, best=4))
    problem = Problem(
        space=PROBLEM.space,
        objectives=tuple(
            Objective(name=o.name, goal=o.goal, desirability=d) for o, d in zip(TRADED.objectives, wishes, strict=True)
        ),
    )
    trials = measured((0, 1), (2, 3), (4, 4))

    assert winners(problem, trials) == [trials[1]]
