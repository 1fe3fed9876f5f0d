"""Titles of columns as people write them: a name, and perhaps a unit, `T (degC)`; and numbers in that unit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.units import convert, parse_quantity, parse_unit


@dataclass(frozen=True, kw_only=True)
class Heading:
    """The title of a column: its text as it stands, and the name and unit that it gives."""

    text: str
    name: str
    unit: str | None = None
    index: int


def find_heading(headings: Sequence[Heading], name: str, asked_by: str, table: str) -> Heading:
    """Return the heading of that name: with or without its unit, in any case where only one fits."""
    for key in (str, str.casefold):
        for part in ("text", "name"):
            fit = [h for h in headings if key(getattr(h, part)) == key(name)]
            if len(fit) == 1:
                return fit[0]
    found = ", ".join(repr(h.text) for h in headings)
    raise InvalidInput(f"{asked_by}: {table} has no column {name!r}. Columns found: {found}.")


def read_headings(texts: Sequence[str], file: str) -> tuple[Heading, ...]:
    """Split each text into a name and a unit; none may be empty, or like another but for its case."""
    _check_unlike([" ".join(text.split()) for text in texts], file)
    return split_headings(texts)


def split_headings(texts: Sequence[str]) -> tuple[Heading, ...]:
    """Split each text into a name and a unit; a name that stands twice keeps its unit."""
    texts = [" ".join(text.split()) for text in texts]
    split = [_split(text) for text in texts]
    names = [name for name, _ in split]
    return tuple(
        Heading(text=text, name=name if names.count(name) == 1 else text, unit=unit, index=i)
        for i, (text, (name, unit)) in enumerate(zip(texts, split, strict=True))
    )


def _check_unlike(texts: Sequence[str], file: str) -> None:
    folded = [text.casefold() for text in texts]
    for i, text in enumerate(texts, start=1):
        if not text:
            raise InvalidInput(f"{file}: column {i} has cells but no header. Name it, or delete it.")
        if folded.count(text.casefold()) > 1:
            raise InvalidInput(f"{file}: the header {text!r} stands more than once. Each column needs its own name.")


def _split(text: str) -> tuple[str, str | None]:
    """Read `T (degC)`, `T [degC]` and `T / degC` as ("T", "degC")."""
    if text[-1] in ")]":
        start = _opening(text)
        name, unit = text[:start].rstrip(" /"), text[start + 1 : -1].strip()
    else:
        name, _, unit = (part.strip() for part in text.rpartition(" / "))
    return (name, unit) if name and unit else (text, None)


def _opening(text: str) -> int:
    """Return where the bracket that ends the text begins; 0 when nothing opens it."""
    depth = 0
    for i in range(len(text) - 1, 0, -1):
        depth += (text[i] in ")]") - (text[i] in "([")
        if depth == 0:
            return i
    return 0


def number_in(text: str, heading: Heading, place: str) -> float:
    """Read `45` or `45 degC`, in the column's unit; a number alone is taken to be in that unit."""
    value, unit = quantity_in(text, heading, place)
    if not math.isfinite(value):
        raise InvalidInput(f"{place}: found {text!r}, expected a finite number.")
    return in_unit_of(heading, value, unit, place)


def quantity_in(text: str, heading: Heading, place: str) -> tuple[float, str | None]:
    """Read a number with or without a unit; the header's own unit needs no meaning: `5 wt%`."""
    number, _, unit = text.strip().partition(" ")
    return parse_quantity(number if unit.strip() == heading.unit else text, place)


def in_unit_of(heading: Heading, value: float, unit: str | None, place: str) -> float:
    """Return a number in the unit of a column; without a unit of its own it is taken to be in that one."""
    if unit is None or unit == heading.unit:
        return value
    if heading.unit is None:
        raise InvalidUnit(f"{place}: the header {heading.text!r} names no unit. Write it there, or leave it out here.")
    try:
        return convert(value, unit, heading.unit, place)
    except InvalidUnit as error:
        raise InvalidUnit(f"{error} The header is {heading.text!r}.") from error


def check_same_unit(name: str, unit: str | None, heading: Heading) -> None:
    """Raise InvalidUnit where something is given in another unit than its column has."""
    if unit is None or heading.unit in (None, unit):
        return
    if parse_unit(unit) != parse_unit(str(heading.unit)):
        raise InvalidUnit(
            f"{name} is in {unit!r}, but the column is {heading.text!r}. Give it in {heading.unit!r}, or convert the "
            "column."
        )
