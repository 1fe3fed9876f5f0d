"""Excel workbooks, by openpyxl (extra `excel`)."""

import importlib
import io
import re
from datetime import date
from types import ModuleType
from typing import TYPE_CHECKING
from zipfile import BadZipFile

from labwright.campaigns.spreadsheet.delimited import padded, trimmed
from labwright.campaigns.spreadsheet.sheet import Dialect, Row, Sheet
from labwright.core.errors import InvalidInput, MissingExtra
from labwright.core.heading import read_headings

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?(?P<percent> ?%)?")


def read_workbook(data: bytes, name: str, title: str | None) -> Sheet:
    """Read one sheet: the one of that title, or the first."""
    values, formulas = (_pick(_load(data, name, cached), name, title) for cached in (True, False))
    rows = [
        Row(line=line, cells=trimmed([_text(v, f, name) for v, f in zip(shown, typed, strict=True)]))
        for line, (shown, typed) in enumerate(zip(values.iter_rows(), formulas.iter_rows(), strict=True), start=1)
    ]
    rows = [row for row in rows if row.cells]
    if not rows:
        raise InvalidInput(f"{name}, sheet {values.title!r} is empty. Its first row must name the columns.")
    width = max(len(row.cells) for row in rows)
    head, *body = [padded(row, width) for row in rows]
    dialect = Dialect(title=values.title)
    return Sheet(name=name, headings=read_headings(head.cells, name), rows=tuple(body), dialect=dialect)


def write_workbook(sheet: Sheet) -> bytes:
    """Write a sheet as a workbook; texts that are plain numbers become numbers."""
    book = _openpyxl().Workbook()
    page = book.active
    page.title = sheet.dialect.title
    page.append([h.text for h in sheet.headings])
    for i, row in enumerate(sheet.rows, start=2):
        for heading, text in zip(sheet.headings, row.cells, strict=True):
            _fill(page.cell(row=i, column=heading.index + 1), text)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _openpyxl() -> ModuleType:
    try:
        return importlib.import_module("openpyxl")
    except ImportError as error:
        raise MissingExtra("excel", "Reading and writing .xlsx") from error


def _load(data: bytes, name: str, cached: bool) -> "Workbook":
    openpyxl = _openpyxl()
    try:
        book: Workbook = openpyxl.load_workbook(io.BytesIO(data), data_only=cached)
    except (BadZipFile, KeyError, ValueError, openpyxl.utils.exceptions.InvalidFileException) as error:
        raise InvalidInput(f"{name} is not an Excel workbook that can be read: {error}.") from error
    return book


def _pick(book: "Workbook", name: str, title: str | None) -> "Worksheet":
    sheets = {page.title: page for page in book.worksheets}
    if title is not None and title not in sheets:
        raise InvalidInput(f"{name} has no sheet {title!r}. Sheets found: {', '.join(map(repr, sheets))}.")
    return sheets[title] if title else book.worksheets[0]


def _text(value: "Cell", formula: "Cell", name: str) -> str:
    """Return what a cell holds, as text: numbers with a point, percentages as they are shown."""
    held = value.value
    if held is None and formula.data_type == "f":
        raise InvalidInput(f"{name}, cell {value.coordinate}: a formula without its value. Save the file in Excel.")
    if isinstance(held, bool) or held is None:
        return "" if held is None else str(held).upper()
    if isinstance(held, date):
        return held.isoformat()
    if isinstance(held, int | float):
        return f"{held * 100:.12g}%" if "%" in str(value.number_format) else repr(held)
    return str(held).strip()


def _fill(cell: "Cell", text: str) -> None:
    match = NUMBER.fullmatch(text)
    if match is None:
        cell.value = text or None
        cell.data_type = "s" if text else "n"  # a word that begins with '=' is no formula
    elif match["percent"]:
        cell.value, cell.number_format = float(text.rstrip("% ")) / 100, "0.00%"
    else:
        cell.value = float(text) if "." in text or "e" in text else int(text)
