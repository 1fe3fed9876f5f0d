"""What was once found to stop the planner, or to make it propose what it must not."""

import numpy as np
import pytest

from labwright.core.belief import Belief
from labwright.core.errors import InvalidInput, PoolExhausted
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.restriction import Composition, LinearConstraint, Rule
from labwright.core.source import Answer, Source
from labwright.core.space import Continuous, Discrete, Pool, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.planning import suggest
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.sampling import SamplingPlanner

DUSTY = 0.1 + 0.2  # 0.30000000000000004


def objectives(*names):
    return tuple(Objective(name=name, goal=Goal.MAXIMIZE) for name in names)


def unit(name):
    return Continuous(name=name, low=0, high=1)


def ended(number, point, state, **outcomes):
    proposal = Proposal(point=point, source="test", reason="a test")
    return Trial(number=number, proposal=proposal, state=state, outcomes=outcomes)


@pytest.mark.parametrize("seed", range(3))
def test_a_front_of_mixtures_is_played_to_its_end(play, seed):
    mixture = Composition(name="mixture", parts=("a", "b", "c"))
    space = Space(parameters=(unit("a"), unit("b"), unit("c")), compositions=(mixture,))
    problem = Problem(space=space, objectives=objectives("y", "z"))

    trials = play(GaussianProcessPlanner(), problem, lambda p: {"y": p["a"], "z": p["b"]}, 9, seed=seed)

    assert len(trials) == 9


@pytest.mark.parametrize("planner", [GaussianProcessPlanner(), SamplingPlanner()])
@pytest.mark.parametrize("state", [TrialState.RUNNING, TrialState.FAILED])
@pytest.mark.parametrize("form", ["levels", "pool", "pool with dust"])
def test_what_was_tried_is_known_again_through_the_dust_of_a_conversion(planner, state, form, observed):
    tried = 0.3 if form == "pool with dust" else DUSTY
    parameter = Discrete(name="x", values=(0.1, 0.2, 0.3, 0.4)) if form == "levels" else unit("x")
    listed = (0.1, 0.2, DUSTY, 0.4) if form == "pool with dust" else (0.1, 0.2, 0.3, 0.4)
    pool = None if form == "levels" else Pool(columns={"x": listed})
    problem = Problem(space=Space(parameters=(parameter,), pool=pool), objectives=objectives("y"))
    history, pending = [observed(1, {"x": 0.1}, y=1.0)], []
    (pending if state is TrialState.RUNNING else history).append(ended(2, {"x": tried}, state))

    batch = planner.propose(problem, history, pending, 4, seed=1)

    assert sorted(p.point["x"] for p in batch) == [0.2, 0.4]


def test_in_a_range_too(observed):
    problem = Problem(space=Space(parameters=(unit("x"),)), objectives=objectives("y"))
    history = [observed(i, {"x": i / 10}, y=-abs(i / 10 - 0.5)) for i in range(1, 9)]
    [first] = GaussianProcessPlanner().propose(problem, history, [], 1, seed=1)
    same = {"x": float(np.nextafter(first.point["x"], 1))}

    [second] = GaussianProcessPlanner().propose(problem, [*history, ended(9, same, TrialState.FAILED)], [], 1, seed=1)

    assert abs(second.point["x"] - first.point["x"]) > 1e-9


@pytest.mark.parametrize("factor", [1.0, -2.0])
def test_an_equality_written_as_two_constraints_is_one(play, factor):
    least = LinearConstraint(coefficients={"a": 1.0, "b": 1.0}, low=1.0)
    terms = {"a": factor, "b": factor}
    most = (
        LinearConstraint(coefficients=terms, high=factor)
        if factor > 0
        else LinearConstraint(coefficients=terms, low=factor)
    )
    space = Space(parameters=(unit("a"), unit("b")), constraints=(least, most))
    problem = Problem(space=space, objectives=objectives("y"))

    trials = play(GaussianProcessPlanner(), problem, lambda p: {"y": -((p["a"] - 0.3) ** 2)}, 12)

    assert all(t.point["a"] + t.point["b"] == pytest.approx(1.0) for t in trials)
    assert max(t.outcomes["y"] for t in trials) > -1e-3


@pytest.mark.parametrize("planner", [GaussianProcessPlanner(), SamplingPlanner()])
def test_a_small_region_that_was_found_once_is_searched_further(play, planner):
    def inside(point):
        return abs(point["a"] - 0.5) < 0.02 and abs(point["b"] - 0.5) < 0.02

    space = Space(parameters=(unit("a"), unit("b")), constraints=(Rule(name="small", holds=inside),))
    problem = Problem(space=space, objectives=objectives("y"))

    trials = play(planner, problem, lambda p: {"y": p["a"]}, 12)

    assert all(inside(t.point) for t in trials)


def test_what_is_far_outside_the_range_stops_nothing(observed):
    problem = Problem(space=Space(parameters=(Continuous(name="T", low=20, high=80),)), objectives=objectives("y"))
    history = [observed(i, {"T": t}, y=float(i)) for i, t in enumerate((20.0, 40.0, 1e155, -1e300, 60.0, 80.0))]

    [proposal] = GaussianProcessPlanner().propose(problem, history, [], 1, seed=1)

    assert np.isfinite(proposal.predictions["y"].mean)


