"""What a SiLA server says of its units and limits, in Labwright's words, and what its options refuse."""

import math
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from labwright.core.errors import InvalidUnit
from labwright.resources.sila.definition import read_definition
from labwright.resources.sila.options import ServerOptions
from labwright.resources.sila.units import SilaUnit, agreed_unit

KELVIN, CUBIC, PER_SECOND = ("Kelvin", 1), ("Meter", 3), ("Second", -1)


@pytest.mark.parametrize(
    ("label", "factor", "offset", "components", "unit"),
    [
        ("°C", 1, 273.15, [KELVIN], "degC"),
        ("C", 1, 273.15, [KELVIN], "degC"),
        ("Celsius degrees", 1, 273.15, [KELVIN], "degC"),
        ("Fahrenheit", 0.5556, 255.372, [KELVIN], "degF"),
        ("µL", 1e-9, 0, [CUBIC], "µL"),
        ("µl·s⁻¹", 1e-9, 0, [CUBIC, PER_SECOND], "uL/s"),
        ("M", 1000, 0, [("Mole", 1), ("Meter", -3)], "M"),
        ("rpm", 1 / 60, 0, [PER_SECOND], "rpm"),
        ("rpm", math.tau / 60, 0, [PER_SECOND], "rpm"),
        ("%", 0.01, 0, [("Dimensionless", 1)], "%"),
        ("-", 1, 0, [("Dimensionless", 1)], "1"),
        ("jerk", 1, 0, [("Meter", 1), ("Second", -3)], "m*s**-3"),
    ],
)
def test_a_unit_is_said_in_our_words(label, factor, offset, components, unit):
    said = SilaUnit(label=label, factor=factor, offset=offset, components=tuple(components))

    assert agreed_unit("here", None, said) == unit
    assert agreed_unit("here", unit, said) == unit


@pytest.mark.parametrize(
    ("label", "factor", "offset"),
    [("°C", 1, 0), ("°C", 2, 273.15), ("K", 1, 273.15), ("warmth", 3, 0)],
)
def test_a_unit_that_is_not_what_its_label_says_is_not_guessed(label, factor, offset):
    said = SilaUnit(label=label, factor=factor, offset=offset, components=(KELVIN,))

    with pytest.raises(InvalidUnit, match=r"here: the server's unit is .* Declare the unit in the file"):
        agreed_unit("here", None, said)


def test_a_person_may_say_which_of_both_holds():
    said = SilaUnit(label="°C", factor=1, offset=0, components=(KELVIN,))

    assert agreed_unit("here", "degC", said) == "degC"
    assert agreed_unit("here", "K", said) == "K"
    with pytest.raises(InvalidUnit, match="the file says 'degF'"):
        agreed_unit("here", "degF", said)


def kind_of(data_type):
    """Return the type of a property that is declared so."""
    root = ElementTree.fromstring(
        "<Feature xmlns='http://www.sila-standard.org'><Identifier>F</Identifier>"
        f"<Property><Identifier>P</Identifier><Observable>No</Observable><DataType>{data_type}</DataType></Property>"
        "</Feature>"
    )
    [found] = read_definition("f", root).properties
    return found.type


def constrained(basic, constraints):
    basic = f"<DataType><Basic>{basic}</Basic></DataType>"
    return f"<Constrained>{basic}<Constraints>{constraints}</Constraints></Constrained>"


@pytest.mark.parametrize(
    ("basic", "constraint", "low", "high"),
    [
        ("Real", "<MinimalInclusive>1.5</MinimalInclusive>", 1.5, None),
        ("Real", "<MinimalExclusive>1</MinimalExclusive>", math.nextafter(1, 2), None),
        ("Real", "<MaximalExclusive>1</MaximalExclusive>", None, math.nextafter(1, 0)),
        ("Integer", "<MinimalInclusive>1.5</MinimalInclusive>", 2, None),
        ("Integer", "<MinimalExclusive>1</MinimalExclusive>", 2, None),
        ("Integer", "<MinimalExclusive>1.5</MinimalExclusive>", 2, None),
        ("Integer", "<MaximalExclusive>3e1</MaximalExclusive>", None, 29),
        ("Integer", "<MaximalExclusive>2.5</MaximalExclusive>", None, 2),
        ("Integer", "<MaximalInclusive>2.5</MaximalInclusive>", None, 2),
    ],
)
def test_an_exclusive_bound_is_the_next_number_inside(basic, constraint, low, high):
    kind = kind_of(constrained(basic, constraint))

    assert (kind.low, kind.high) == (low, high)


def test_the_narrowest_of_several_constraints_holds():
    inner = constrained("Integer", "<MinimalInclusive>1</MinimalInclusive><MaximalInclusive>9</MaximalInclusive>")
    outer = "<MinimalInclusive>0</MinimalInclusive><Set><Value>2</Value><Value>3e0</Value></Set>"

    kind = kind_of(f"<Constrained><DataType>{inner}</DataType><Constraints>{outer}</Constraints></Constrained>")

    assert (kind.low, kind.high, kind.levels) == (1, 9, (2, 3))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://here:1"}, "pattern"),
        ({"url": "sila://user@here:1"}, "pattern"),
        ({"certificate": "a.pem"}, "certificate and key belong together"),
        ({"insecure": True, "root_certificate": "a.pem"}, "root_certificate is for a protected one"),
        ({"capabilities": {}}, "at least 1"),
        ({"capabilities": {"heat": "Heat"}}, "pattern"),
        (
            {"capabilities": {"heat": {"command": "A/B", "outputs": {"y": {"response": "Y", "property": "A/B"}}}}},
            "both",
        ),
        ({"timeout_s": 0}, "greater than 0"),
    ],
)
def test_options_that_cannot_hold_are_refused(options, words):
    with pytest.raises(ValidationError, match=words):
        ServerOptions.model_validate({"url": "sila://here:1"} | options)
