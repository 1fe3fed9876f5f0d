"""Read a table from a file, and write one that harms nothing."""

import os
from collections.abc import Sequence
from pathlib import Path

from labwright.campaigns.spreadsheet.delimited import read_delimited, write_delimited
from labwright.campaigns.spreadsheet.sheet import EXCEL, Sheet
from labwright.campaigns.spreadsheet.workbook import read_workbook, write_workbook
from labwright.core.errors import InvalidInput

FOREIGN = (".xls", ".ods", ".numbers", ".xlsb")


def read_sheet(path: Path, title: str | None = None) -> Sheet:
    """Read a .csv, .tsv, .txt or .xlsx table; `title` names the sheet of a workbook."""
    data = read_bytes(path)
    if path.suffix.lower() in EXCEL:
        return read_workbook(data, path.name, title)
    if title is not None:
        raise InvalidInput(f"--sheet {title}: {path.name} is a text file and has no sheets.")
    return read_delimited(data, path.name)


def read_bytes(path: Path) -> bytes:
    """Return what a file holds that may be a table."""
    if path.suffix.lower() in FOREIGN:
        raise InvalidInput(f"{path.name}: {path.suffix} files cannot be read. Save the table as .xlsx or .csv.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: the file cannot be read ({error.strerror}).") from error


def write_sheet(path: Path, sheet: Sheet) -> None:
    """Write a sheet, whole or not at all; a .xlsx name makes a workbook."""
    data = write_workbook(sheet) if path.suffix.lower() in EXCEL else write_delimited(sheet)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InvalidInput(f"{path}: the file cannot be written ({error.strerror}).") from error


def next_to(path: Path) -> Path:
    """Return where the next experiments go by default: `results-next.csv` beside `results.csv`."""
    suffix = ".xlsx" if path.suffix.lower() in EXCEL else path.suffix
    return path.with_name(f"{path.stem}-next{suffix}")


def check_free(path: Path, source: Path, blank: Sequence[str]) -> None:
    """Refuse to write over the table that was read, or over anything but an earlier suggestion.

    `blank` names the columns that a suggestion leaves empty: when one of them is filled, somebody has worked on it.
    """
    if not path.exists():
        return
    if path.samefile(source):
        raise InvalidInput(f"{path} is the table itself. Name another file with --out.")
    if not _is_unfilled(path, blank):
        raise InvalidInput(
            f"{path} exists and holds more than an unfilled suggestion. Copy its rows into {source.name} and "
            "delete it, or name another file with --out."
        )


def _is_unfilled(path: Path, blank: Sequence[str]) -> bool:
    try:
        sheet = read_sheet(path)
        headings = [sheet.find(name, path.name) for name in blank]
    except InvalidInput:
        return False
    return all(not row.cells[h.index] for row in sheet.rows for h in headings)