def test_a_number_without_a_logarithm_is_named(observed):
    dose = Continuous(name="dose", low=1e-3, high=1, log=True)
    problem = Problem(space=Space(parameters=(dose,)), objectives=objectives("y"))
    history = [observed(i, {"dose": d}, y=1.0) for i, d in enumerate((0.1, 0.0, 0.2, 0.3, 0.4))]

    with pytest.raises(InvalidInput, match="dose: found 0, expected more than 0"):
        GaussianProcessPlanner().propose(problem, history, [], 1, seed=1)


def test_a_rule_is_asked_once_of_each_candidate():
    asked = []

    def rare(point):
        asked.append(point["x"])
        return point["x"] % 50 == 0

    pool = Pool(columns={"x": tuple(float(x) for x in range(1, 201))})
    parameter = Continuous(name="x", low=1, high=200)
    space = Space(parameters=(parameter,), pool=pool, constraints=(Rule(name="rare", holds=rare),))
    problem = Problem(space=space, objectives=objectives("y"))

    chosen = SamplingPlanner().propose(problem, [], [], 4, seed=1)

    assert sorted(p.point["x"] for p in chosen) == [50, 100, 150, 200]
    assert len(asked) == len(set(asked))
    with pytest.raises(PoolExhausted):
        SamplingPlanner().propose(
            problem, [], [ended(i, p.point, TrialState.RUNNING) for i, p in enumerate(chosen)], 1, seed=1
        )


def asking(ask, cost=0.1):
    source = Source(name="sim", ask=ask, cost=cost)
    return Problem(space=Space(parameters=(unit("a"), unit("b"))), objectives=objectives("y"), sources=(source,))


def played(problem, observed):
    history = [observed(i, {"a": i / 7, "b": (i * 3 % 7) / 7}, y=i / 7) for i in range(6)]
    [proposal] = GaussianProcessPlanner().propose(problem, history, [], 1, seed=1)
    return proposal.grounds


def test_a_source_that_writes_into_its_point_harms_nobody(observed):
    def ask(point):
        value = {"y": point["a"]}
        point["a"] /= 10
        point.pop("b")
        return value

    harmless = asking(lambda p: {"y": p["a"]})
    assert played(asking(ask), observed)["sources"] == played(harmless, observed)["sources"]


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_a_source_may_answer_with_numbers_of_numpy(observed, kind):
    assert played(asking(lambda p: {"y": kind(10 * p["a"])}), observed)["unanswered"] == {"sim": 0}
    Source(name="old", answers=(Answer(point={"a": kind(1)}, outcomes={"y": kind(2)}),)).check(
        Space(parameters=(unit("a"),)), ["y"]
    )


def leave(point):
    raise SystemExit(3)


@pytest.mark.parametrize("ask", [leave, lambda p: {"y": 10**400}, lambda p: {"y": True}, lambda p: 5])
def test_whatever_a_source_does_the_next_trial_is_chosen(observed, ask):
    found = played(asking(ask), observed)

    assert found["unanswered"] == found["asked"]


def test_a_source_that_costs_next_to_nothing_is_asked_no_more_than_it_teaches(observed):
    assert played(asking(lambda p: {"y": p["a"]}, cost=5e-324), observed)["asked"]["sim"] < 100


def test_a_cost_that_is_no_number_is_refused():
    with pytest.raises(InvalidInput, match="costs 'little' of a trial"):
        Source(name="sim", ask=leave, cost="little")
    with pytest.raises(InvalidInput, match="answer 1: y is 1000"):
        Source(name="old", answers=(Answer(point={"a": 1}, outcomes={"y": 10**400}),)).check(
            Space(parameters=(unit("a"),)), ["y"]
        )


def test_rules_that_leave_no_candidate_are_named_with_what_they_say():
    def broken(point):
        raise KeyError("solvent")

    space = Space(
        parameters=(unit("x"),), pool=Pool(columns={"x": (0.1, 0.2)}), constraints=(Rule(name="dry", holds=broken),)
    )

    with pytest.raises(PoolExhausted, match=r"None of the 2 candidates left keeps every rule.*dry raised KeyError"):
        SamplingPlanner().propose(Problem(space=space, objectives=objectives("y")), [], [], 1, seed=1)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"objective": 5}, "objective: found 5"),
        ({"objective": [5]}, "objective: found 5"),
        ({"objective": b"maximize y"}, "objective: found b'maximize y'"),
        ({"constraints": 5}, "constraints: found 5"),
        ({"constraints": [5]}, "constraints: found 5"),
        ({"beliefs": "x"}, "beliefs: found 'x'"),
        ({"beliefs": ["x"]}, "beliefs: found 'x'"),
        ({"problem": 5, "objective": None, "space": None}, "problem: found 5"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_its_name(said, words):
    wishes = {"objective": "maximize y", "space": {"x": (0.5, 3.0)}} | said
    with pytest.raises(InvalidInput, match=words):
        suggest({"x": [1.0, 2.0], "y": [1.0, 2.0]}, **wishes)


def test_one_belief_needs_no_list():
    [row] = suggest(
        [{"x": 1.0, "y": 1.0}], "maximize y", {"x": (0.5, 3.0)}, beliefs=Belief(parameter="x", near=2.0, within=0.1)
    )

    assert 1.5 < row["x"] < 2.5
    with pytest.raises(InvalidInput, match="near 'x' is not a finite number"):
        Belief(parameter="x", near="x", within=1.0)


@pytest.mark.parametrize("column", [np.ones((2, 2)), np.array(1.0)])
def test_a_column_that_is_no_row_of_cells_is_refused(column):
    with pytest.raises(InvalidInput, match="column 'x': found an array of shape"):
        suggest({"x": column, "y": [1.0, 2.0]}, "maximize y", {"x": (0.5, 3.0)})
