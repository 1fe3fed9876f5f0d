"""What is left to gain, and when that is too little."""

from dataclasses import replace

import numpy as np
import pytest

from labwright.core.campaign import StopRule
from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Categorical, Continuous, Space
from labwright.planning.gp import INITIAL, GaussianProcessPlanner
from labwright.planning.sampling import SamplingPlanner
from labwright.planning.stopping import FEWEST, Outlook, enough, latest, noted, words

SPACE = Space(parameters=(Continuous(name="x", low=0, high=1), Categorical(name="kind", levels=("a", "b"))))
Y = Objective(name="y", goal=Goal.MAXIMIZE, unit="%")
PROBLEM = Problem(space=SPACE, objectives=(Y,))
HALF = StopRule(gain=0.5, of_noise=True)


def smooth(point):
    return {"y": 10 * np.sin(3 * point["x"]) + (point["kind"] == "b")}


def noisy(seed):
    rng = np.random.default_rng(seed)
    return lambda point: {"y": smooth(point)["y"] + 0.3 * rng.standard_normal()}


def next_one(history, problem=PROBLEM, seed=1):
    return GaussianProcessPlanner().propose(problem, history, [], 1, seed=seed)[0]


def why(history, rule=HALF, problem=PROBLEM):
    return enough(rule, problem, history, next_one(history, problem))


def first_stop(history, rule=HALF):
    return next((n for n in range(len(history)) if enough(rule, PROBLEM, history[:n], history[n].proposal)), None)


def test_the_bound_holds_what_there_is_to_gain_on_a_smooth_function(play):
    for seed in range(4):
        history = play(GaussianProcessPlanner(), PROBLEM, smooth, 16, seed=seed)
        for n in range(8, 16):
            reached = max(t.outcomes["y"] for t in history[:n])
            assert noted(history[n].proposal).left > 11 - reached - 0.02


def test_there_is_less_to_gain_the_more_was_found(play):
    history = play(GaussianProcessPlanner(), PROBLEM, smooth, 16)

    early, late = noted(history[INITIAL].proposal), noted(history[-1].proposal)
    assert late.left < 0.2 * early.left
    assert late.gain <= late.left


def test_a_target_that_is_surely_met_leaves_nothing_to_gain(play):
    problem = Problem(space=SPACE, objectives=(replace(Y, goal=Goal.MATCH, target=5.0),))
    history = play(GaussianProcessPlanner(), problem, smooth, 16)

    assert noted(history[-1].proposal).left < 0.5


def test_repeated_points_tell_the_noise(play, observed):
    history = play(GaussianProcessPlanner(), PROBLEM, smooth, 8)
    history += [observed(9 + n, {"x": 0.5, "kind": "a"}, y=9.975 + d) for n, d in enumerate((-0.4, 0.0, 0.4))]

    found = noted(next_one(history))

    assert found.replicated
    assert found.noise == pytest.approx(0.4)
    assert not noted(history[-4].proposal).replicated


def test_it_stops_when_the_gain_is_small_beside_the_noise_and_says_so(play):
    history = play(GaussianProcessPlanner(), PROBLEM, noisy(3), 40)

    stop = first_stop(history)
    assert stop is not None
    assert max(smooth(t.point)["y"] for t in history[:stop]) > 10.7
    said = enough(HALF, PROBLEM, history[:stop], history[stop].proposal)
    assert said.startswith("the next experiment is expected to gain ")
    assert "times the noise" in said
    assert said.endswith("it was to stop below 0.5 noise")


def test_it_never_stops_during_the_first_design_nor_soon_after(play):
    flat = {"y": 1.0}
    history = play(GaussianProcessPlanner(), PROBLEM, lambda _: flat, INITIAL + FEWEST)

    assert first_stop(history, StopRule(gain=1e9)) is None
    assert enough(StopRule(gain=1e9), PROBLEM, history, next_one(history)) is not None


def test_an_even_spread_never_stops(play):
    history = play(SamplingPlanner(), PROBLEM, smooth, 30)

    assert first_stop(history, StopRule(gain=1e9)) is None


def test_it_never_stops_before_so_many_trials_as_the_file_says(play):
    history = play(GaussianProcessPlanner(), PROBLEM, smooth, 20)

    assert why(history, StopRule(gain=1e9, not_before=21)) is None
    assert why(history, StopRule(gain=1e9, not_before=20)) is not None


def test_it_never_stops_while_nothing_is_feasible(play):
    strict = replace(PROBLEM, constraints=(OutcomeConstraint(name="y", low=1000),))
    history = play(GaussianProcessPlanner(), strict, smooth, 20)

    assert latest(history) is None
    assert why(history, StopRule(gain=1e9), strict) is None


def test_several_objectives_have_no_gain_in_the_unit_of_one(play):
    both = replace(PROBLEM, objectives=(Y, Objective(name="z", goal=Goal.MINIMIZE)))
    history = play(GaussianProcessPlanner(), both, lambda p: smooth(p) | {"z": p["x"]}, 10)

    assert latest(history) is None


def test_the_words_are_plain():
    found = Outlook(gain=0.021, left=1.31, noise=0.2, replicated=True)

    assert words(Y, found) == (
        "the next experiment is expected to gain 0.021 % of y (0.1 times the noise of repeated measurements); "
        "what is left to gain is at most 1.3 %"
    )
