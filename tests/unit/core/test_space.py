import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.errors import InvalidInput
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Pool, Space

bounds = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).filter(lambda b: b[0] < b[1] and b[1] - b[0] > 1e-9)


@given(bounds, st.floats(-1e7, 1e7))
def test_a_snapped_value_lies_in_the_range_and_snaps_to_itself(bounds, value):
    parameter = Continuous(name="x", low=bounds[0], high=bounds[1])

    snapped = parameter.snap(value)

    assert parameter.allows(snapped)
    assert parameter.snap(snapped) == snapped
    inside = min(max(value, parameter.low), parameter.high)
    assert abs(snapped - inside) <= (parameter.high - parameter.low) * 1e-4


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (0.0, math.inf), (math.nan, 1.0)])
def test_a_range_must_be_finite_and_rise(bounds):
    with pytest.raises(InvalidInput, match="x: low"):
        Continuous(name="x", low=bounds[0], high=bounds[1])


def test_a_log_range_must_be_above_zero():
    with pytest.raises(InvalidInput, match="above 0"):
        Continuous(name="x", low=0, high=1, log=True)


@pytest.mark.parametrize("values", [(), (2.0, 1.0), (1.0, 1.0), (1.0, math.inf)])
def test_discrete_values_are_finite_and_rise(values):
    with pytest.raises(InvalidInput):
        Discrete(name="n", values=values)


@pytest.mark.parametrize("kind", [Ordinal, Categorical])
def test_levels_stand_once(kind):
    with pytest.raises(InvalidInput, match="each once"):
        kind(name="solvent", levels=("water", "water"))


def test_a_space_names_everything_that_is_wrong_with_a_point():
    space = Space(
        parameters=(
            Continuous(name="x", low=0, high=1, unit="mm"),
            Categorical(name="s", levels=("a", "b")),
            Discrete(name="n", values=(1.0, 2.0)),
        )
    )

    assert space.problems({"x": 0.5, "s": "a", "n": 2}) == []
    assert space.problems({"x": math.nan, "s": "c", "z": 1}) == [
        "n is missing",
        "z is not a parameter",
        "x = nan is not 0 to 1 mm",
        "s = c is not one of a, b",
    ]


def test_true_is_not_a_number():
    assert not Continuous(name="x", low=0, high=2).allows(True)


def test_a_pool_has_the_columns_of_its_space():
    with pytest.raises(InvalidInput, match="columns"):
        Space(parameters=(Continuous(name="x", low=0, high=1),), pool=Pool(columns={"y": [0.5]}))
