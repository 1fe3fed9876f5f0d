"""Points spread evenly over the space."""

import numpy as np
import pytest
from pydantic import ValidationError

from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Categorical, Continuous, Discrete, Pool, Space
from labwright.planning.encoding import Encoding
from labwright.planning.sampling import SamplingPlanner

SQUARE = Space(parameters=(Continuous(name="a", low=0, high=1), Continuous(name="b", low=-5, high=5)))


def propose(space, count, seed=0):
    problem = Problem(space=space, objectives=(Objective(name="y", goal=Goal.MINIMIZE),))
    return SamplingPlanner().propose(problem, [], [], count, seed=seed)


def test_the_points_fill_the_space_more_evenly_than_chance():
    points = Encoding.of(SQUARE).points([p.point for p in propose(SQUARE, 65)[1:]])

    cells = {tuple(cell) for cell in np.floor(points * 8).astype(int)}

    assert len(cells) >= 60


def test_asking_for_several_is_asking_for_one_several_times():
    together = propose(MIXED, 9)

    problem = Problem(space=MIXED, objectives=(Objective(name="y", goal=Goal.MINIMIZE),))
    assert SamplingPlanner().propose(problem, [], [], 9, seed=0) == together
    assert propose(MIXED, 5) == together[:5]


MIXED = Space(parameters=(Discrete(name="n", values=(1, 2, 3, 4)), Continuous(name="x", low=0, high=1)))


def test_in_a_pool_the_row_nearest_to_the_centre_comes_first():
    pool = Pool(columns={"a": [0.0, 0.45, 1.0], "b": [0.0, 0.3, 5.0]})

    (proposal,) = propose(Space(parameters=SQUARE.parameters, pool=pool), 1)

    assert proposal.point == {"a": 0.45, "b": 0.3}


def test_a_pool_sorted_by_its_outcome_gives_no_advantage():
    names = tuple(f"ligand {i}" for i in range(50))
    space = Space(parameters=(Categorical(name="ligand", levels=names),), pool=Pool(columns={"ligand": list(names)}))

    seconds = {propose(space, 2, seed=s)[1].point["ligand"] for s in range(12)}

    assert len(seconds) > 6


def test_an_unknown_option_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs"):
        SamplingPlanner.Options(points=3)
