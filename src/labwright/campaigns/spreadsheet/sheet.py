"""A table as a person keeps it: headings, rows of text, and how the file is written."""

import shlex
from dataclasses import dataclass

from labwright.core.heading import Heading, find_heading

EXCEL = (".xlsx", ".xlsm")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a text file is written; `title` is the sheet's name in a workbook."""

    delimiter: str = ","
    encoding: str = "utf-8"
    newline: str = "\n"
    title: str = "Sheet1"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the file, one text per heading."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One text, and where it stands."""

    text: str
    place: str


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Headings and rows; `name` is the file's, for messages."""

    name: str
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    dialect: Dialect

    @property
    def row_word(self) -> str:
        """What a row is called where people look it up."""
        return row_word(self.name)

    def column(self, heading: Heading) -> list[Cell]:
        """Return every cell below a heading."""
        return [self.cell(row, heading) for row in self.rows]

    def cell(self, row: Row, heading: Heading) -> Cell:
        """Return one cell with its place."""
        place = f"{self.name}, {self.row_word} {row.line}, column {heading.text!r}"
        return Cell(text=row.cells[heading.index], place=place)

    def find(self, name: str, asked_by: str) -> Heading:
        """Return the heading of that name: with or without its unit, in any case where only one fits."""
        return find_heading(self.headings, name, asked_by, self.name)


def row_word(file: str) -> str:
    """Say what a row of a file is called where people look it up."""
    return "row" if file.lower().endswith(EXCEL) else "line"


def option(flag: str, name: str, value: str = "") -> str:
    """Write an option about a column as it can be typed in a shell."""
    return f"--{flag} {shlex.quote(f'{name}={value}' if value else name)}"
