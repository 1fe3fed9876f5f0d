"""The best of very many candidates is found without scoring them all."""

import numpy as np
import pytest

from labwright.core.errors import PoolExhausted
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.restriction import LinearConstraint, Rule
from labwright.core.space import Categorical, Continuous, Pool, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.planning.candidates import remaining
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.model import learn
from labwright.planning.screening import IN_FULL, Screen

ROWS = 120_000


def pool_space(seed=0, rows=ROWS, constraints=()):
    rng = np.random.default_rng(seed)
    parameters = (
        *(Continuous(name=f"x{i}", low=0, high=1) for i in range(3)),
        Categorical(name="c", levels=("u", "v", "w")),
    )
    columns = {f"x{i}": rng.random(rows) for i in range(3)}
    columns["c"] = np.array(["u", "v", "w"], dtype=object)[rng.integers(3, size=rows)]
    return Space(parameters=parameters, pool=Pool(columns=columns), constraints=constraints)


def problem_of(space):
    return Problem(space=space, objectives=(Objective(name="y", goal=Goal.MINIMIZE),))


def measured(point):
    return sum((point[f"x{i}"] - 0.3 * i - 0.1) ** 2 for i in range(3)) + {"u": 0.3, "v": 0.0, "w": 0.2}[point["c"]]


def trials(space, count):
    rng = np.random.default_rng(7)
    points = [space.pool.row(int(i)) for i in rng.choice(len(space.pool), count, replace=False)]
    return [
        Trial(
            number=number,
            proposal=Proposal(point=point, source="test", reason="a test"),
            state=TrialState.OBSERVED,
            outcomes={"y": measured(point)},
        )
        for number, point in enumerate(points, start=1)
    ]


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_chosen_is_as_good_as_when_all_are_scored(seed):
    space = pool_space(seed)
    history = trials(space, 30)
    model = learn(problem_of(space), history)
    candidates = remaining(space, history)

    index, looked_at = Screen(np.random.default_rng(seed)).best(model.worth, candidates, model.lengthscales)

    every = model.worth(candidates.rows)
    assert len(candidates) == ROWS - 30 > IN_FULL
    assert len(looked_at) < len(candidates) / 2
    assert every[index] > every.max() - 0.05  # of the logarithm


def test_a_batch_from_a_large_pool_holds_no_point_twice_and_comes_again():
    space = pool_space()
    history = trials(space, 12)

    proposals = GaussianProcessPlanner().propose(problem_of(space), history, [], 8, seed=3)

    points = [tuple(p.point.values()) for p in proposals]
    assert len({*points, *(tuple(t.point.values()) for t in history)}) == 20
    assert all(space.pool.has(p.point) for p in proposals)
    assert GaussianProcessPlanner().propose(problem_of(space), history, [], 8, seed=3) == proposals


def test_rows_that_break_a_constraint_or_a_rule_are_never_chosen():
    asked = []

    def holds(point):
        asked.append(point)
        return point["c"] != "v"

    constraint = LinearConstraint(coefficients={"x0": 1.0, "x1": 1.0}, low=1.2)
    space = pool_space(constraints=(constraint, Rule(name="no v", holds=holds)))
    history = trials(space, 12)

    for proposal in GaussianProcessPlanner().propose(problem_of(space), history, [], 3, seed=1):
        assert space.problems(proposal.point) == []
    assert len(asked) < ROWS / 10


def test_the_one_row_that_a_rule_leaves_is_found_however_poor_it_is():
    row = pool_space(rows=60_000).pool.row(43_210)
    space = pool_space(rows=60_000, constraints=(Rule(name="one", holds=lambda point: point == row),))
    history = trials(space, 12)

    proposals = GaussianProcessPlanner().propose(problem_of(space), history, [], 2, seed=1)

    assert [dict(p.point) for p in proposals] == [row]


def test_a_pool_of_which_a_rule_leaves_nothing_says_so():
    space = pool_space(rows=200, constraints=(Rule(name="nothing", holds=lambda point: False),))

    with pytest.raises(PoolExhausted, match="as of the first of them: the rule nothing forbids it"):
        GaussianProcessPlanner().propose(problem_of(space), [], [], 1, seed=1)
