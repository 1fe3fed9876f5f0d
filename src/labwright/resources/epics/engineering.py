"""Units, ranges and types: what the IOC says of a PV, what the file says, and what holds."""

import math
from dataclasses import dataclass
from enum import StrEnum

from labwright.core.capability import Input, Output
from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.units import parse_unit
from labwright.core.values import Value, is_number, unstorable
from labwright.resources.epics.options import InputPart, OutputPart

# The field EGU is free text of 15 characters. What is written there for units that pint would not read, or not so.
EGU = {
    "celsius": "degC", "deg c": "degC", "deg_c": "degC", "degrees c": "degC", "kelvin": "K", "deg": "deg",
    "degree": "deg", "degrees": "deg", "degs": "deg", "sec": "s", "secs": "s", "seconds": "s", "msec": "ms",
    "usec": "us", "mins": "min", "minutes": "min", "hours": "hour", "hr": "hour", "hrs": "hour", "micron": "um",
    "microns": "um", "angstroms": "angstrom", "volts": "V", "amps": "A", "watts": "W", "rpm": "rpm",
    "l/min": "L/min", "ml/min": "mL/min", "percent": "%",
}  # fmt: skip
COULOMB = "C"  # to pint; to whoever writes an IOC nearly always the degree Celsius


class Form(StrEnum):
    """What the values of a PV are."""

    NUMBER = "a number"
    INTEGER = "a whole number"
    TEXT = "a text"
    ENUM = "an enum"
    OTHER = "an array or a structure"


@dataclass(frozen=True, kw_only=True)
class Pv:
    """What an IOC says of a PV: `source` is its protocol and name; a text has at most `longest` bytes."""

    source: str
    form: Form
    egu: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    longest: int | None = None
    whole: tuple[int, int] = (-(2**63), 2**63 - 1)
    writable: bool = True

    @property
    def words(self) -> bool:
        """Whether its values are words of a list."""
        return self.form is Form.ENUM

    def unit(self, place: str) -> str | None:
        """Return the unit, None where the IOC says none; one that cannot be read raises InvalidUnit."""
        text = self.egu.strip()
        if not text or self.form not in (Form.NUMBER, Form.INTEGER):
            return None
        if text == COULOMB:
            raise InvalidUnit(
                f"{place}: the unit (EGU) of {self.source} is 'C', which is the coulomb, and may be meant for degrees"
                " Celsius. Declare the unit in the file: degC or C."
            )
        known = EGU.get(text.lower(), text)
        try:
            parse_unit(known)
        except InvalidUnit as error:
            raise InvalidUnit(
                f"{place}: the unit (EGU) of {self.source} is {text!r}. {error} Declare the unit in the file."
            ) from None
        return known.replace("°", "deg")


def finite_range(low: float, high: float) -> tuple[float | None, float | None]:
    """Return each finite bound of an IOC's range; 0 to 0, as records have it when unset, and low > high are none."""
    if low == high or low > high:
        return None, None
    return (low if math.isfinite(low) else None), (high if math.isfinite(high) else None)


def agreed_unit(place: str, declared: str | None, pv: Pv) -> str | None:
    """Return the unit of a PV; a file and an IOC that say different ones raise InvalidUnit."""
    if declared is None:
        return pv.unit(place)
    wanted = parse_unit(declared)
    if pv.form not in (Form.NUMBER, Form.INTEGER):
        raise InvalidInput(f"{place}: {pv.source} is {pv.form}, which has no unit.")
    try:
        found = pv.unit(place)
    except InvalidUnit:
        return declared  # a person has said what the IOC's unit means
    if found is not None and parse_unit(found) != wanted:
        raise InvalidUnit(f"{place}: the file says {declared!r}, but the IOC says {found!r}. Write {found!r}.")
    return declared


