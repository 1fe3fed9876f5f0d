"""Which columns are parameters, and what each may be: as asked, or as far as the table goes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from labwright.campaigns.spreadsheet.numerals import Numerals
from labwright.campaigns.spreadsheet.question import Roles
from labwright.campaigns.spreadsheet.sheet import Cell, Sheet, option
from labwright.core.errors import InvalidInput
from labwright.core.heading import Heading
from labwright.core.space import Categorical, Continuous, Discrete, Parameter
from labwright.core.values import Value, show

DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?")
FEW = 3  # that many rows may all differ in a word, or count up from 1, and still be settings


@dataclass(frozen=True, kw_only=True)
class Held:
    """A column with one value only, at which it stays."""

    name: str
    value: Value
    unit: str | None


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What varies and what is held, with a word on everything that was taken from the table."""

    parameters: tuple[Parameter, ...]
    held: tuple[Held, ...]
    notes: tuple[str, ...]


def read_columns(sheet: Sheet, roles: Roles, numerals: Numerals) -> Columns:
    """Make a parameter of every column that is no result and is not ignored."""
    headings = [h for h in sheet.headings if h.name not in roles.outcomes and h.name not in roles.ignored]
    _check_known(sheet, roles, headings)
    found = [_parameter(h, sheet.column(h), roles, numerals) for h in headings]
    parameters = tuple(p for p in found if not isinstance(p, Held))
    held = tuple(p for p in found if isinstance(p, Held))
    if not parameters:
        names = ", ".join(p.name for p in held) or "none"
        raise InvalidInput(
            f"{sheet.name}: nothing varies. Columns that could, with one value each: {names}. "
            "Give --range COLUMN=LOW:HIGH or --levels COLUMN=A,B for those to vary."
        )
    taken = [p for p in found if p.name not in roles.ranges and p.name not in roles.levels]
    asked = tuple(f"{p.name}: {p}, as asked." for p in parameters if p.name in roles.ranges)
    return Columns(parameters=parameters, held=held, notes=asked + _said(taken, sheet.name))


def _check_known(sheet: Sheet, roles: Roles, headings: Sequence[Heading]) -> None:
    """Refuse columns without a value that nobody described, all at once."""
    bare = [
        h.name
        for h in headings
        if h.name not in roles.ranges and h.name not in roles.levels and not any(c.text for c in sheet.column(h))
    ]
    if bare:
        raise InvalidInput(
            f"{sheet.name} has no value in {', '.join(repr(name) for name in bare)}. For each, give its range "
            f"({option('range', bare[0], 'LOW:HIGH')}), its levels ({option('levels', bare[0], 'A,B,C')}), "
            f"or leave it out ({option('ignore', bare[0])})."
        )


def _parameter(heading: Heading, cells: Sequence[Cell], roles: Roles, numerals: Numerals) -> Parameter | Held:
    name, unit = heading.name, heading.unit
    if name in roles.ranges:
        low, high = roles.ranges[name]
        return Continuous(name=name, low=low, high=high, unit=unit)
    if name in roles.levels:
        return _of_levels(heading, roles.levels[name])
    filled = [cell for cell in cells if cell.text]
    numbers = [value for cell in filled if (value := numerals.read(cell.text)) is not None]
    if 2 * len(numbers) < len(filled):
        return _of_words(heading, filled)
    return _of_numbers(heading, filled, numerals)


def _of_levels(heading: Heading, levels: Sequence[str]) -> Discrete | Categorical:
    numbers = [Numerals(decimal=".").read(level) for level in levels]
    if any(number is None for number in numbers):
        return Categorical(name=heading.name, levels=tuple(levels))
    values = tuple(sorted(number for number in numbers if number is not None))
    return Discrete(name=heading.name, values=values, unit=heading.unit)


def _of_numbers(heading: Heading, cells: Sequence[Cell], numerals: Numerals) -> Continuous | Held:
    hint = f"A column of remarks can be left out: {option('ignore', heading.name)}."
    values = [numerals.require(cell, hint) for cell in cells]
    low, high = min(values), max(values)
    if low == high:
        return Held(name=heading.name, value=low, unit=heading.unit)
    steps = {later - earlier for earlier, later in pairwise(values)}
    if len(values) > FEW and steps == {1.0} and low in (0.0, 1.0):
        raise InvalidInput(
            f"The column {heading.name!r} counts the rows, from {show(low)} to {show(high)}. Leave it out "
            f"({option('ignore', heading.name)}), or say that it is a setting "
            f"({option('range', heading.name, 'LOW:HIGH')})."
        )
    return Continuous(name=heading.name, low=low, high=high, unit=heading.unit)


def _of_words(heading: Heading, cells: Sequence[Cell]) -> Categorical | Held:
    levels = tuple(dict.fromkeys(cell.text for cell in cells))
    if len(levels) == 1:
        return Held(name=heading.name, value=levels[0], unit=None)
    _check_setting(heading, cells, levels)
    _check_spelling(heading, cells)
    return Categorical(name=heading.name, levels=tuple(sorted(levels)))


def _check_setting(heading: Heading, cells: Sequence[Cell], levels: Sequence[str]) -> None:
    differ = len(levels) == len(cells) > FEW
    if differ or all(DATE.fullmatch(level) for level in levels):
        what = "another word in every row" if differ else "dates"
        raise InvalidInput(
            f"The column {heading.name!r} has {what} ({levels[0]!r}, {levels[1]!r}, ...): nothing that an experiment "
            f"can set. Leave it out ({option('ignore', heading.name)}), or name what may be chosen "
            f"({option('levels', heading.name, 'A,B,C')})."
        )


def _check_spelling(heading: Heading, cells: Sequence[Cell]) -> None:
    first: dict[str, Cell] = {}
    for cell in cells:
        other = first.setdefault(cell.text.casefold(), cell)
        if other.text != cell.text:
            raise InvalidInput(
                f"{cell.place}: found {cell.text!r}, but {other.text!r} at {other.place}. Spell them alike, or name "
                f"the levels ({option('levels', heading.name, 'A,B,C')})."
            )


def _said(parameters: Sequence[Parameter | Held], file: str) -> tuple[str, ...]:
    """Say what was taken from the table because nobody gave it, and how to give it."""
    if not parameters:
        return ()
    taken = [_held(p) if isinstance(p, Held) else f"{p.name}: {p}, as in {file}." for p in parameters]
    return (*taken, "To try anything else: --range COLUMN=LOW:HIGH, or --levels COLUMN=A,B,C.")


def _held(column: Held) -> str:
    unit = f" {column.unit}" if column.unit else ""
    return f"{column.name}: {show(column.value)}{unit} in every row, so it stays there."
