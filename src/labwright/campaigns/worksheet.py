"""Open tasks as a sheet that people fill in, and the filled sheet as reports."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labwright.campaigns.clerk import Clerk
from labwright.campaigns.spreadsheet import Sheet, read_sheet
from labwright.campaigns.spreadsheet.numerals import Numerals, find_numerals
from labwright.campaigns.spreadsheet.sheet import Cell, Dialect, Row
from labwright.core.attachment import Attachment
from labwright.core.command import Failure, Measurement
from labwright.core.errors import InvalidInput, NotFound
from labwright.core.form import Field, FieldKind, expected, observe
from labwright.core.heading import Heading, read_headings
from labwright.core.states import TaskState
from labwright.core.task import PostedTask, Report
from labwright.core.units import convert
from labwright.core.values import Value, is_number

FIXED = ("task", "trial", "instructions", "failed", "note")
SAME = 1e-9  # of a value that was set: what a spreadsheet may leave as a difference
SHOWN = 6  # a spreadsheet may show so many digits of a number, and keep no more
Find = Callable[[int], PostedTask]


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What a filled sheet says: reports to record, tasks that were recorded before, rows left empty, and problems.

    `unread`: columns in which something stands that is read for no task.
    """

    reports: tuple[Report, ...] = ()
    known: tuple[PostedTask, ...] = ()
    empty: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def worksheet(tasks: Sequence[PostedTask], name: str) -> Sheet:
    """Return a sheet with a row for each task: what is set, and an empty column for each value to report.

    A cell that is not for a task holds `-`. Where something could not be done, `failed` says why.
    """
    fields = list(dict.fromkeys(_field_text(f) for t in tasks for f in t.task.fields))
    taken = {*FIXED, *fields}
    given = list(dict.fromkeys(_given_text(n, m, taken) for t in tasks for n, m in t.task.given.items()))
    texts = ["task", "trial", "instructions", *given, *fields, "failed", "note"]
    rows = [_row(i, task, texts, given, fields) for i, task in enumerate(tasks, start=2)]
    plain = all(cell.isascii() for cells in (texts, *(r.cells for r in rows)) for cell in cells)
    # The mark tells Excel that it is UTF-8; without it, µL becomes ÂµL.
    dialect = Dialect(encoding="utf-8" if plain else "utf-8-sig")
    return Sheet(name=name, headings=read_headings(texts, name), rows=tuple(rows), dialect=dialect)


def check_replaceable(path: Path) -> None:
    """Refuse to write over a file that is no worksheet, or one in which somebody has filled in something."""
    if not path.exists():
        return
    try:
        sheet = read_sheet(path)
        last = max(sheet.find(name, path.name).index for name in ("task", "trial", "instructions"))
        filled = any(cell not in ("", "-") for row in sheet.rows for cell in _blank(sheet, row, last))
    except InvalidInput as error:
        raise InvalidInput(f"{path} exists and is no worksheet. Name another file with -o.") from error
    if filled:
        raise InvalidInput(f"{path} exists and may be filled in. Record it first, delete it, or name another with -o.")


def read_filled(sheet: Sheet, campaign: str, find: Find, clerk: Clerk, *, decimal: str | None = None) -> Filled:
    """Read a filled sheet; `find` gives a task by its number, or raises NotFound. Every row is checked.

    Files are named in their cells; `clerk` reads them.
    """
    if decimal not in (None, ".", ","):
        raise InvalidInput(f"--decimal {decimal}: expected '.' or ','.")
    reading = _Reading(sheet, campaign, find, clerk, decimal)
    for row in sheet.rows:
        reading.take(row)
    return Filled(
        reports=tuple(reading.reports.values()),
        known=tuple(reading.known),
        empty=tuple(reading.empty),
        problems=tuple(reading.problems),
        unread=reading.unread(),
    )


