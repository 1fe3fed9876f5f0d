"""Projections into the region of compositions and linear constraints, held against scipy's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from labwright.core.errors import InvalidInput
from labwright.core.restriction import Composition, LinearConstraint
from labwright.core.space import Categorical, Continuous, Discrete, Space
from labwright.planning.encoding import Encoding
from labwright.planning.region import check_possible, mixed

FEW = settings(max_examples=60, deadline=None, derandomize=True)
AMOUNTS = st.floats(-1.0, 2.0)


def composition(count, **limits):
    return Composition(name="mix", parts=tuple(f"a{i}" for i in range(count)), **limits)


@FEW
@given(st.lists(st.tuples(AMOUNTS, st.floats(0.0, 0.1), st.floats(0.4, 1.0)), min_size=3, max_size=6))
def test_amounts_are_moved_to_the_nearest_that_sum_to_the_total(parts):
    x, low, high = map(np.array, zip(*parts, strict=True))

    (found,) = mixed(x[None], low, high, composition(len(parts)))

    nearest = minimize(
        lambda z: ((z - x) ** 2).sum(),
        np.clip(np.full(len(parts), 1 / len(parts)), low, high),
        jac=lambda z: 2 * (z - x),
        bounds=list(zip(low, high, strict=True)),
        constraints={"type": "eq", "fun": lambda z: z.sum() - 1, "jac": lambda z: np.ones(len(z))},
        options={"ftol": 1e-14},
    )
    assert nearest.success
    np.testing.assert_allclose(found, nearest.x, atol=1e-5)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert (found >= low).all()
    assert (found <= high).all()


@FEW
@given(st.data())
def test_of_a_sparse_composition_the_largest_amounts_stay(data):
    count = data.draw(st.integers(3, 7))
    most = data.draw(st.integers(1, count))
    least = data.draw(st.integers(1, most))
    x = np.array(data.draw(st.lists(st.floats(0.0, 1.0), min_size=count, max_size=count)))

    (found,) = mixed(
        x[None], np.zeros(count), np.ones(count), composition(count, at_least_parts=least, at_most_parts=most)
    )

    there = np.flatnonzero(found)
    assert least <= len(there) <= most
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert x[there].min() >= np.sort(x)[::-1][len(there) - 1]


def test_mixtures_are_spread_evenly_over_a_simplex():
    space = Space(
        parameters=tuple(Continuous(name=f"a{i}", low=0, high=1) for i in range(3)), compositions=(composition(3),)
    )

    rows = Encoding.of(space).spread(np.random.default_rng(0).random((20_000, 3)))

    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-12)
    # Evenly over the triangle each part has the mean 1/3 and the variance 1/18, and is above 1/2 in a quarter.
    np.testing.assert_allclose(rows.mean(axis=0), 1 / 3, atol=0.01)
    np.testing.assert_allclose(rows.var(axis=0), 1 / 18, atol=0.002)
    np.testing.assert_allclose((rows > 0.5).mean(axis=0), 0.25, atol=0.01)


def test_each_number_of_parts_gets_an_equal_share():
    space = Space(
        parameters=tuple(Continuous(name=f"a{i}", low=0, high=1) for i in range(6)),
        compositions=(composition(6, at_least_parts=2, at_most_parts=4),),
    )

    rows = Encoding.of(space).spread(np.random.default_rng(0).random((6_000, 7)))

    counts = np.unique((rows > 0).sum(axis=1), return_counts=True)
    assert counts[0].tolist() == [2, 3, 4]
    np.testing.assert_allclose(counts[1] / 6_000, 1 / 3, atol=0.03)


def test_the_corners_keep_every_sum_where_hardly_anything_does():
    space = Space(
        parameters=(
            Continuous(name="x", low=0, high=1000),
            Continuous(name="y", low=0, high=1),
            Discrete(name="n", values=(1.0, 2.0, 50.0)),
        ),
        constraints=(
            LinearConstraint(coefficients={"x": 1.0, "y": 1000.0, "n": 1.0}, low=1949.9, high=1950.1),
            LinearConstraint(coefficients={"x": 1.0, "y": -1000.0}, low=-0.1, high=0.1),
        ),
    )
    encoding = Encoding.of(space)

    rows = encoding.corners(np.random.default_rng(0))

    assert len(rows) > 0
    assert [problem for row in rows for problem in space.problems(encoding.point(row))] == []


def test_sums_that_no_point_keeps_together_are_named_and_no_others():
    parameters = tuple(Continuous(name=n, low=0, high=10) for n in "xyz")
    heavy = LinearConstraint(coefficients={"x": 1.0, "y": 1.0}, low=15)
    light = LinearConstraint(coefficients={"x": 1.0, "y": 1.0, "z": 1.0}, high=12)
    harmless = LinearConstraint(coefficients={"z": 1.0}, high=9)
    space = Space(parameters=parameters, constraints=(harmless, heavy, light))

    with pytest.raises(InvalidInput) as refused:
        check_possible(space)

    assert str(refused.value) == (
        "No point of the space keeps all of these: x + y is at least 15; x + y + z is at most 12. Widen one of them."
    )


def test_sums_that_a_list_of_numbers_or_a_few_parts_cannot_keep_are_found():
    parts = tuple(Continuous(name=f"a{i}", low=0, high=1) for i in range(3))
    numbers = Discrete(name="n", values=(1.0, 3.0))

    between = LinearConstraint(coefficients={"n": 1.0, "a0": 0.1}, low=1.5, high=2.5)
    with pytest.raises(InvalidInput, match="No point"):
        check_possible(Space(parameters=(numbers, *parts), constraints=(between,)))

    alone = composition(3, at_most_parts=1)
    both = LinearConstraint(coefficients={"a0": 1.0, "a1": -1.0}, low=-0.2, high=0.2)
    neither = LinearConstraint(coefficients={"a2": 1.0}, high=0.9)
    with pytest.raises(InvalidInput, match="No point"):
        check_possible(Space(parameters=parts, compositions=(alone,), constraints=(both, neither)))


def test_words_are_no_part_of_a_sum_and_stay_as_they_are():
    space = Space(
        parameters=(Categorical(name="c", levels=("u", "v", "w")), Continuous(name="x", low=0, high=4)),
        constraints=(LinearConstraint(coefficients={"x": 1.0}, high=1.0),),
    )

    rows = Encoding.of(space).snap(np.array([[2.0, 1.0], [1.0, 0.1]]))

    assert rows[:, 0].tolist() == [2.0, 1.0]
    np.testing.assert_allclose(rows[:, 1], [0.25, 0.1], atol=1e-4)
