"""A table of the only possible experiments, up to a million rows of it, column by column."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labwright.campaigns.spreadsheet.columns import Columns
from labwright.campaigns.spreadsheet.delimited import Columnwise, read_columnwise
from labwright.campaigns.spreadsheet.files import read_bytes
from labwright.campaigns.spreadsheet.numerals import Numerals, find_numerals
from labwright.campaigns.spreadsheet.question import Roles
from labwright.campaigns.spreadsheet.sheet import EXCEL, Cell, Sheet, row_word
from labwright.campaigns.spreadsheet.workbook import read_workbook
from labwright.core.errors import InvalidInput
from labwright.core.heading import Heading, find_heading
from labwright.core.space import Parameter, Pool
from labwright.core.units import check_unit, convert, parse_unit
from labwright.core.values import Point
from labwright.planning.tables.pool import Cells, parameter_of

SEEN = 5000  # rows from which it is found how numbers are written, and which columns hold some
GAP = "A candidate needs a value here: fill it in, or leave the row out, or the whole column with --ignore."


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The texts of a table, by columns; `lines` are those of its rows in the file."""

    name: str
    headings: tuple[Heading, ...]
    columns: tuple[Sequence[str], ...]
    lines: Sequence[int]
    delimiter: str

    def find(self, name: str) -> Heading | None:
        """Return the column of that name, with or without its unit; None where there is none."""
        try:
            return find_heading(self.headings, name, "", "")
        except InvalidInput:
            return None

    def cell(self, row: int, heading: Heading) -> Cell:
        """Return one cell with its place."""
        place = f"{self.name}, {row_word(self.name)} {self.lines[row]}, column {heading.text!r}"
        return Cell(text=self.columns[heading.index][row], place=place)

    def numerals(self, headings: Sequence[Heading]) -> Numerals:
        """Find out how the numbers of some columns are written."""
        first = range(min(len(self.lines), SEEN))
        return find_numerals([self.cell(i, h) for h in headings for i in first], self.delimiter)

    def read(self, heading: Heading, numerals: Numerals) -> Cells:
        """Return a column: numbers, where the most of its cells are some, or words. An empty cell is an error."""
        texts = self.columns[heading.index]
        if "" in texts:
            cell = self.cell(texts.index(""), heading)
            raise InvalidInput(f"{cell.place}: the cell is empty. {GAP}")
        seen = texts[:SEEN]
        if 2 * sum(numerals.read(text) is not None for text in seen) < len(seen):
            return list(texts)
        plain = _floats(texts, numerals)
        if plain is not None:
            return plain
        return np.array([numerals.require(self.cell(i, heading), GAP) for i in range(len(texts))])


def _floats(texts: Sequence[str], numerals: Numerals) -> "Cells | None":
    """Return numbers at once where all are written plainly, or None."""
    if numerals.decimal == ",":
        if any("." in text for text in texts):
            return None
        texts = [text.replace(",", ".") for text in texts]
    try:
        values = np.array(texts, dtype=float)
    except ValueError:
        return None
    return values if np.isfinite(values).all() and not any("_" in text for text in texts) else None


def read_candidates(path: Path) -> Candidates:
    """Read a .csv, .tsv, .txt or .xlsx table of candidates; of a workbook its first sheet."""
    data = read_bytes(path)
    if path.suffix.lower() in EXCEL:
        sheet = read_workbook(data, path.name, None)
        columns = tuple([row.cells[h.index] for row in sheet.rows] for h in sheet.headings)
        read = Columnwise(sheet.headings, columns, [row.line for row in sheet.rows], sheet.dialect.delimiter)
    else:
        read = read_columnwise(data, path.name)
    if not read.lines:
        raise InvalidInput(f"{path.name} has no row below its header. Write one row for each possible experiment.")
    return Candidates(name=path.name, **read._asdict())


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """The candidates as the planner's pool; `labels` are the ignored columns of the table that they fill."""

    candidates: Candidates
    pool: Pool
    labels: Mapping[str, Heading]

    def beside(self, point: Point) -> dict[str, str]:
        """Return what a candidate has in the ignored columns, such as its name."""
        row = self.pool.find(point)
        return {} if row is None else {n: self.candidates.columns[h.index][row] for n, h in self.labels.items()}


