"""Fronts, what they dominate and what they leave free, against counting by inclusion and exclusion."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.planning.pareto import dominated_boxes, free_boxes, hypervolume, nondominated, reference_point


def by_inclusion_and_exclusion(losses, reference):
    """The volume of a union of boxes, each from a row to the reference."""
    rows, total = np.asarray(losses), 0.0
    for k in range(1, len(rows) + 1):
        for some in combinations(range(len(rows)), k):
            total -= (-1) ** k * np.prod(np.maximum(reference - rows[list(some)].max(axis=0), 0))
    return total


@st.composite
def fronts(draw, most=4):
    """Rows of a few losses on a small grid, where many are equal or lie beyond the reference."""
    m = draw(st.integers(1, most))
    rows = draw(st.lists(st.lists(st.integers(0, 5), min_size=m, max_size=m), min_size=1, max_size=7))
    return np.array(rows, dtype=float)


@given(fronts())
def test_the_hypervolume_is_that_of_the_union_of_what_each_row_dominates(losses):
    reference = np.full(losses.shape[1], 4.0)

    assert hypervolume(losses, reference) == pytest.approx(by_inclusion_and_exclusion(losses, reference))


@given(fronts(), st.permutations(range(7)))
def test_neither_the_order_nor_what_is_dominated_or_stands_twice_changes_the_hypervolume(losses, places):
    reference, order = np.full(losses.shape[1], 4.0), [i for i in places if i < len(losses)]

    more = np.vstack([losses[order], losses[:1], losses[:1] + 1])

    assert hypervolume(more, reference) == hypervolume(losses, reference)


@given(fronts(), st.data())
def test_a_further_row_never_takes_volume_away(losses, data):
    row = data.draw(st.lists(st.integers(0, 5), min_size=losses.shape[1], max_size=losses.shape[1]))
    reference = np.full(losses.shape[1], 4.0)

    grown = hypervolume(np.vstack([losses, [row]]), reference)

    assert grown >= hypervolume(losses, reference) - 1e-9


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_hypervolume_agrees_with_random_points(m):
    rng = np.random.default_rng(m)
    losses = np.abs(rng.normal(size=(30, m)))
    losses /= np.linalg.norm(losses, axis=1, keepdims=True)

    points = rng.random((40_000, m))
    dominated = (losses <= points[:, None]).all(axis=2).any(axis=1).mean()

    assert hypervolume(losses, np.ones(m)) == pytest.approx(dominated, abs=0.01)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_hypervolume_scales_with_the_units(scale):
    losses = np.random.default_rng(0).random((20, 3))

    assert hypervolume(scale * losses, np.full(3, scale)) == pytest.approx(scale**3 * hypervolume(losses, np.ones(3)))


@given(fronts(), st.integers(0, 2**32 - 1))
def test_each_free_point_lies_in_one_box_and_each_dominated_one_in_none(losses, seed):
    m = losses.shape[1]
    points = np.random.default_rng(seed).uniform(-2, 4, (200, m))
    dominated = (losses <= points[:, None]).all(axis=2).any(axis=1)

    for boxes, inside in (
        (free_boxes(losses, np.full(m, 4.0)), ~dominated),
        (dominated_boxes(losses, np.full(m, 4.0)), dominated),
    ):
        found = ((boxes.low <= points[:, None]) & (points[:, None] < boxes.high)).all(axis=2).sum(axis=1)
        assert (found == inside).all()


def test_three_objectives_need_no_more_than_two_boxes_for_each_trial():
    losses = np.abs(np.random.default_rng(0).normal(size=(60, 3)))
    losses /= np.linalg.norm(losses, axis=1, keepdims=True)

    assert len(dominated_boxes(losses, np.full(3, 2.0))) <= 2 * 60 + 1


@given(fronts())
def test_a_row_is_on_the_front_if_no_other_is_as_good_in_all_and_better_in_one(losses):
    plain = [not any((a <= b).all() and (a < b).any() for a in losses) for b in losses]

    assert nondominated(losses).tolist() == plain


@pytest.mark.parametrize(
    ("others", "expected"), [([], [2.2, 11.0]), ([[3.0, 12.0]], [3.0, 12.0]), ([[1e9, 10.5]], [8.0, 11.0])]
)
def test_the_reference_lies_beyond_the_front_as_far_as_results_do_within_reason(others, expected):
    front = np.array([[0.0, 10.0], [2.0, 0.0]])

    assert reference_point(front, np.vstack([front, *others])) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [([[1.0, 5.0], [3.0, 9.0]], [3.0, 9.0]), ([[1.0, -5.0]] * 3, [1.1, -4.5]), ([[0.0, 1e-12]], [0.1, 1.1e-12])],
)
def test_the_reference_of_a_single_point_leaves_room_by_all_results_or_by_its_size(losses, expected):
    rows = np.array(losses)

    assert reference_point(rows[:1], rows) == pytest.approx(expected, abs=0)
