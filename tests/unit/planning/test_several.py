"""The planner with several objectives: fronts and desirability, on problems whose answer is known."""

import math

import numpy as np
import pytest

from labwright.core.problem import Desirability, Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Categorical, Continuous, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial, best, front
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.model import learn
from labwright.planning.objectives import hypervolumes
from labwright.planning.sampling import SamplingPlanner

PLANE = Space(parameters=(Continuous(name="a", low=0, high=1), Continuous(name="b", low=0, high=1)))
LOW_U, LOW_V = Objective(name="u", goal=Goal.MINIMIZE, worst=1.1), Objective(name="v", goal=Goal.MINIMIZE, worst=1.1)


def traded(point):
    """Two losses that cannot both be small: the front is where b is 0.2."""
    away = 2 * (point["b"] - 0.2) ** 2
    return {"u": point["a"] ** 2 + away, "v": (1 - point["a"]) ** 2 + away}


def of_front(*objectives, space=PLANE, constraints=()):
    return Problem(space=space, objectives=objectives or (LOW_U, LOW_V), constraints=constraints)


def propose(problem, history, pending=(), count=1):
    return GaussianProcessPlanner().propose(problem, history, pending, count, seed=1)


def volume(problem, history):
    return hypervolumes(problem, history)[-1][1]


def test_a_front_is_filled_faster_than_by_an_even_spread(play):
    problem = of_front()

    chosen, spread = (play(planner, problem, traded, 20) for planner in (GaussianProcessPlanner(), SamplingPlanner()))

    # All of it would be 1.1 ** 2 less the area under v = (1 - sqrt(u)) ** 2, a sixth.
    assert volume(problem, spread) < volume(problem, chosen)
    assert volume(problem, chosen) > 0.97 * (1.1**2 - 1 / 6)


def test_the_front_of_a_third_objective_to_match_is_found(play):
    problem = of_front(LOW_U, LOW_V, Objective(name="w", goal=Goal.MATCH, target=0.5, worst=0.0))

    history = play(GaussianProcessPlanner(), problem, lambda p: {**traded(p), "w": p["a"]}, 20)

    assert any(abs(t.outcomes["w"] - 0.5) < 0.03 and t.outcomes["u"] < 0.3 for t in front(problem, history))


def test_a_front_keeps_the_constraints(play):
    problem = of_front(constraints=(OutcomeConstraint(name="k", low=0.5),))

    history = play(GaussianProcessPlanner(), problem, lambda p: {**traded(p), "k": p["a"] + p["b"]}, 20)

    kept = front(problem, history)
    assert all(t.outcomes["k"] >= 0.5 for t in kept)
    assert sum(t.outcomes["k"] >= 0.5 for t in history[8:]) >= 8
    assert min(t.outcomes["u"] for t in kept) < 0.18
    assert "keeps every constraint with probability" in history[-1].proposal.reason


def test_beyond_the_worst_that_is_of_use_nothing_is_looked_for(play):
    problem = of_front(Objective(name="u", goal=Goal.MINIMIZE, worst=0.3), LOW_V)

    history = play(GaussianProcessPlanner(), problem, traded, 18)

    assert all(t.outcomes["u"] < 0.4 for t in history[8:])


def test_several_at_once_are_spread_along_the_front(play):
    problem = of_front()
    history = play(GaussianProcessPlanner(), problem, traded, 8)

    proposals = propose(problem, history, count=4)

    places = [(p.point["a"], p.point["b"]) for p in proposals]
    assert min(math.dist(p, q) for i, p in enumerate(places) for q in places[:i]) > 0.03


def test_a_pending_trial_is_believed_to_be_on_the_front(play):
    problem = of_front()
    history = play(GaussianProcessPlanner(), problem, traded, 8)
    (first,) = propose(problem, history)
    running = Trial(number=9, proposal=first, state=TrialState.RUNNING)

    (second,) = propose(problem, history, [running])

    assert math.dist(first.point.values(), second.point.values()) > 0.03


def test_a_front_that_is_short_by_chance_is_seen_to_go_on(observed):
    free = of_front(Objective(name="u", goal=Goal.MINIMIZE), Objective(name="v", goal=Goal.MINIMIZE))
    begun = [
        observed(i, {"a": a, "b": 0.2}, **traded({"a": a, "b": 0.2})) for i, a in enumerate((0.4, 0.45, 0.5), start=1)
    ]
    off = [observed(4 + i, {"a": a, "b": 1.0}, **traded({"a": a, "b": 1.0})) for i, a in enumerate((0.0, 1.0, 0.5))]
    history = [*begun, *off]

    for number in range(7, 17):
        (proposal,) = propose(free, history)
        history.append(observed(number, proposal.point, **traded(proposal.point)))

    places = [t.point["a"] for t in front(free, history)]
    assert min(places) < 0.1
    assert max(places) > 0.9


def test_the_reason_names_each_objective_and_the_size_of_the_front(play):
    history = play(GaussianProcessPlanner(), of_front(), traded, 8)

    reason = history[-1].proposal.reason
    assert reason.startswith("to improve the front: u expected ")
    assert " and v expected " in reason
    assert f"{len(front(of_front(), history[:-1]))} trials on it so far" in reason


def test_lucky_results_are_not_believed_to_be_the_front(observed):
    rng = np.random.default_rng(0)
    points = [{"a": a, "b": b} for a in np.linspace(0, 1, 6) for b in np.linspace(0, 1, 5)]
    history = [
        observed(i, p, **{k: v + 0.2 * rng.standard_normal() for k, v in traded(p).items()})
        for i, p in enumerate(points, start=1)
    ]

    reached = learn(of_front(), history).reached.losses

    lucky = min(t.outcomes["u"] + t.outcomes["v"] for t in front(of_front(), history))
    assert lucky < 0.3
    assert reached.sum(axis=1).min() > lucky + 0.1