def choose_from(candidates: Candidates, sheet: Sheet, roles: Roles, decimal: str | None) -> tuple[Columns, Choice]:
    """Make a parameter of every column of the table that is no result and is not ignored: the pool must have it."""
    _check_alone(roles)
    settings = {h: _counterpart(candidates, h, sheet) for h in sheet.headings if _is_setting(h, roles)}
    if not settings:
        raise InvalidInput(f"{sheet.name} has no column that is a setting: each is a result or ignored.")
    numerals = Numerals(decimal=decimal) if decimal else candidates.numerals(list(settings.values()))
    cells = {own.name: _in_unit_of(own, candidates.read(other, numerals), other) for own, other in settings.items()}
    parameters = tuple(
        parameter_of(
            own.name,
            cells[own.name],
            own.unit or other.unit,
            known=(cell.text for cell in sheet.column(own) if cell.text),
            leave_out=f"Leave it out: --ignore {own.name!r}; it is written beside the experiments all the same.",
        )
        for own, other in settings.items()
    )
    labels = {name: found for name in sorted(roles.ignored) if (found := candidates.find(name)) is not None}
    choice = Choice(candidates=candidates, pool=Pool(columns=cells), labels=labels)
    notes = _said(candidates, [*settings.values(), *labels.values()]) + _converted(candidates, settings, parameters)
    return Columns(parameters=parameters, held=(), notes=notes), choice


def _is_setting(heading: Heading, roles: Roles) -> bool:
    return heading.name not in roles.outcomes and heading.name not in roles.ignored


def _check_alone(roles: Roles) -> None:
    for option, given in (("--range", roles.ranges), ("--levels", roles.levels)):
        if given:
            name = next(iter(given))
            raise InvalidInput(
                f"{option} {name}: with --pool only its rows are possible. Leave the option out, or take the other "
                "rows out of the pool."
            )


def _counterpart(candidates: Candidates, heading: Heading, sheet: Sheet) -> Heading:
    found = candidates.find(heading.name)
    if found is None:
        columns = ", ".join(repr(h.text) for h in candidates.headings)
        raise InvalidInput(
            f"{candidates.name} has no column {heading.name!r}, which is a setting in {sheet.name}. Columns found: "
            f"{columns}. Add it there, or leave it out: --ignore {heading.name!r}."
        )
    if found.unit is not None and heading.unit not in (None, found.unit):
        check_unit(found.unit, heading.unit, f"{candidates.name}, column {found.text!r}")
    return found


def _in_unit_of(own: Heading, cells: Cells, other: Heading) -> Cells:
    """Return a column of numbers in the unit that the table has for it."""
    if isinstance(cells, list) or not _differ(own, other):
        return cells
    start, end = (convert(value, other.unit, own.unit, other.text) for value in (0.0, 1.0))
    if not math.isclose(convert(2.0, other.unit, own.unit, other.text), 2 * end - start):  # such as of decibels
        return np.array([convert(value, other.unit, own.unit, other.text) for value in cells])
    return np.array([float(f"{start + (end - start) * value:.12g}") for value in cells])


def _converted(
    candidates: Candidates, settings: Mapping[Heading, Heading], parameters: Sequence[Parameter]
) -> tuple[str, ...]:
    """Say what became of columns that are given in another unit than the table's."""
    return tuple(
        f"{candidates.name}: {other.text!r} is converted: {parameter}."
        for (own, other), parameter in zip(settings.items(), parameters, strict=True)
        if _differ(own, other)
    )


def _differ(own: Heading, other: Heading) -> bool:
    """Say whether two columns name units, and not the same."""
    if own.unit is None or other.unit in (None, own.unit):
        return False
    return parse_unit(own.unit) != parse_unit(str(other.unit))


def _said(candidates: Candidates, used: Sequence[Heading]) -> tuple[str, ...]:
    taken = {h.index for h in used}
    rest = [repr(h.text) for h in candidates.headings if h.index not in taken]
    said = f"{candidates.name}: {len(candidates.lines):,} possible experiments."
    return (said, f"{candidates.name}: not used: {', '.join(rest)}.") if rest else (said,)
