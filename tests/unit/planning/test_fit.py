"""What a report shows of the model."""

import numpy as np
import pytest

from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Categorical, Continuous, Space
from labwright.core.trial import best
from labwright.planning.encoding import Encoding
from labwright.planning.fit import leave_one_out, lengthscales, recommend, sensitivity
from labwright.planning.model import learn
from labwright.planning.sampling import SamplingPlanner

PROBLEM = Problem(
    space=Space(
        parameters=(
            Continuous(name="strong", low=0, high=10),
            Continuous(name="idle", low=0, high=1),
            Categorical(name="kind", levels=("a", "b")),
        )
    ),
    objectives=(Objective(name="y", goal=Goal.MAXIMIZE),),
)


@pytest.fixture
def history(play):
    return play(SamplingPlanner(), PROBLEM, lambda p: {"y": 50 + 4 * p["strong"] + 2 * (p["kind"] == "a")}, 24)


def test_each_observation_is_predicted_from_the_others(history):
    left_out = leave_one_out(PROBLEM, history, "y")

    assert [one.number for one in left_out] == list(range(1, 25))
    assert all(one.observed == t.outcomes["y"] for one, t in zip(left_out, history, strict=True))
    assert all(abs(one.mean - one.observed) < 4 for one in left_out)
    assert sum(abs(one.mean - one.observed) < 2 * one.sd for one in left_out) >= 20


def test_a_parameter_that_matters_has_the_larger_share(history):
    shares = sensitivity(PROBLEM, history, "y")

    assert sum(shares.values()) == pytest.approx(1)
    assert shares["strong"] > 0.8
    assert shares["kind"] > 3 * shares["idle"]


def test_a_parameter_that_does_nothing_has_a_long_lengthscale(history):
    found = lengthscales(PROBLEM, history, "y")

    assert list(found) == ["strong", "idle", "kind"]
    assert found["idle"] > 3 * found["strong"]


def test_nothing_measured_is_nothing_to_show(history):
    assert leave_one_out(PROBLEM, history, "colour") == []
    assert sensitivity(PROBLEM, history, "colour") == {}
    assert lengthscales(PROBLEM, history, "colour") == {}


def test_one_trial_gives_equal_shares(observed):
    one = [observed(1, {"strong": 1, "idle": 0.5, "kind": "a"}, y=3.0)]

    assert sensitivity(PROBLEM, one, "y") == pytest.approx({"strong": 1 / 3, "idle": 1 / 3, "kind": 1 / 3})
    assert len(leave_one_out(PROBLEM, one, "y")) == 1


def test_what_it_recommends_is_nearer_to_the_optimum_than_the_luckiest_measurement(play):
    line = Problem(space=Space(parameters=(Continuous(name="x", low=0, high=1),)), objectives=PROBLEM.objectives)
    recommended, luckiest = [], []

    for seed in range(8):
        noise = np.random.default_rng(seed)
        history = play(
            SamplingPlanner(), line, lambda p, n=noise: {"y": -((p["x"] - 0.6) ** 2) + 0.03 * n.normal()}, 40
        )
        recommended.append(abs(recommend(line, history).point["x"] - 0.6))
        luckiest.append(abs(best(line, history).point["x"] - 0.6))

    assert np.mean(recommended) < 0.8 * np.mean(luckiest)


def test_a_trial_that_only_just_held_by_luck_is_not_what_it_recommends(play):
    noise = np.random.default_rng(3)
    constraints = (OutcomeConstraint(name="heat", high=0.5),)
    space = Space(parameters=(Continuous(name="x", low=0, high=1),))
    line = Problem(space=space, objectives=PROBLEM.objectives, constraints=constraints)
    history = play(SamplingPlanner(), line, lambda p: {"y": p["x"], "heat": p["x"] + 0.1 * noise.normal()}, 40)

    assert best(line, history).point["x"] > 0.5
    assert 0.3 < recommend(line, history).point["x"] < 0.5


def test_where_nothing_is_feasible_nothing_is_recommended(history):
    strict = Problem(
        space=PROBLEM.space, objectives=PROBLEM.objectives, constraints=(OutcomeConstraint(name="y", low=1000),)
    )

    assert recommend(strict, history) is None


SOLVENTS = {"water": 80.0, "DMSO": 47.0, "DMF": 37.0, "ethanol": 25.0, "acetone": 21.0, "ether": 4.0, "hexane": 2.0}


def described(**descriptors):
    parameters = (
        Categorical(name="solvent", levels=tuple(SOLVENTS), descriptors=descriptors),
        Continuous(name="t", low=0, high=1),
    )
    return Problem(space=Space(parameters=parameters), objectives=PROBLEM.objectives)


def test_descriptors_count_with_their_category(play):
    problem = described(polarity=tuple(SOLVENTS.values()), letters=tuple(float(len(name)) for name in SOLVENTS))
    history = play(SamplingPlanner(), problem, lambda p: {"y": SOLVENTS[p["solvent"]] + p["t"]}, 20)

    assert sensitivity(problem, history, "y")["solvent"] > 0.8
    assert list(lengthscales(problem, history, "y")) == ["solvent", "t"]


def test_of_a_level_that_nobody_tried_its_descriptors_tell(play):
    def error(problem):
        history = play(SamplingPlanner(), problem, lambda p: {"y": SOLVENTS[p["solvent"]] + p["t"]}, 24)
        known = [t for t in history if t.point["solvent"] not in ("DMF", "hexane")]
        model, encoding = learn(problem, known), Encoding.of(problem.space)
        rows = encoding.points([{"solvent": name, "t": 0.5} for name in ("DMF", "hexane")])
        return np.abs(model.outcomes["y"].predict(rows)[0] - [37.5, 2.5]).max()

    assert error(described(polarity=tuple(SOLVENTS.values()))) < 0.6 * error(described())