def as_input(name: str, place: str, part: InputPart, pv: Pv) -> Input:
    """Return an input with the narrower of the IOC's and the file's limits; none left raises InvalidInput."""
    if pv.form is Form.OTHER:
        raise InvalidInput(f"{place}: {pv.source} is {pv.form}; an input is a number or a word.")
    if not pv.writable:
        raise InvalidInput(f"{place}: {pv.source} may not be written by us, as the IOC says (its access security).")
    numeric = pv.form in (Form.NUMBER, Form.INTEGER)
    if not numeric and (part.low is not None or part.high is not None or part.tolerance is not None):
        raise InvalidInput(f"{place}: {pv.source} is {pv.form}, which has no low, high or tolerance.")
    unit = agreed_unit(place, part.unit, pv)
    lows = [low for low in (part.low, pv.low) if low is not None]
    highs = [high for high in (part.high, pv.high) if high is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low > high:
        raise InvalidInput(
            f"{place}: no value is allowed: the file says {_range(part.low, part.high)}, the IOC"
            f" {_range(pv.low, pv.high)}."
        )
    return Input(name=name, unit=unit, low=low, high=high, levels=_levels(place, part, pv, low, high))


def as_output(name: str, place: str, part: OutputPart, pv: Pv) -> Output:
    """Return an output with its unit."""
    if pv.form is Form.OTHER:
        raise InvalidInput(f"{place}: {pv.source} is {pv.form}; an output is a number or a word.")
    return Output(name=name, unit=agreed_unit(place, part.unit, pv))


def _levels(place: str, part: InputPart, pv: Pv, low: float | None, high: float | None) -> tuple[Value, ...] | None:
    said = tuple(c for c in pv.choices if c) if pv.words else None
    if part.levels is None:
        return said
    fit = [v for v in part.levels if said is None or v in said]
    inside = tuple(v for v in fit if problem(pv, v, low=low, high=high) is None)
    if not inside:
        there = f"{', '.join(said)}" if said is not None else f"{pv.form}, {_range(low, high)}"
        raise InvalidInput(
            f"{place}: no value is allowed: the file says {', '.join(map(str, part.levels))}; {pv.source} is {there}."
        )
    return inside


def problem(
    pv: Pv,
    value: object,
    *,
    low: float | None = None,
    high: float | None = None,
    levels: tuple[Value, ...] | None = None,
) -> str | None:
    """Say why a value cannot be put to a PV; None where it can."""
    if levels is not None and not any(type(value) in (int, float, str) and value == level for level in levels):
        return f"found {_short(value)}, expected one of {', '.join(map(str, levels))}"
    if pv.form is Form.ENUM:
        fits = isinstance(value, str) and value in pv.choices
        return None if fits else f"found {_short(value)}, expected one of {', '.join(pv.choices)}"
    if pv.form is Form.TEXT:
        return _text_problem(pv, value)
    if not is_number(value):
        return f"found {_short(value)}, expected {pv.form}"
    assert isinstance(value, int | float)
    if not abs(value) <= 1.7976931348623157e308:  # NaN is not below anything
        return f"found {_short(value)}, expected a finite number"
    least, most = pv.whole
    if pv.form is Form.INTEGER and (value != int(value) or not least <= value <= most):
        return f"found {_short(value)}, expected a whole number from {least} to {most}"
    if (low is not None and value < low) or (high is not None and value > high):
        return f"{_short(value)} is not within {_range(low, high)}"
    return None


def _text_problem(pv: Pv, value: object) -> str | None:
    if not isinstance(value, str):
        return f"found {_short(value)}, expected a word"
    if wrong := unstorable(value):
        return f"found {_short(value)}, which holds {wrong}"
    if pv.longest is not None and len(value.encode()) > pv.longest:
        return f"it has {len(value.encode())} bytes; {pv.longest} are allowed"
    return None


def encoded(pv: Pv, value: Value) -> Value:
    """Return a value that can be put as what is put."""
    if isinstance(value, str):
        return value
    return int(value) if pv.form is Form.INTEGER else float(value)


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _range(low: float | None, high: float | None) -> str:
    return f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}"
