"""Earlier results, read from a table: every row is checked before any is taken."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labwright.campaigns.assignments import listed, raise_all, rounded
from labwright.campaigns.spreadsheet import Cell, Heading, Numerals, Row, Sheet, find_numerals, percent_suffix
from labwright.core.campaign import Campaign
from labwright.core.errors import InvalidInput
from labwright.core.run import Conclusion
from labwright.core.space import Continuous, Parameter
from labwright.core.states import TrialState
from labwright.core.trial import Proposal
from labwright.core.units import check_unit, convert
from labwright.core.values import Point, Value, show
from labwright.storage.trials import Earlier

FAILED = "failed"
MOST_ROWS = 3000  # a planner's time and memory grow with their square and more
NOTHING = "nothing was imported"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a table is to be read: `renamed` columns, its decimal mark, and whether points may lie outside the space.

    `unnamed`: what to do where a name has no column, or several; `unread`: what becomes of a table that is wrong.
    """

    renamed: Mapping[str, str]
    decimal: str | None = None
    outside: bool = False
    unnamed: str = "say which one it is: --map COLUMN={name}."
    unread: str = NOTHING


@dataclass(frozen=True, kw_only=True)
class History:
    """The earlier results of a table, with a word on everything that was taken or left."""

    earlier: tuple[Earlier, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Column:
    """One column: the parameter or outcome that it holds, and the units on both sides."""

    heading: Heading
    name: str
    found: str | None
    wanted: str | None

    def number(self, numerals: Numerals, cell: Cell) -> float:
        """Return the number in a cell, in the campaign's unit."""
        value = numerals.require(cell)
        if self.found is None or self.wanted is None or self.found == self.wanted:
            return value
        return rounded(convert(value, self.found, self.wanted, cell.place))


def read_renamed(texts: Sequence[str]) -> dict[str, str]:
    """Read what `--map` says, `column=name`, as a name by each column."""
    renamed: dict[str, str] = {}
    for text in texts:
        column, mark, name = (part.strip() for part in text.rpartition("="))
        if not mark or not column or not name:
            raise InvalidInput(f"--map {text}: expected COLUMN=NAME, such as --map 'T (degC)=temperature'.")
        if column in renamed:
            raise InvalidInput(f"--map {text}: the column {column!r} has been named already.")
        renamed[column] = name
    return renamed


def read_history(campaign: Campaign, sheet: Sheet, reading: Reading, origin: str) -> History:
    """Return the results of a table; everything that is wrong with it is raised together as InvalidInput."""
    columns, left = _columns(campaign, sheet, reading)
    cells = [cell for c in columns.values() for cell in sheet.column(c.heading)]
    mark = reading.decimal
    if mark not in (None, ".", ","):
        raise InvalidInput(f"--decimal {mark}: expected '.' or ','.")
    numerals = Numerals(decimal=mark) if mark else find_numerals(cells, sheet.dialect.delimiter)
    columns = {name: _with_percent(sheet, c, numerals) for name, c in columns.items()}
    reader = _Reader(campaign=campaign, sheet=sheet, columns=columns, numerals=numerals, origin=origin)
    rows = [row for row in sheet.rows if any(row.cells[c.heading.index] for c in columns.values())]
    earlier = [reader.read(row, outside=reading.outside) for row in rows]
    raise_all(sheet.name, [*reader.wrong, *_size(sheet, rows)], reading.unread)
    return History(earlier=tuple(e for e in earlier if e is not None), notes=(*_notes(columns, left), *reader.notes))


def _size(sheet: Sheet, rows: Sequence[Row]) -> list[str]:
    if not rows:
        return ["it has no row with a result."]
    if len(rows) > MOST_ROWS:
        return [f"it has {len(rows):,} rows, but no more than {MOST_ROWS:,} can be learnt from. Keep the nearest ones."]
    return []


def _columns(campaign: Campaign, sheet: Sheet, reading: Reading) -> tuple[dict[str, _Column], tuple[str, ...]]:
    """Return the column of each parameter and outcome, and of the context where there is one; and the other headers."""
    space, wanted = campaign.problem.space, campaign.units
    units: dict[str, str | None] = {**{n: space[n].unit for n in space.names}, **wanted}
    context = {c.name for c in campaign.problem.context}
    asked = {sheet.find(column, f"--map {column}={name}"): name for column, name in reading.renamed.items()}
    wrong = [f"--map: {n!r} is neither a parameter nor an outcome." for n in asked.values() if n not in units]
    columns: dict[str, _Column] = {}
    for name, unit in units.items():
        fit = [h for h, n in asked.items() if n == name] or _named(sheet, name, asked)
        if not fit and name in context:
            continue
        if len(fit) != 1:
            what = "parameter" if name in space.names else "outcome"
            said = "has no column" if not fit else f"has {len(fit)} columns, {', '.join(h.text for h in fit)}"
            wrong.append(f"the {what} {name!r} {said}; {reading.unnamed.format(name=name)}")
            continue
        try:
            columns[name] = _column(fit[0], name, unit)
        except InvalidInput as error:
            wrong.append(str(error))
    if wrong:
        wrong[-1] += f"\n  Columns found: {', '.join(repr(h.text) for h in sheet.headings)}."
    raise_all(sheet.name, wrong, reading.unread)
    used = {c.heading.index for c in columns.values()}
    return columns, tuple(h.text for h in sheet.headings if h.index not in used)


def _named(sheet: Sheet, name: str, asked: Mapping[Heading, str]) -> list[Heading]:
    """Return the columns of that name; in any case of letters where none has it exactly."""
    same: tuple[Callable[[str], str], ...] = (str, str.casefold)
    for key in same:
        fit = [h for h in sheet.headings if h not in asked and key(name) in (key(h.name), key(h.text))]
        if fit:
            return fit
    return []


def _column(heading: Heading, name: str, unit: str | None) -> _Column:
    if heading.unit is not None and unit is not None:
        check_unit(heading.unit, unit, f"the column {heading.text!r}")
    return _Column(heading=heading, name=name, found=heading.unit, wanted=unit)


def _with_percent(sheet: Sheet, column: _Column, numerals: Numerals) -> _Column:
    """Return the column with the unit that its numbers carry themselves, as `12 %` do."""
    filled = [c for c in sheet.column(column.heading) if c.text and c.text.casefold() != FAILED]
    if column.found is not None or column.wanted is None or not all(numerals.read(c.text) is not None for c in filled):
        return column
    if not percent_suffix(filled, None):
        return column
    check_unit("%", column.wanted, f"the column {column.heading.text!r}")
    return _Column(heading=column.heading, name=column.name, found="%", wanted=column.wanted)


def _notes(columns: Mapping[str, _Column], left: Sequence[str]) -> list[str]:
    bare = [f"{c.heading.text} in {c.wanted}" for c in columns.values() if c.found is None and c.wanted]
    notes = [f"No unit is given, so the campaign's is taken: {', '.join(bare)}."] if bare else []
    return notes + ([f"Columns that were not read: {', '.join(left)}."] if left else [])


class _Reader:
    """Reads row after row, and keeps what is wrong with them."""

    def __init__(
        self, *, campaign: Campaign, sheet: Sheet, columns: Mapping[str, _Column], numerals: Numerals, origin: str
    ) -> None:
        self._space = campaign.problem.space
        self._outcomes = campaign.problem.outcomes
        self._context = [c.name for c in campaign.problem.context if c.name in columns]
        self._sheet = sheet
        self._columns = columns
        self._numerals = numerals
        self._origin = origin
        self.wrong: list[str] = []
        self.notes: list[str] = []

    def read(self, row: Row, *, outside: bool) -> Earlier | None:
        """Return what a row tells; None where something is wrong with it."""
        before = len(self.wrong)
        point = {p.name: v for p in self._space.parameters if (v := self._value(row, p)) is not None}
        beyond = self._beyond(point)
        conclusion = self._conclusion(row)
        if beyond:
            self._note_outside(row, beyond, outside)
        if len(self.wrong) > before or conclusion is None:
            return None
        reason = f"{self._sheet.row_word} {row.line}"
        return Earlier(proposal=Proposal(point=point, source=self._origin, reason=reason), conclusion=conclusion)

    def _beyond(self, point: Point) -> list[str]:
        """Say why a point lies outside the space, as far as it could be read."""
        known = [p for p in self._space.parameters if p.name in point]
        wrong = [f"{p.name} = {show(point[p.name])} is not {p}" for p in known if not p.allows(point[p.name])]
        return wrong if wrong or len(point) < len(self._space.parameters) else self._space.problems(point)

    def _note_outside(self, row: Row, beyond: Sequence[str], outside: bool) -> None:
        where = f"{self._sheet.row_word} {row.line}: {', '.join(beyond)}"
        if outside:
            self.notes.append(f"{where}: outside the space; it teaches the planner, and is never called the best.")
        else:
            self.wrong.append(f"{where}. Leave the row out, or accept such rows: --outside.")

    def _value(self, row: Row, parameter: Parameter) -> Value | None:
        """Return what a row sets; None, with a word on it, where that cannot be read or could teach nothing."""
        cell = self._cell(row, parameter.name)
        if hasattr(parameter, "levels"):
            if parameter.allows(cell.text):
                return cell.text
            self.wrong.append(f"{cell.place}: found {cell.text!r}, expected {parameter}.")
            return None
        value = self._number(parameter.name, cell)
        if value is None:
            return None
        if isinstance(parameter, Continuous) and parameter.log and value <= 0:
            self.wrong.append(f"{cell.place}: found {cell.text!r}, expected more than 0: its effect goes by ratios.")
            return None
        return listed(parameter, value) if parameter.allows(value) else value

    def _conclusion(self, row: Row) -> Conclusion | None:
        cells = {name: self._cell(row, name) for name in self._outcomes}
        if any(cell.text.casefold() == FAILED for cell in cells.values()):
            return Conclusion(state=TrialState.FAILED, why="failed, says the table")
        cells |= {name: cell for name in self._context if (cell := self._cell(row, name)).text}
        found = {name: self._number(name, cell) for name, cell in cells.items()}
        outcomes = {name: value for name, value in found.items() if value is not None}
        return Conclusion(state=TrialState.OBSERVED, outcomes=outcomes) if len(outcomes) == len(cells) else None

    def _number(self, name: str, cell: Cell) -> float | None:
        try:
            value = self._columns[name].number(self._numerals, cell)
        except InvalidInput as error:
            hint = (
                f" Write '{FAILED}' where an experiment gave none." if name in self._outcomes and not cell.text else ""
            )
            self.wrong.append(f"{error}{hint}")
            return None
        if not math.isfinite(value):
            self.wrong.append(f"{cell.place}: found {cell.text!r}, expected a finite number.")
            return None
        return value

    def _cell(self, row: Row, name: str) -> Cell:
        return self._sheet.cell(row, self._columns[name].heading)


def history_of(points: Sequence[tuple[Point, Mapping[str, float], str]], origin: str) -> tuple[Earlier, ...]:
    """Return results, each given with its point and what it was called, as earlier results of another campaign."""
    return tuple(
        Earlier(
            proposal=Proposal(point=dict(point), source=origin, reason=called),
            conclusion=Conclusion(state=TrialState.OBSERVED, outcomes=dict(outcomes)),
        )
        for point, outcomes, called in points
    )
