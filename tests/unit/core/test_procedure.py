"""The graph of a procedure, and what a condition says of a value."""

import pytest

from labwright.core.command import Measurement
from labwright.core.errors import InvalidInput
from labwright.core.procedure import Condition, Constant, Reference, Step, ancestors, in_order
from labwright.core.values import Value


def step(name: str, *after: str) -> Step:
    return Step(name=name, resource="lab", capability="do", inputs={}, gives={}, after=after)


GRAPH = (step("d", "b", "c"), step("a"), step("b", "a"), step("c", "a"))


def test_steps_are_ordered_so_that_none_comes_before_one_that_it_waits_for():
    assert [GRAPH[i].name for i in in_order(GRAPH)] == ["a", "b", "c", "d"]


def test_steps_in_a_circle_have_no_order():
    assert in_order((step("a"), step("b", "c"), step("c", "b"))) == (0,)


def test_everything_that_comes_before_a_step_is_known_however_far():
    assert ancestors(GRAPH) == {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"a", "b", "c"}}


def test_a_step_needs_the_names_of_its_conditions_and_its_inputs_each_once():
    when = (Condition(name="m", sign=">", against=Constant(value=1.0)),)
    inputs = {"x": Reference(name="t"), "y": Reference(name="m"), "z": Constant(value=1.0)}
    one = Step(name="a", resource="lab", capability="do", inputs=inputs, gives={}, when=when)

    assert one.references == ("m", "t")


def holds(value: Value, unit: str | None, sign: str, against: Value, other: str | None) -> bool:
    condition = Condition(name="m", sign=sign, against=Constant(value=against, unit=other))
    return condition.holds(Measurement(value=value, unit=unit))


@pytest.mark.parametrize(
    ("value", "unit", "other", "true", "false"),
    [
        (0.4, "g", "g", "< <= !=", "> >= =="),
        (0.0005, "kg", "g", "<= >= ==", "< > !="),
        (600.0, "mg", "g", "> >= !=", "< <= =="),
        (0.1 + 0.4, None, None, "<= >= ==", "< > !="),
    ],
)
def test_numbers_are_compared_in_whatever_unit(value, unit, other, true, false):
    for sign in true.split():
        assert holds(value, unit, sign, 0.5, other)
    for sign in false.split():
        assert not holds(value, unit, sign, 0.5, other)


def test_temperatures_are_converted_with_their_zero():
    assert holds(298.15, "K", "==", 25.0, "degC")
    assert holds(300.0, "K", ">", 25.0, "degC")


def test_words_are_equal_or_not_and_never_equal_to_a_number():
    assert holds("water", None, "==", "water", None)
    assert holds("oil", None, "!=", "water", None)
    assert not holds("2", None, "==", 2.0, None)
    assert holds("2", None, "!=", 2.0, None)


@pytest.mark.parametrize(
    ("value", "unit", "other"),
    [("heavy", "g", "g"), (float("nan"), "g", "g"), (1.0, "mm", "g"), (1.0, None, "g"), (1.0, "g", None)],
)
def test_what_cannot_be_compared_is_said(value, unit, other):
    with pytest.raises(InvalidInput, match=r"m > 0\.5"):
        holds(value, unit, ">", 0.5, other)
