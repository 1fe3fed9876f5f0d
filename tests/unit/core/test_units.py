import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.core.errors import InvalidUnit
from labwright.core.units import convert, parse_quantity, parse_unit

finite = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "found", "expected", "converted"),
    [
        (25, "degC", "K", 298.15),
        (5, "%", "1", 0.05),
        (1, "h", "min", 60),
        (3, "mL/min", "L/h", 0.18),
        (2, "°C", "degC", 2),
    ],
)
def test_a_convertible_unit_is_converted(value, found, expected, converted):
    assert convert(value, found, expected, "x") == pytest.approx(converted)


@pytest.mark.parametrize(
    ("found", "expected", "words"),
    [
        (None, "mm", "no unit was given"),
        ("kg", "mm", "another dimension"),
        ("foo", "mm", "not a unit"),
        ("mm", "1", "another"),
    ],
)
def test_a_missing_unknown_or_wrong_unit_is_refused_with_the_place(found, expected, words):
    with pytest.raises(InvalidUnit, match=words):
        convert(1.0, found, expected, "bench.measure.r")


def test_where_no_unit_is_declared_any_is_taken_as_it_stands():
    assert convert(3.0, "mm", None, "x") == 3.0


def test_a_number_without_a_unit_is_dimensionless():
    assert convert(3.0, None, "1", "x") == 3.0


@given(finite, st.sampled_from([("degC", "K"), ("mm", "m"), ("A", "mA"), ("percent", "1")]))
def test_there_and_back_gives_the_same_number(value, units):
    there = convert(value, *units, "x")

    assert math.isclose(convert(there, *reversed(units), "x"), value, rel_tol=1e-9, abs_tol=1e-6)


def test_a_quantity_is_a_number_and_perhaps_a_unit():
    assert parse_quantity("25 degC", "x") == (25.0, "degC")
    assert parse_quantity(" 1e-3 ", "x") == (0.001, None)


@pytest.mark.parametrize("text", ["abc", "", "degC 25", "25 foo", "1,5 mm", "1_0", "1_0 mm"])
def test_what_is_not_a_quantity_is_refused(text):
    with pytest.raises(InvalidUnit):
        parse_quantity(text, "x")


@pytest.mark.parametrize("text", ["__import__('os')", "()", "1/0", "mm;", "["])
def test_strange_text_is_never_a_unit(text):
    with pytest.raises(InvalidUnit):
        parse_unit(text)


@pytest.mark.parametrize(
    ("found", "expected"), [("rpm", "Hz"), ("Hz", "rpm"), ("deg", "%"), ("rad", "1"), ("Hz", "rad/s")]
)
def test_what_counts_angles_is_never_taken_for_what_does_not(found, expected):
    with pytest.raises(InvalidUnit, match="another dimension"):
        convert(60.0, found, expected, "x")


def test_angles_are_converted_to_angles():
    assert convert(180, "deg", "rad", "x") == pytest.approx(math.pi)
    assert convert(60, "rpm", "deg/s", "x") == pytest.approx(360)


@pytest.mark.parametrize(("found", "expected"), [("degC", "delta_degC"), ("dB/m", "1/m"), ("((((mm", "mm")])
def test_what_cannot_be_converted_is_an_error_of_ours(found, expected):
    with pytest.raises(InvalidUnit):
        convert(1.0, found, expected, "x")
