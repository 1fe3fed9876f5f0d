"""The planner that learns, on problems whose answer is known."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Categorical, Continuous, Discrete, Pool, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial, best
from labwright.planning.gp import GaussianProcessPlanner

CUBE = Space(parameters=tuple(Continuous(name=n, low=-1, high=2) for n in "abc"))
CURRENTS = tuple(Continuous(name=f"c{i}", low=0.3, high=3) for i in (1, 2, 3))
BARREL = Path(__file__).parents[4] / "shared" / "tables" / "crossed_barrel"


def problem_over(space, goal=Goal.MINIMIZE, *, target=None, constraints=()):
    return Problem(space=space, objectives=(Objective(name="y", goal=goal, target=target),), constraints=constraints)


def distance(point):
    return sum((point[n] - 0.3) ** 2 for n in "abc")


@pytest.mark.parametrize(("goal", "sign"), [(Goal.MINIMIZE, 1), (Goal.MAXIMIZE, -1)])
def test_a_smooth_optimum_is_found(play, goal, sign):
    history = play(GaussianProcessPlanner(), problem_over(CUBE, goal), lambda p: {"y": sign * distance(p)}, 20)

    assert distance(best(problem_over(CUBE, goal), history).point) < 0.01


def test_a_target_is_matched_from_both_sides(play):
    problem = problem_over(CUBE, Goal.MATCH, target=1.7)

    history = play(GaussianProcessPlanner(), problem, lambda p: {"y": p["a"] + p["b"] * p["c"]}, 14)

    assert abs(best(problem, history).outcomes["y"] - 1.7) < 0.01


def test_the_best_category_is_found(play):
    space = Space(
        parameters=(Categorical(name="ligand", levels=tuple("uvwxyz")), Continuous(name="t", low=0, high=100))
    )
    worth = dict(zip("uvwxyz", (1, 5, 2, 9, 3, 4), strict=True))

    history = play(
        GaussianProcessPlanner(),
        problem_over(space, Goal.MAXIMIZE),
        lambda p: {"y": worth[p["ligand"]] - ((p["t"] - 70) / 30) ** 2},
        25,
    )

    winner = best(problem_over(space, Goal.MAXIMIZE), history)
    assert winner.point["ligand"] == "x"
    assert winner.outcomes["y"] > 8.9


def test_noisy_constraints_are_kept_while_the_objective_is_improved(play):
    """As in fast charging: the temperature binds, and a run that gets too hot ends early, so it looks short."""
    space = Space(parameters=(*CURRENTS, Continuous(name="chamber", low=15, high=40)))
    constraints = (OutcomeConstraint(name="hottest", high=45), OutcomeConstraint(name="charged", low=80))
    problem = problem_over(space, constraints=constraints)
    noise = np.random.default_rng(2)

    def charge(point):
        rates = np.array([point["c1"], point["c2"], point["c3"] * 1.5])
        hottest = point["chamber"] + 4 * (rates**1.8).mean() + 0.1 * noise.standard_normal()
        done = min(1.0, 1.4 - 0.2 * point["c3"] + 0.01 * (point["chamber"] - 30))
        minutes = done * 14 * sum(1 / point[c] for c in ("c1", "c2", "c3"))
        return {"y": minutes + 0.05 * noise.standard_normal(), "hottest": hottest, "charged": 81 * done}

    history = play(GaussianProcessPlanner(), problem, charge, 40)

    # By differential evolution on the noise-free problem the shortest allowed charge takes 18.16 minutes.
    assert best(problem, history).outcomes["y"] < 18.16 * 1.02


def test_before_anything_is_feasible_it_goes_where_that_is_likeliest(play):
    problem = problem_over(CUBE, constraints=(OutcomeConstraint(name="k", low=4.2),))

    history = play(GaussianProcessPlanner(), problem, lambda p: {"y": p["a"], "k": p["a"] + p["b"] + p["c"]}, 9)

    assert any(t.outcomes["k"] >= 4.2 for t in history)
    assert "no trial has satisfied every constraint yet" in history[5].proposal.reason
    assert 0 <= history[5].proposal.p_feasible <= 1


def test_an_optimum_at_the_edge_of_what_fails_is_found_without_failing_on_and_on(play):
    def experiment(point):
        return None if point["a"] > 0.5 else {"y": -point["a"] - point["b"]}

    history = play(GaussianProcessPlanner(), problem_over(CUBE), experiment, 25)

    text = "".join("x" if t.state is TrialState.FAILED else "o" for t in history)
    assert "x" * 6 not in text
    assert best(problem_over(CUBE), history).outcomes["y"] < -2.4


def test_refusals_of_most_of_the_space_are_not_ten_in_a_row(play):
    def experiment(point):
        return None if point["a"] > -0.4 or point["b"] > 1.4 else {"y": distance(point)}

    history = play(GaussianProcessPlanner(), problem_over(CUBE), experiment, 30)

    text = "".join("x" if t.state is TrialState.FAILED else "o" for t in history)
    assert "x" * 10 not in text
    assert text.count("o") >= 12


def test_a_trial_without_the_objective_still_teaches_the_constraint(play, observed):
    problem = problem_over(CUBE, constraints=(OutcomeConstraint(name="k", high=1.0),))
    history = play(GaussianProcessPlanner(), problem, lambda p: {"y": distance(p), "k": p["a"]}, 8)
    history.append(observed(9, {"a": 1.9, "b": 0.0, "c": 0.0}, k=1.9))
    history.append(observed(10, {"a": 0.2, "b": 0.1, "c": 0.0}))

    (proposal,) = GaussianProcessPlanner().propose(problem, history, [], 1, seed=1)

    assert set(proposal.predictions) == {"y", "k"}
    assert proposal.p_feasible is not None


def test_the_reason_names_what_is_expected_and_what_is_best_so_far(play):
    history = play(GaussianProcessPlanner(), problem_over(CUBE), lambda p: {"y": distance(p)}, 9)

    last = history[-1].proposal
    assert last.source == "gp"
    assert last.reason.startswith("exploring: y expected ")
    assert " ± " in last.reason
    assert "best so far" in last.reason
    assert last.predictions["y"].sd > 0
    assert math.isfinite(last.acquisition)
    assert last.p_feasible is None
    assert history[1].proposal.reason.startswith("first design, 2 of 5: ")


def test_the_size_of_the_first_design_can_be_chosen(play):
    planner = GaussianProcessPlanner(GaussianProcessPlanner.Options(initial=3))

    history = play(planner, problem_over(CUBE), lambda p: {"y": distance(p)}, 5)

    assert [t.proposal.source for t in history] == ["gp"] * 5
    assert [t.proposal.reason.startswith("first design, ") for t in history] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("options", [{"initial": 0}, {"initials": 3}])
def test_a_wrong_option_is_refused(options):
    with pytest.raises(ValidationError):
        GaussianProcessPlanner.Options(**options)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_unit_of_the_outcome_does_not_matter(play, scale):
    plain = play(GaussianProcessPlanner(), problem_over(CUBE), lambda p: {"y": distance(p)}, 15)
    scaled = play(GaussianProcessPlanner(), problem_over(CUBE), lambda p: {"y": scale * distance(p)}, 15)

    assert distance(best(problem_over(CUBE), scaled).point) < 0.02
    assert distance(best(problem_over(CUBE), plain).point) < 0.02


@pytest.mark.parametrize("count", [1, 6, 12])
def test_equal_outcomes_do_not_stop_it(count, play):
    history = play(GaussianProcessPlanner(), problem_over(CUBE), lambda p: {"y": 3.0}, count)

    proposals = GaussianProcessPlanner().propose(problem_over(CUBE), history, [], 2, seed=1)

    assert not any(CUBE.problems(p.point) for p in proposals)


def test_a_point_measured_twice_with_different_results_does_not_stop_it(observed):
    point = {"a": 0.0, "b": 0.0, "c": 0.0}
    history = [observed(i, point, y=float(i)) for i in range(1, 9)]

    (proposal,) = GaussianProcessPlanner().propose(problem_over(CUBE), history, [], 1, seed=1)

    assert proposal.point != point


def test_a_space_of_many_levels_is_searched_among_what_may_be_chosen(play):
    space = Space(parameters=tuple(Discrete(name=n, values=tuple(range(40))) for n in "abc"))

    history = play(
        GaussianProcessPlanner(), problem_over(space), lambda p: {"y": sum((p[n] - 27) ** 2 for n in "abc")}, 35
    )

    assert best(problem_over(space), history).outcomes["y"] == 0
    assert np.median([t.outcomes["y"] for t in history[25:]]) < 60


def expected_experiments(rows, good, budget):
    """The mean number of experiments that random choice without replacement needs, at most budget + 1; exact."""
    return sum(math.comb(rows - good, t) / math.comb(rows, t) for t in range(budget + 1))


def barrel():
    meta = json.loads((BARREL / "meta.json").read_text())
    with (BARREL / "data.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    columns = {p["name"]: [float(row[p["name"]]) for row in table] for p in meta["parameters"]}
    parameters = tuple(Continuous(name=n, low=min(v), high=max(v)) for n, v in columns.items())
    return Space(parameters=parameters, pool=Pool(columns=columns)), [
        float(r[meta["objective"]["name"]]) for r in table
    ]


@pytest.mark.skipif(not BARREL.exists(), reason=f"the measured tables are not there: {BARREL}")
def test_on_measured_columns_it_needs_fewer_experiments_than_random_choice():
    space, toughness = barrel()
    measured = {tuple(space.pool.row(i).values()): y for i, y in enumerate(toughness)}
    good = sorted(toughness)[-6]

    needed = []
    for seed in range(4):
        history = []
        while len(history) < 40:
            (proposal,) = GaussianProcessPlanner().propose(
                problem_over(space, Goal.MAXIMIZE), history, [], 1, seed=seed
            )
            y = measured[tuple(proposal.point.values())]
            history.append(Trial(number=1, proposal=proposal, state=TrialState.OBSERVED, outcomes={"y": y}))
            if y >= good:
                break
        needed.append(len(history) + (y < good))

    assert np.mean(needed) < expected_experiments(len(toughness), 6, 40)


def test_the_figure_for_random_choice_is_right():
    rng = np.random.default_rng(0)
    firsts = [min(int(np.flatnonzero(rng.permutation(30) < 3)[0]) + 1, 8) for _ in range(20_000)]

    assert expected_experiments(30, 3, 7) == pytest.approx(np.mean(firsts), rel=0.01)


def test_a_proposal_is_a_core_value(play):
    history = play(GaussianProcessPlanner(), problem_over(CUBE), lambda p: {"y": distance(p)}, 7)

    assert isinstance(history[-1].proposal, Proposal)
    assert all(type(v) is float for v in history[-1].point.values())


@pytest.mark.parametrize("value", [1e200, 1e308, -1e308])
@pytest.mark.parametrize(("goal", "target"), [(Goal.MINIMIZE, None), (Goal.MAXIMIZE, None), (Goal.MATCH, 1.0)])
def test_an_outcome_without_measure_does_not_end_the_campaign(observed, value, goal, target):
    problem = problem_over(CUBE, goal, target=target, constraints=(OutcomeConstraint(name="y", high=1e250),))
    history = [observed(n, {"a": n / 8, "b": 1 - n / 8, "c": 0.5}, y=float(n)) for n in range(1, 8)]
    history.append(observed(8, {"a": 1.5, "b": -0.5, "c": 0.0}, y=value))

    proposals = GaussianProcessPlanner().propose(problem, history, [], 2, seed=1)

    assert len(proposals) == 2
    for proposal in proposals:
        assert math.isfinite(proposal.acquisition)
        assert math.isfinite(proposal.predictions["y"].mean)
        assert math.isfinite(proposal.predictions["y"].sd)
