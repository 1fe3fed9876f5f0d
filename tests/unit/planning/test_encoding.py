"""Points as rows of numbers, and back."""

import numpy as np
import pytest

from labwright.core.errors import InvalidInput
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Space
from labwright.planning.encoding import Encoding

ENCODING = Encoding.of(
    Space(
        parameters=(
            Continuous(name="t", low=20, high=120),
            Continuous(name="dose", low=1e-4, high=1.0, log=True),
            Discrete(name="n", values=(1, 2, 5)),
            Ordinal(name="speed", levels=("slow", "medium", "fast")),
            Categorical(name="solvent", levels=("water", "DMF")),
        )
    )
)


def test_numbers_are_scaled_by_their_range_words_by_rank_or_code():
    point = {"t": 45, "dose": 0.01, "n": 2, "speed": "fast", "solvent": "DMF"}

    row = ENCODING.points([point])[0]

    np.testing.assert_allclose(row, [0.25, 0.5, 0.25, 1.0, 1.0])
    assert ENCODING.categorical.tolist() == [False, False, False, False, True]


def test_a_point_comes_back_from_its_row():
    point = {"t": 45.0, "dose": 0.01, "n": 2, "speed": "medium", "solvent": "DMF"}

    assert ENCODING.point(ENCODING.points([point])[0]) == point


def test_each_level_gets_an_equal_share_of_the_unit_cube():
    unit = np.repeat((np.arange(600)[:, None] + 0.5) / 600, 5, axis=1)

    rows = ENCODING.spread(unit)

    for column, levels in ((2, 3), (3, 3), (4, 2)):
        assert np.unique(rows[:, column], return_counts=True)[1].tolist() == [600 // levels] * levels


def test_a_row_between_two_levels_is_moved_to_the_nearer_one():
    snapped = ENCODING.snap(np.array([[1.2, -0.1, 0.6, 0.3, 1.0]]))

    np.testing.assert_allclose(snapped, [[1.0, 0.0, 0.25, 0.5, 1.0]])


def test_no_points_are_no_rows():
    assert ENCODING.points([]).shape == (0, 5)


def test_a_word_that_is_no_level_is_refused_by_name():
    with pytest.raises(InvalidInput, match="solvent: 'ether' is not one of water, DMF"):
        ENCODING.points([{"t": 45, "dose": 0.01, "n": 2, "speed": "fast", "solvent": "ether"}])


def test_a_parameter_with_one_level_is_no_trouble():
    encoding = Encoding.of(Space(parameters=(Discrete(name="n", values=(4,)), Ordinal(name="o", levels=("only",)))))

    assert encoding.points([{"n": 4, "o": "only"}]).tolist() == [[0.0, 0.0]]
    assert encoding.point(np.array([0.7, 0.2])) == {"n": 4, "o": "only"}


ACID = Categorical(
    name="acid", levels=("HCl", "HF", "H2SO4"), descriptors={"pKa": (-6.0, 3.0, -3.0), "same": (5.0, 5.0, 5.0)}
)
DESCRIBED = Encoding.of(Space(parameters=(ACID, Continuous(name="t", low=0, high=1))))


def test_descriptors_stand_behind_the_parameters_and_follow_from_the_words():
    rows = DESCRIBED.points([{"acid": level, "t": 0.5} for level in ACID.levels])

    np.testing.assert_allclose(rows, [[0, 0.5, 0, 0], [1, 0.5, 1, 0], [2, 0.5, 1 / 3, 0]])
    assert DESCRIBED.categorical.tolist() == [True, False, False, False]
    assert DESCRIBED.places == {"acid": [0, 2, 3], "t": [1]}
    assert DESCRIBED.point(rows[2]) == {"acid": "H2SO4", "t": 0.5}


def test_a_row_that_is_moved_or_spread_takes_the_descriptors_of_its_word_along():
    moved = DESCRIBED.snap(np.array([[1.0, 0.3, 0.0, 0.0]]))
    spread = DESCRIBED.spread(np.array([[0.5, 0.25]]))

    np.testing.assert_allclose(moved, [[1, 0.3, 1, 0]])
    np.testing.assert_allclose(spread, [[1, 0.25, 1, 0]])
