"""Looking for the best point where the points cannot be listed."""

import numpy as np

from labwright.core.space import Categorical, Continuous, Discrete, Space
from labwright.planning.encoding import Encoding
from labwright.planning.search import around, climb

MIXED = Encoding.of(
    Space(
        parameters=(
            Continuous(name="x", low=0, high=1),
            Continuous(name="z", low=0, high=1),
            Discrete(name="n", values=(0, 1, 2, 10)),
            Categorical(name="c", levels=tuple("abcdef")),
        )
    )
)


def score(rows):
    return -((rows[:, 0] - 0.37) ** 2) - (rows[:, 1] - 1.0) ** 2 - (rows[:, 2] - 0.2) ** 2 - (rows[:, 3] != 4)


def test_the_top_is_climbed_over_numbers_levels_and_categories():
    rng = np.random.default_rng(1)
    starts = MIXED.spread(rng.random((64, 4)))

    top = climb(score, starts, MIXED, rng)[0]

    np.testing.assert_allclose(top, [0.37, 1.0, 0.2, 4.0], atol=2e-3)


def test_the_best_end_comes_first():
    rng = np.random.default_rng(1)

    ends = climb(score, MIXED.spread(rng.random((64, 4))), MIXED, rng)

    assert (np.diff(score(ends)) <= 0).all()


def test_points_around_one_are_points_that_may_be_chosen():
    rng = np.random.default_rng(1)

    rows = around(np.array([0.5, 1.0, 0.2, 3.0]), 128, MIXED, rng)

    assert rows.shape == (128, 4)
    assert set(rows[:, 2]) <= {0.0, 0.1, 0.2, 1.0}
    assert set(rows[:, 3]) <= set(range(6))
    assert rows[:, :2].min() >= 0
    assert rows[:, :2].max() <= 1
    np.testing.assert_array_equal(rows[:, 3] == 3, rows[:, 3] == 3.0)
