"""Text files with a delimiter: found out when read, kept when written."""

import csv
import io
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from labwright.campaigns.spreadsheet.sheet import Dialect, Row, Sheet
from labwright.core.errors import InvalidInput
from labwright.core.heading import Heading, read_headings

DELIMITERS = (";", "\t", ",")
SAMPLE = 100_000  # characters of a long table from which its delimiter is found
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_delimited(data: bytes, name: str) -> Sheet:
    """Read a text table; delimiter, encoding and line ends are found out."""
    text, encoding = _decode(data, name)
    newline = "\r\n" if "\r\n" in text else "\n"
    skipped, delimiter, text = _declared_delimiter(text)
    delimiter = delimiter or _find_delimiter(text)
    records = _records(text, delimiter, name, skipped)
    if not records:
        raise InvalidInput(f"{name} is empty. The first line must name the columns.")
    headings, rows = _rectangle(records, name)
    dialect = Dialect(delimiter=delimiter, encoding=encoding, newline=newline)
    return Sheet(name=name, headings=read_headings(headings, name), rows=rows, dialect=dialect)


def write_delimited(sheet: Sheet) -> bytes:
    """Write a sheet in its dialect."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=sheet.dialect.delimiter, lineterminator=sheet.dialect.newline)
    writer.writerow([h.text for h in sheet.headings])
    writer.writerows(row.cells for row in sheet.rows)
    try:
        return out.getvalue().encode(sheet.dialect.encoding)
    except UnicodeEncodeError as error:
        wrong = out.getvalue()[error.start : error.end]
        raise InvalidInput(
            f"{sheet.name} is written in {sheet.dialect.encoding}, which has no {wrong!r}. "
            "Save the table as 'CSV UTF-8' and ask again."
        ) from error


def _decode(data: bytes, name: str) -> tuple[str, str]:
    marked = next((e for mark, e in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    for encoding in [marked] if marked else ["utf-8", "cp1252", "latin-1"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, encoding
    raise InvalidInput(f"{name} is not a text file. Save the table as .csv or .xlsx and ask again.")


def _declared_delimiter(text: str) -> tuple[int, str | None, str]:
    """Take off the line `sep=;` that Excel understands: lines taken off, the delimiter, the rest."""
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.rstrip("\r")) == 5:
        return 1, first[4], rest
    return 0, None, text


class Columnwise(NamedTuple):
    """A long table by columns: headings, the texts of each, the line of each row, and what stands between cells."""

    headings: tuple[Heading, ...]
    columns: tuple[Sequence[str], ...]
    lines: Sequence[int]
    delimiter: str


def read_columnwise(data: bytes, name: str) -> Columnwise:
    """Read a long text table; see `read_delimited`."""
    text, _ = _decode(data, name)
    skipped, delimiter, text = _declared_delimiter(text)
    delimiter = delimiter or _find_delimiter(text[: text.find("\n", SAMPLE) + 1] or text)
    rows, lines, line = list[list[str]](), array("l"), skipped + 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                rows.append(cells)
                lines.append(line)
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise InvalidInput(
            f"{name}, line {line}: this is not a table that can be read ({error}). Is a quote not closed?"
        ) from error
    if not rows:
        raise InvalidInput(f"{name} is empty. The first line must name the columns.")
    width = len(trimmed([cell.strip() for cell in rows[0]]))
    for i, cells in enumerate(rows):
        if len(cells) != width:
            found = trimmed([cell.strip() for cell in cells])
            rows[i] = list(padded(_fitting(Row(line=lines[i], cells=found), width, name), width).cells)
    titles, *_ = rows
    columns = tuple([cell.strip() for cell in column[1:]] for column in zip(*rows, strict=True))
    headings = read_headings([title.strip() for title in titles], name)
    return Columnwise(headings, columns, lines[1:], delimiter)


def _find_delimiter(text: str) -> str:
    """Return the delimiter with which the most lines have as many cells as the first; then the most cells."""

    def fit(delimiter: str) -> tuple[bool, float, int]:
        records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        widths = [len(cells) for cells in records if any(cell.strip() for cell in cells)]
        if not widths:
            return True, 1.0, 0  # nothing but this delimiter: an empty table
        return widths[0] > 1, sum(w == widths[0] for w in widths) / len(widths), widths[0]

    try:
        return max(DELIMITERS, key=fit)
    except csv.Error:
        return ","


def _records(text: str, delimiter: str, name: str, skipped: int) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records, line = [], skipped + 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                records.append(Row(line=line, cells=tuple(cell.strip() for cell in cells)))
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise InvalidInput(
            f"{name}, line {line}: this is not a table that can be read ({error}). Is a quote not closed?"
        ) from error
    return records


def _rectangle(records: Sequence[Row], name: str) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """Return the headers and rows of one width: empty cells at the end of a line do not count."""
    head, *rows = [Row(line=r.line, cells=trimmed(r.cells)) for r in records]
    width = len(head.cells)
    return head.cells, tuple(padded(_fitting(row, width, name), width) for row in rows)


def _fitting(row: Row, width: int, name: str) -> Row:
    if len(row.cells) > width:
        raise InvalidInput(
            f"{name}, line {row.line}: {len(row.cells)} cells, but the header has {width}. A column may "
            "lack its name; and with decimal commas the columns must be separated by ';' or tabs, or quoted."
        )
    return row


def trimmed(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the cells without the empty ones at the end."""
    last = max((i for i, cell in enumerate(cells, start=1) if cell), default=0)
    return tuple(cells[:last])


def padded(row: Row, width: int) -> Row:
    """Return the row with empty cells up to a width."""
    return Row(line=row.line, cells=row.cells + ("",) * (width - len(row.cells)))
