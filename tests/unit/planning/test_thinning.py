from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Continuous, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial, front
from labwright.planning.thinning import thinned

SPACE = Space(parameters=(Continuous(name="x", low=0, high=1),))
ONE = Problem(space=SPACE, objectives=(Objective(name="y", goal=Goal.MAXIMIZE),))
TWO = Problem(space=SPACE, objectives=(*ONE.objectives, Objective(name="z", goal=Goal.MAXIMIZE)))


def trial(number, **outcomes):
    state = TrialState.OBSERVED if outcomes else TrialState.FAILED
    proposal = Proposal(point={"x": number / 100}, source="", reason="")
    return Trial(number=number, proposal=proposal, state=state, outcomes=outcomes)


def test_a_few_trials_all_teach():
    history = [trial(n, y=n) for n in range(10)]

    assert thinned(ONE, history, most=10) is history


def test_of_many_the_best_half_and_an_even_spread_of_the_others_teach_in_their_order():
    history = [trial(n, y=n) if n % 3 else trial(n) for n in range(100)]

    kept = [t.number for t in thinned(ONE, history, most=20)]

    assert kept[-15:][-10:] == kept[-10:] == sorted(kept)[-10:]
    assert set(kept) >= {98, 97, 95, 94, 92, 91, 89, 88, 86, 85}
    assert (len(kept), kept) == (20, sorted(kept))
    assert any(n % 3 == 0 for n in kept)


def test_the_front_is_kept():
    history = [trial(n, y=n, z=-n if n % 10 == 0 else -1000 + n) for n in range(100)]

    kept = thinned(TWO, history, most=30)

    assert {t.number for t in front(TWO, history)} <= {t.number for t in kept}
