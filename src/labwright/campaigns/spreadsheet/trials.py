"""Rows as trials: with results observed, without them pending, with the word `failed` failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labwright.campaigns.spreadsheet.columns import Columns
from labwright.campaigns.spreadsheet.numerals import Numerals
from labwright.campaigns.spreadsheet.question import Roles
from labwright.campaigns.spreadsheet.sheet import Cell, Row, Sheet
from labwright.core.errors import InvalidInput
from labwright.core.space import Continuous, Discrete, Parameter
from labwright.core.trial import Trial
from labwright.core.values import Point, Value
from labwright.planning.tables.rows import FAILED, as_trial, beyond, is_failed, strangers

GAP = "Fill it in, or leave the whole column out with --ignore."
SHOWN = 3  # rows that lie outside what may be chosen, and are named; one more is named as well
HINT = f"Leave it empty while the result is still to come; write '{FAILED}' if the experiment gave none."


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The trials, each numbered by its line, with a word on every row that is not read as it stands."""

    trials: tuple[Trial, ...]
    notes: tuple[str, ...]


def read_rows(sheet: Sheet, roles: Roles, columns: Columns, numerals: Numerals) -> Rows:
    """Make a trial of every row that says something; a row with a word outside the levels cannot teach and is left."""
    read = _Reader(sheet=sheet, roles=roles, columns=columns, numerals=numerals)
    trials: list[Trial] = []
    notes: list[str] = []
    outside: list[str] = []
    for row in sheet.rows:
        if not read.is_bare(row):
            point = read.point(row)
            notes += read.oddities(row, point)
            outside += read.outside(row, point)
            trials += [read.trial(row, point)] if not strangers(columns.parameters, point) else []
    return Rows(trials=tuple(trials), notes=(*_some(outside, sheet), *notes))


def _some(outside: Sequence[str], sheet: Sheet) -> list[str]:
    """Return the first of some notes, and how many more there are."""
    more = len(outside) - SHOWN
    if more <= 1:
        return list(outside)
    others = f"{more:,} more {sheet.row_word}s lie outside what may be chosen; they are learnt from as well."
    return [*outside[:SHOWN], others]


@dataclass(frozen=True, kw_only=True)
class _Reader:
    sheet: Sheet
    roles: Roles
    columns: Columns
    numerals: Numerals

    def is_bare(self, row: Row) -> bool:
        """Whether nothing but ignored columns is filled."""
        return not any(row.cells[h.index] for h in self.sheet.headings if h.name not in self.roles.ignored)

    def point(self, row: Row) -> dict[str, Value]:
        """Return what the row sets; a gap in a held column is refused as well."""
        for held in self.columns.held:
            _require_word(self._cell(row, held.name))
        return {p.name: self._value(p, self._cell(row, p.name)) for p in self.columns.parameters}

    def trial(self, row: Row, point: Point) -> Trial:
        """Return what became of the row."""
        cells = self._outcomes(row)
        if any(is_failed(cell.text) for cell in cells.values()):
            return as_trial(row.line, point, None, counted_as=self.sheet.row_word)
        results = {name: self.numerals.require(cell, HINT) if cell.text else None for name, cell in cells.items()}
        return as_trial(row.line, point, results, counted_as=self.sheet.row_word)

    def oddities(self, row: Row, point: Point) -> list[str]:
        """Say where the row is not read as it stands."""
        where = f"{self.sheet.row_word.capitalize()} {row.line}"
        if strange := strangers(self.columns.parameters, point):
            return [f"{where} is not used: {', '.join(strange)}."]
        empty = [name for name, cell in self._outcomes(row).items() if not cell.text]
        if empty and len(empty) < len(self.roles.outcomes):
            return [f"{where} has no {', '.join(empty)} yet; it is taken as still to come."]
        return []

    def outside(self, row: Row, point: Point) -> list[str]:
        """Say that the row lies outside what may be chosen, where it does and yet teaches."""
        outside = beyond(self.columns.parameters, point)
        if not outside or strangers(self.columns.parameters, point):
            return []
        where = f"{self.sheet.row_word.capitalize()} {row.line}"
        return [f"{where} lies outside what may be chosen ({', '.join(outside)}); it is learnt from."]

    def _value(self, parameter: Parameter, cell: Cell) -> Value:
        if isinstance(parameter, Continuous | Discrete):
            return self.numerals.require(cell, GAP)
        return _require_word(cell)

    def _outcomes(self, row: Row) -> Mapping[str, Cell]:
        return {name: self._cell(row, name) for name in self.roles.outcomes}

    def _cell(self, row: Row, name: str) -> Cell:
        return self.sheet.cell(row, self.sheet.find(name, ""))


def _require_word(cell: Cell) -> str:
    if not cell.text:
        raise InvalidInput(f"{cell.place}: the cell is empty, expected a value. {GAP}")
    return cell.text