class _Reading:
    """One pass over the rows of a filled sheet."""

    def __init__(self, sheet: Sheet, campaign: str, find: Find, clerk: Clerk, decimal: str | None) -> None:
        self._sheet, self._campaign, self._find, self._clerk = sheet, campaign, find, clerk
        self._task = sheet.find("task", "record")
        self._note, self._failed = (_optional(sheet, name) for name in ("note", "failed"))
        self._tasks = {row.line: found for row in sheet.rows if (found := self._look_up(row)) is not None}
        self._numerals = Numerals(decimal=decimal) if decimal else self._find_numerals()
        self.reports: dict[int, Report] = {}
        self.known: list[PostedTask] = []
        self.empty: list[int] = []
        self.problems: list[str] = []

    def take(self, row: Row) -> None:
        """Read one row into a report, a known task, an empty line or a problem."""
        try:
            self._take(row)
        except (InvalidInput, NotFound) as error:
            place = f"{self._sheet.name}, {self._sheet.row_word} {row.line}"
            text = str(error)
            self.problems.append(text if text.startswith(place) else f"{place}: {text}")

    def unread(self) -> tuple[str, ...]:
        """Return the columns in which something stands that is read for no task, such as one that is misspelt."""
        read = {h.index for h in self._sheet.headings if h.text.casefold() in FIXED}
        for posted in self._tasks.values():
            with suppress(InvalidInput):  # a column that is missing is told of already
                read |= {self._heading(field).index for field in posted.task.fields}
                given = (self._set_heading(posted, name, found) for name, found in posted.task.given.items())
                read |= {heading.index for heading in given if heading is not None}
        others = [h for h in self._sheet.headings if h.index not in read]
        return tuple(h.text for h in others if any(self._text(row, h) for row in self._sheet.rows))

    def _take(self, row: Row) -> None:
        posted = self._posted(row)
        cells = self._cells(row, posted)
        filled = {name: cell for name, cell in cells.items() if cell.text not in ("", "-")}
        failed, note = self._text(row, self._failed), self._text(row, self._note)
        if not filled and not failed:
            if note:
                raise InvalidInput("it has a note, but no value. Fill in the values, or say under `failed` why not.")
            self.empty.append(row.line)
            return
        if filled and failed:
            raise InvalidInput("it has values, and says that it failed. Leave one of the two empty.")
        if posted.id in self.reports:
            raise InvalidInput(f"task {posted.id} stands in this sheet twice. Leave one of the rows out.")
        if posted.state is TaskState.WITHDRAWN:
            raise InvalidInput(f"{posted.withdrawn} Leave the row out.")
        self._check_set(row, posted)
        entries = {f.name: self._entry(f, filled[f.name]) for f in posted.task.fields if f.name in filled}
        report = self._clerk.report(posted, entries, failed=failed, note=note)
        observed = None if failed else observe(posted.task.fields, report.values, report.files)
        if posted.state is not TaskState.OPEN:
            self._check_same(posted, Failure(reason=failed) if failed else observed)
            self.known.append(posted)
        else:
            self.reports[posted.id] = report

    def _look_up(self, row: Row) -> PostedTask | None:
        try:
            return self._posted(row)
        except (InvalidInput, NotFound):
            return None

    def _posted(self, row: Row) -> PostedTask:
        cell = self._sheet.cell(row, self._task)
        number = Numerals(decimal=".").read(cell.text)
        if number is None or number != int(number):
            raise InvalidInput(f"{cell.place}: found {cell.text!r}, expected the number of a task.")
        posted = self._find(int(number))
        if posted.campaign != self._campaign:
            raise InvalidInput(f"{posted} belongs to campaign {posted.campaign!r}, not to {self._campaign!r}.")
        return posted

    def _cells(self, row: Row, posted: PostedTask) -> dict[str, Cell]:
        return {f.name: self._sheet.cell(row, self._heading(f)) for f in posted.task.fields}

    def _heading(self, field: Field) -> Heading:
        exact = [h for h in self._sheet.headings if h.text == _field_text(field)]
        return exact[0] if exact else self._sheet.find(field.name, "record")

    def _check_set(self, row: Row, posted: PostedTask) -> None:
        """Refuse a row that repeats what was to be set otherwise than its task says; without the column it is right."""
        for name, given in posted.task.given.items():
            heading = self._set_heading(posted, name, given)
            if heading is None:
                continue
            cell, value, unit = self._sheet.cell(row, heading), given.value, given.unit
            if is_number(value) and unit and heading.unit and unit != heading.unit:
                value, unit = convert(float(value), unit, heading.unit, name), heading.unit
            if not _is_same(cell.text, value):
                raise InvalidInput(
                    self._set_otherwise(cell, posted, f"{Numerals(decimal='.').write(value)} {unit or ''}")
                )

    def _set_otherwise(self, cell: Cell, posted: PostedTask, asked: str) -> str:
        return (
            f"{cell.place}: found {cell.text!r}, expected {asked.strip()}, as {posted} says. If rows were mixed up, "
            f"begin with a fresh sheet: labwright worksheet {self._campaign} -o FILE.csv. If it was done otherwise, "
            "put back what was asked, say under `failed` how it was done, and take the result in as history: "
            f"labwright import {self._campaign} TABLE."
        )

    def _set_heading(self, posted: PostedTask, name: str, given: Measurement) -> Heading | None:
        """Return the column that repeats what was to be set, perhaps in another unit; None where there is none."""
        results = {self._heading(field).index for field in posted.task.fields}
        others = [h for h in self._sheet.headings if h.index not in results and h.text not in FIXED]
        text = _given_text(name, given, set())
        for wanted in (f"set {text}", text, f"set {name}", name):
            for heading in others:
                if wanted.casefold() in (heading.text.casefold(), heading.name.casefold()):
                    return heading
        return None

    def _text(self, row: Row, heading: Heading | None) -> str:
        text = "" if heading is None else self._sheet.cell(row, heading).text
        return "" if text == "-" else text

    def _find_numerals(self) -> Numerals:
        cells: list[Cell] = []
        for row in self._sheet.rows:
            posted = self._tasks.get(row.line)
            numeric = [] if posted is None else [f for f in posted.task.fields if f.is_numeric]
            cells += [self._sheet.cell(row, self._heading(field)) for field in numeric]
        return find_numerals(cells, self._sheet.dialect.delimiter)

    def _entry(self, field: Field, cell: Cell) -> Measurement | Attachment:
        if field.kind is FieldKind.FILE:
            return self._clerk.file(field, cell.text)
        if field.kind in (FieldKind.WORDS, FieldKind.YES_NO, FieldKind.BELIEF):
            return Measurement(value=cell.text)
        number = self._numerals.read(cell.text)
        if number is None and field.is_numeric:
            self._numerals.require(cell, f"{field.name}: {expected(field)}.")
        if number is None or (field.levels is not None and cell.text in field.levels):
            return Measurement(value=cell.text)
        unit = self._heading(field).unit
        value: Value = number
        return Measurement(value=value, unit=unit if field.unit is not None else None)

    def _check_same(self, posted: PostedTask, found: object) -> None:
        if found != posted.outcome:
            raise InvalidInput(
                f"{posted} was recorded already, {posted.recorded}, with other values: {_words(posted)}. "
                "What is recorded stays; leave the row out."
            )


