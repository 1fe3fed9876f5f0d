"""What must hold between parameters, in numbers and in words."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.errors import InvalidInput
from labwright.core.restriction import Composition, LinearConstraint, Rule
from labwright.core.space import Categorical, Continuous, Discrete, Pool, Space

MIX = Composition(name="mix", parts=("a", "b", "c"), total=100.0, unit="%", at_least_parts=2, at_most_parts=2)


def test_a_mixture_that_keeps_its_total_and_its_count_has_no_problem():
    assert MIX.problems({"a": 33.3, "b": 66.7, "c": 0.0}) == []
    assert str(MIX) == "a + b + c = 100 %, exactly 2 of them above 0"


@pytest.mark.parametrize(
    ("point", "problem"),
    [
        ({"a": 33.3, "b": 66.6, "c": 0}, "a + b + c = 99.9 % is not the total of 100 %"),
        ({"a": 100, "b": 0, "c": 0}, "1 of the parts a, b, c are above 0, and exactly 2 may be"),
        ({"a": 50, "b": 49, "c": 1}, "3 of the parts a, b, c are above 0, and exactly 2 may be"),
        ({"a": math.nan, "b": 50, "c": 50}, "a + b + c = nan % is not the total of 100 %"),
    ],
)
def test_what_is_wrong_with_a_mixture_is_said(point, problem):
    assert problem in MIX.problems(point)


@given(st.lists(st.integers(1, 999), min_size=2, max_size=12))
def test_decimals_that_sum_to_the_total_do_so_whatever_binary_makes_of_them(thousandths):
    parts = tuple(f"p{i}" for i in range(len(thousandths)))
    mix = Composition(name="mix", parts=parts, total=sum(thousandths) / 1000)

    assert mix.problems({part: n / 1000 for part, n in zip(parts, thousandths, strict=True)}) == []


def test_a_sum_is_kept_up_to_its_bound_and_no_further():
    constraint = LinearConstraint(coefficients={"x": 0.1, "y": -2.0, "z": 0.0}, low=-1, high=0.3)

    assert constraint.problems({"x": 3, "y": 0, "z": 9}) == []
    assert constraint.problems({"x": 3.00001, "y": 0, "z": 9}) == ["0.1 x - 2 y = 0.300001 is not -1 to 0.3"]
    assert not constraint.holds({"x": math.nan, "y": 0, "z": 0})
    assert str(LinearConstraint(coefficients={"x": -1.0}, low=3)) == "- x is at least 3"


@pytest.mark.parametrize(
    "bounds", [{}, {"low": 2, "high": 1}, {"low": math.nan, "high": 1}, {"low": -math.inf, "high": math.inf}]
)
def test_a_sum_needs_a_bound(bounds):
    with pytest.raises(InvalidInput, match="the first not above the second"):
        LinearConstraint(coefficients={"x": 1.0}, **bounds)


def test_a_rule_that_raises_forbids_and_cannot_change_the_point():
    def spoil(point):
        point.clear()
        return 1 / 0

    point = {"x": 1.0}

    assert Rule(name="spoil", holds=spoil).problems(point) == [
        "the rule spoil raised ZeroDivisionError: division by zero"
    ]
    assert point == {"x": 1.0}


def parts(**limits):
    return tuple(Continuous(name=name, low=low, high=high) for name, (low, high) in limits.items())


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (parts(a=(0, 1), b=(0, 1)), "c: nothing"),
        ((*parts(a=(0, 1), b=(0, 1)), Discrete(name="c", values=(0.0, 1.0))), "each part must be continuous"),
        ((*parts(a=(0, 1), b=(0, 1)), Continuous(name="c", low=0.1, high=1, log=True)), "not log"),
        (parts(a=(0, 100), b=(0, 100), c=(-1, 100)), "never below 0"),
        (parts(a=(1, 100), b=(1, 100), c=(1, 100)), "3 parts are never 0, but at most 2 may be"),
        (parts(a=(0, 49), b=(0, 49), c=(0, 49)), "sum to 0 to 98, so never to 100"),
        (parts(a=(60, 100), b=(60, 100), c=(0, 100)), "sum to 120 to 200, so never to 100"),
    ],
)
def test_a_composition_that_its_parts_cannot_keep_is_refused(parameters, words):
    with pytest.raises(InvalidInput, match=words):
        Space(parameters=parameters, compositions=(MIX,))


def test_a_part_belongs_to_one_composition():
    other = Composition(name="other", parts=("c", "d"), total=100.0)

    with pytest.raises(InvalidInput, match="a part of one composition only"):
        Space(parameters=parts(**dict.fromkeys("abcd", (0, 100))), compositions=(MIX, other))


@pytest.mark.parametrize("numbers", [(1.0,), (1.0, math.nan), (1.0, math.inf)])
def test_every_level_has_every_descriptor(numbers):
    with pytest.raises(InvalidInput, match="the descriptor pKa needs one finite number for each of the 2 levels"):
        Categorical(name="acid", levels=("HCl", "HF"), descriptors={"pKa": numbers})


def test_rules_are_asked_of_points_that_keep_all_else_only():
    asked = []
    space = Space(
        parameters=parts(x=(0, 1)),
        constraints=(
            Rule(name="seen", holds=lambda point: not asked.append(point["x"])),
            LinearConstraint(coefficients={"x": 2.0}, high=1),
        ),
    )

    assert space.problems({"x": 0.75}) == ["2 x = 1.5 is not at most 1"]
    assert space.problems({"x": 7.0}) == ["x = 7 is not 0 to 1"]
    assert space.problems({"x": 0.5}) == []
    assert asked == [0.5]


def test_a_pool_has_its_rows_and_no_others():
    pool = Pool(columns={"x": [0.1, 0.2, 0.3], "n": [1, 2, 3], "c": ["u", "v", "u"]})

    assert all(pool.has(pool.row(i)) for i in range(3))
    assert pool.row(1) == {"x": 0.2, "n": 2, "c": "v"}
    assert pool.has({"x": 0.1 + 0.2, "n": 3, "c": "u"})
    assert not pool.has({"x": 0.1, "n": 2, "c": "u"})