OUTCOMES = {
    "equal": lambda i: {"u": 3.0, "v": 3.0},
    "correlated": lambda i: {"u": float(i), "v": 2.0 * i},
    "opposed": lambda i: {"u": float(i), "v": -float(i)},
    "twice": lambda i: {"u": float(i % 2), "v": float(1 - i % 2)},
    "tiny": lambda i: {"u": 1e-12 * i, "v": -1e-12 * i**2},
    "huge": lambda i: {"u": 1e12 * i, "v": -1e12 * i**2},
    "unlike": lambda i: {"u": 1e-12 * i, "v": -1e12 * i**2},
    "beyond": lambda i: {"u": 1e308, "v": -1e308 if i % 3 else 5.0},
    "one missing": lambda i: {"u": float(i)} if i % 2 else {"u": float(i), "v": -float(i)},
    "never together": lambda i: {"u": float(i)} if i % 2 else {"v": float(i)},
    "one never": lambda i: {"u": float(i)},
}
WISHES = {
    "front": of_front(Objective(name="u", goal=Goal.MINIMIZE), Objective(name="v", goal=Goal.MAXIMIZE)),
    "bounded": of_front(LOW_U, LOW_V),
    "matched": of_front(*(Objective(name=n, goal=Goal.MATCH, target=0.0) for n in "uv")),
    "weighed": of_front(
        Objective(name="u", goal=Goal.MINIMIZE, desirability=Desirability(worst=2.0, best=0.5)),
        Objective(name="v", goal=Goal.MATCH, target=1.0, desirability=Desirability(worst=0.0)),
    ),
    "constrained": of_front(constraints=(OutcomeConstraint(name="u", low=1e9),)),
}


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("found", OUTCOMES)
@pytest.mark.parametrize("count", [1, 7])
def test_whatever_was_measured_it_proposes_points_of_the_space(observed, wish, found, count):
    rng, problem = np.random.default_rng(count), WISHES[wish]
    history = [observed(i, {"a": rng.random(), "b": rng.random()}, **OUTCOMES[found](i)) for i in range(1, count + 1)]

    planner = GaussianProcessPlanner(GaussianProcessPlanner.Options(initial=1))
    proposals = planner.propose(problem, history, [], 2, seed=1)

    assert not any(PLANE.problems(p.point) for p in proposals)
    assert all(p.acquisition is None or math.isfinite(p.acquisition) for p in proposals)


@pytest.mark.parametrize("objectives", [4, 6])
def test_a_large_front_of_many_objectives_does_not_stop_it(observed, objectives):
    rng = np.random.default_rng(0)
    names = [f"o{i}" for i in range(objectives)]
    problem = of_front(*(Objective(name=n, goal=Goal.MINIMIZE) for n in names))
    history = [
        observed(i, {"a": rng.random(), "b": rng.random()}, **dict(zip(names, rng.random(objectives), strict=True)))
        for i in range(1, 61)
    ]

    (proposal,) = propose(problem, history)

    assert math.isfinite(proposal.acquisition)


def desirable(worst, best, **of):
    return Desirability(worst=worst, best=best, **of)


def test_the_most_desirable_compromise_is_found(play):
    problem = of_front(
        Objective(name="u", goal=Goal.MINIMIZE, desirability=desirable(1.0, 0.0)),
        Objective(name="v", goal=Goal.MINIMIZE, desirability=desirable(1.0, 0.0, weight=3.0)),
    )

    history = play(GaussianProcessPlanner(), problem, traded, 20)

    # With b = 0.2 the score is ((1 - a^2) (1 - (1 - a)^2)^3)^(1/4).
    a = np.linspace(0, 1, 10_001)
    most = float((((1 - a**2) * (1 - (1 - a) ** 2) ** 3) ** 0.25).max())
    assert problem.desirability(best(problem, history).outcomes) > most - 0.005
    assert "to improve the desirability" in history[-1].proposal.reason


def test_from_where_nothing_is_desirable_it_finds_what_is(play):
    problem = of_front(
        Objective(name="u", goal=Goal.MATCH, target=0.9, desirability=desirable(0.85, None)),
        Objective(name="v", goal=Goal.MAXIMIZE, desirability=desirable(0.9, 1.0)),
    )

    history = play(GaussianProcessPlanner(), problem, lambda p: {"u": p["a"], "v": 1 - abs(p["b"] - 0.85)}, 25)

    assert problem.desirability(history[0].outcomes) == 0
    assert problem.desirability(best(problem, history).outcomes) > 0.8


def test_the_front_of_a_space_with_categories_has_each_that_is_good_for_something(play):
    space = Space(parameters=(Continuous(name="a", low=0, high=1), Categorical(name="c", levels=("x", "y", "z"))))
    problem = of_front(space=space)
    extra = {"x": (0.0, 0.3), "y": (0.3, 0.0), "z": (0.5, 0.5)}

    def experiment(point):
        u, v = extra[point["c"]]
        return {"u": (point["a"] ** 2 + u) / 1.3, "v": ((1 - point["a"]) ** 2 + v) / 1.3}

    history = play(GaussianProcessPlanner(), problem, experiment, 20)

    assert {t.point["c"] for t in front(problem, history)} == {"x", "y"}
    assert sum(t.point["c"] == "z" for t in history[6:]) <= 4


def test_a_proposal_of_a_front_is_a_core_value(play):
    history = play(GaussianProcessPlanner(), of_front(), traded, 6)

    assert isinstance(history[-1].proposal, Proposal)
    assert all(type(v) is float for v in history[-1].point.values())
