"""Units at the border: what is declared must be given, and of the right dimension."""

import re
import tokenize
from functools import lru_cache
from typing import TYPE_CHECKING

from labwright.core.errors import InvalidUnit
from labwright.core.values import Value, is_number

if TYPE_CHECKING:
    from pint import Unit

_UNIT = re.compile(r"[\w\s./*^()-]+")
_UNREADABLE = (ArithmeticError, AssertionError, ValueError, TypeError, AttributeError)
DIMENSIONLESS = frozenset({"1", "", "dimensionless"})


@lru_cache(maxsize=512)
def parse_unit(unit: str) -> "Unit":
    """Read a unit such as `mm`, `degC`, `mol/L` or `%`; an unknown one raises InvalidUnit."""
    import pint

    text = "dimensionless" if unit in DIMENSIONLESS else unit.replace("%", "percent").replace("°", "deg")
    try:
        if not _UNIT.fullmatch(text):
            raise ValueError(text)
        return pint.Unit(text)
    except (pint.errors.PintError, tokenize.TokenError, SyntaxError, *_UNREADABLE) as error:
        raise InvalidUnit(
            f"{unit!r} is not a unit that Labwright knows. Examples: mm, degC, mol/L, mL/min, %."
        ) from error


def check_unit(found: str | None, expected: str | None, place: str) -> None:
    """Raise InvalidUnit unless values in `found` can be given where `expected` is declared.

    `expected=None` means that the other side declares no unit, so any is taken as it stands.
    """
    for unit in (found, expected):
        if unit is not None:
            parse_unit(unit)
    if expected is None or found == expected:
        return
    if found is None and expected not in DIMENSIONLESS:
        raise InvalidUnit(f"{place}: no unit was given, but {expected!r} is declared there. Give the unit.")
    if _kind(found or "1") != _kind(expected):
        raise InvalidUnit(
            f"{place}: {found!r} cannot be converted to {expected!r}: another dimension.{_hint(found, expected)}"
        )


@lru_cache(maxsize=512)
def _kind(unit: str) -> tuple[str, str]:
    """Return the dimension of a unit, with the power of the angle in it: 60 rpm are 1 Hz, but not to pint."""
    import pint

    try:
        root = pint.Quantity(1.0, parse_unit(unit)).to_root_units().units
    except (pint.errors.PintError, ArithmeticError, ValueError, TypeError, AttributeError) as error:
        raise InvalidUnit(f"{unit!r} is not a unit that Labwright can convert: {error}.") from error
    angle = next((power for name, power in root._units.items() if name == "radian"), 0)
    return str(root.dimensionality), str(angle)


def _hint(found: str | None, expected: str) -> str:
    return " (C is the coulomb; degrees Celsius are degC.)" if "C" in (found, expected) else ""


def convert(value: float, found: str | None, expected: str | None, place: str) -> float:
    """Return `value`, given in the unit `found`, in the unit `expected`; see `check_unit` for what is refused."""
    check_unit(found, expected, place)
    if expected is None or found == expected or parse_unit(found or "1") == parse_unit(expected):
        return value
    import pint

    try:
        converted = pint.Quantity(value, parse_unit(found or "1")).to(parse_unit(expected))
        return float(converted.magnitude)
    except (pint.errors.PintError, ArithmeticError, ValueError) as error:
        raise InvalidUnit(f"{place}: {found!r} cannot be converted to {expected!r}: {error}.") from error


def convert_spread(sd: float, value: float, found: str | None, expected: str | None, place: str) -> float:
    """Return a standard deviation about `value` in another unit; an offset, as of degC against K, is no part of it."""
    return abs(convert(value + sd, found, expected, place) - convert(value, found, expected, place))


def convert_value(value: Value, found: str | None, expected: str | None, place: str) -> Value:
    """Convert a number; hand a word on as it is."""
    return convert(float(value), found, expected, place) if found != expected and is_number(value) else value


def parse_quantity(text: str, place: str) -> tuple[float, str | None]:
    """Read `25 degC` as (25.0, "degC") and `3` as (3.0, None); anything else raises InvalidUnit."""
    number, _, unit = text.strip().partition(" ")
    try:
        magnitude = float(number)
    except ValueError:
        raise InvalidUnit(
            f"{place}: {text!r} is not a number with a unit and a space between them, such as '25 degC'."
        ) from None
    if "_" in number:  # Python takes 1_0 for 10, and a person may have meant 1.0
        raise InvalidUnit(f"{place}: found {number!r}, expected a number; it has no '_'.")
    if unit:
        parse_unit(unit.strip())
    return magnitude, unit.strip() or None
