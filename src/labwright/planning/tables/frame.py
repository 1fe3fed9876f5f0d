"""Tables as Python programs hold them: rows of dicts, columns of a dict, data frames; read, and given back alike.

A data frame is known by its `columns`; pandas and polars are used only where one of theirs was given.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from labwright.core.errors import InvalidInput
from labwright.core.heading import Heading, find_heading, split_headings

F = TypeVar("F")
Columns = Mapping[str, Sequence[Any]]
ACCEPTED = "a pandas or polars DataFrame, a list of dicts, or a dict of columns"
MISSING = ("NAType", "NaTType")  # of pandas


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A table of some kind, column by column; `name` is what it is called in messages."""

    name: str
    headings: tuple[Heading, ...]
    columns: Columns
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def find(self, name: str, asked_by: str) -> Heading:
        """Return the column of that name, with or without its unit."""
        return find_heading(self.headings, name, asked_by, self.name)

    def has(self, name: str) -> bool:
        """Say whether there is a column of that name."""
        try:
            self.find(name, "")
        except InvalidInput:
            return False
        return True

    def key(self, heading: Heading) -> str:
        """Return a column's name just as it was given."""
        return self.keys[heading.index]

    def column(self, heading: Heading) -> Sequence[Any]:
        """Return the cells of a column, as they were given."""
        return self.columns[self.key(heading)]

    def place(self, row: int, heading: Heading) -> str:
        """Say where a cell stands; rows count from 0, as in Python."""
        return f"{self.name}, row {row}, column {self.key(heading)!r}"


def read_frame(given: object, name: str) -> Frame:
    """Read a table of any kind; anything that is none, or has a column without a name of its own, is an error."""
    columns = _columns(given, name)
    return Frame(name=name, headings=split_headings(list(columns)), columns=columns, keys=tuple(columns))


def same_kind(given: F, columns: Mapping[str, list[Any]]) -> F:
    """Return a table of the same kind as the one given; an empty number is NaN in pandas, null in polars, else None."""
    made: Any
    if isinstance(given, Mapping):
        made = dict(columns)
    elif not _is_frame(given):
        made = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    else:
        kind: Any = type(given)
        made = kind({name: _numbers(cells) for name, cells in columns.items()})
        made = made.fill_nan(None) if hasattr(made, "fill_nan") else made
    found: F = made
    return found


def _numbers(cells: list[Any]) -> list[Any]:
    """Return cells with NaN for None, so that a column without a number is one of numbers all the same."""
    return cells if any(isinstance(cell, str) for cell in cells) else [math.nan if c is None else c for c in cells]


def _is_frame(given: object) -> bool:
    return hasattr(given, "columns") and hasattr(given, "__getitem__")


def _columns(given: object, name: str) -> Columns:
    if hasattr(given, "collect"):
        raise InvalidInput(f"{name} is a {type(given).__name__}, which holds no rows yet. Give it after .collect().")
    if isinstance(given, Mapping):
        return _of_equal_length({key: _listed(key, given[key], name) for key in _names(given, name)}, name)
    if _is_frame(given):
        frame: Any = given
        return {key: _cells(frame[key]) for key in _names(frame.columns, name)}
    if isinstance(given, Sequence) and all(isinstance(row, Mapping) for row in given):
        keys = _names(dict.fromkeys(key for row in given for key in row), name)
        return {key: [row.get(key) for row in given] for key in keys}
    raise InvalidInput(f"{name}: found {type(given).__name__}, expected {ACCEPTED}.")


def _names(found: Iterable[object], name: str) -> list[str]:
    names = list(found)
    for column in names:
        if not isinstance(column, str) or not column.strip():
            raise InvalidInput(f"{name} has a column named {column!r}, expected a text. Rename it.")
        if names.count(column) > 1:
            raise InvalidInput(f"{name} has more than one column named {column!r}. Each needs its own name.")
    return [str(column) for column in names]


def _listed(key: str, column: object, name: str) -> Sequence[Any]:
    if isinstance(column, str) or not hasattr(column, "__len__") or not isinstance(column, Iterable):
        raise InvalidInput(f"{name}, column {key!r}: found {column!r}, expected the cells of a column, such as a list.")
    return _cells(column)


def _cells(column: Any) -> Sequence[Any]:
    """Return the cells: an array where they are numbers, so that a million of them is nothing, or else a list."""
    # Imported here because the package is imported by commands that need none.
    import numpy as np

    if isinstance(column, list | tuple):
        return column
    array: Any = np.asarray(column)
    return array if array.dtype.kind in "iuf" else list(column)


def _of_equal_length(columns: Columns, name: str) -> Columns:
    for key, column in columns.items():
        if getattr(column, "ndim", 1) != 1:
            shape = getattr(column, "shape", ())
            raise InvalidInput(
                f"{name}, column {key!r}: found an array of shape {shape}, expected one cell for each row."
            )
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidInput(f"{name} has columns of different length: {lengths}. Give each row a cell in every column.")
    return columns


def plain(cell: Any, place: str) -> float | int | bool | str | None:
    """Return what a cell holds; None where it is empty. What is neither number nor word is refused."""
    if cell is None or type(cell).__name__ in MISSING:
        return None
    if isinstance(cell, str):
        return cell.strip() or None
    if getattr(getattr(cell, "dtype", None), "kind", "") in ("i", "u", "f", "b", "U"):
        cell = cell.item()
    if isinstance(cell, Decimal | Fraction):
        cell = float(cell)
    if not isinstance(cell, bool | int | float | str):
        raise InvalidInput(
            f"{place}: found {cell} ({type(cell).__name__}), expected a number or a word. A date is nothing that an "
            "experiment sets or measures: give a number instead, such as the days since the first."
            if hasattr(cell, "year") or "datetime" in type(cell).__name__
            else f"{place}: found {cell!r} ({type(cell).__name__}), expected a number or a word."
        )
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def number(cell: Any, place: str, hint: str) -> float | None:
    """Return the number in a cell, also where it stands there as a text; None where it is empty."""
    found = plain(cell, place)
    if found is None:
        return None
    try:
        value = math.nan if isinstance(found, bool) or (isinstance(found, str) and "_" in found) else float(found)
    except (ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInput(f"{place}: found {found!r}, expected a finite number. {hint}")
    return value


def word(cell: Any, place: str) -> str | None:
    """Return the word in a cell, 1.0 and 1 as `1`; None where it is empty."""
    found = plain(cell, place)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return None if found is None else str(found)


def required(read: Callable[..., Any], cell: Any, place: str, *hint: str) -> Any:
    """Return what `read` finds in a cell, which may not be empty."""
    found = read(cell, place, *hint)
    if found is None:
        raise InvalidInput(f"{place}: the cell is empty, expected a value. Fill it in, or leave the row out.")
    return found