def _is_same(text: str, value: Value) -> bool:
    """Whether a cell holds a value that was set, however a spreadsheet writes it."""
    if isinstance(value, str):
        return text == value.strip()
    digits = len(re.sub(r"[eE].*|\D", "", text).lstrip("0"))
    shown = float(f"{value:.{digits}g}") if digits >= SHOWN else value
    readings = (Numerals(decimal=decimal).read(text) for decimal in ".,")
    return any(found == shown or math.isclose(found, value, rel_tol=SAME) for found in readings if found is not None)


def _words(posted: PostedTask) -> str:
    if isinstance(posted.outcome, Failure):
        return f"failed, {posted.outcome.reason}"
    values: Mapping[str, Measurement] = getattr(posted.outcome, "values", {})
    return ", ".join(f"{n} = {m.value}{f' {m.unit}' if m.unit else ''}" for n, m in values.items())


def _row(line: int, posted: PostedTask, texts: Sequence[str], given: Sequence[str], fields: Sequence[str]) -> Row:
    task, write = posted.task, Numerals(decimal=".").write
    asked = "; ".join(f.asked for f in task.fields)
    cells = {
        "task": str(posted.id),
        "trial": " ".join(map(str, posted.trials)),
        "instructions": f"{' '.join(task.instructions.split())} [{asked}]",
        **dict.fromkeys((*given, *fields), "-"),
        **{_field_text(f): "" for f in task.fields},
    }
    for name, measurement in task.given.items():
        cells[_given_text(name, measurement, {*FIXED, *fields})] = write(measurement.value)
    return Row(line=line, cells=tuple(cells.get(text, "") for text in texts))


def _field_text(field: Field) -> str:
    text = f"{field.name} ({field.unit})" if field.unit and field.unit != "1" else field.name
    return f"result {text}" if text in FIXED else text


def _given_text(name: str, measurement: Measurement, taken: set[str]) -> str:
    text = f"{name} ({measurement.unit})" if measurement.unit and measurement.unit != "1" else name
    return f"set {text}" if text in taken else text


def _optional(sheet: Sheet, name: str) -> Heading | None:
    return next((h for h in sheet.headings if h.text.casefold() == name), None)


def _blank(sheet: Sheet, row: Row, last: int) -> tuple[str, ...]:
    """Return the cells that a fresh sheet leaves empty: those of the fields that the instructions name."""
    instructions = row.cells[sheet.find("instructions", sheet.name).index]
    asked = {part.partition(":")[0].strip() for part in instructions.rpartition("[")[2].split(";")}
    names = {*asked, *(f"result {name}" for name in asked), "failed", "note"}
    return tuple(row.cells[h.index] for h in sheet.headings[last + 1 :] if {h.name, h.text.partition(" (")[0]} & names)
