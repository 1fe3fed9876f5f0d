"""Numbers as people write them: decimal commas, thousands, percent."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from labwright.campaigns.spreadsheet.sheet import Cell
from labwright.core.errors import InvalidInput
from labwright.core.values import Value

GAPS = " \u00a0\u2009\u202f'’"  # what may part thousands, whatever the decimal mark


def _pattern(decimal: str, other: str) -> re.Pattern[str]:
    grouped = rf"[1-9]\d{{0,2}}(?P<gap>[{GAPS}{other}])\d{{3}}(?:(?P=gap)\d{{3}})*"
    return re.compile(rf"(?P<whole>[+-]?(?:{grouped}|\d*))(?:[{decimal}](?P<part>\d*))?(?P<power>[eE][+-]?\d+)?")


PATTERNS = {".": _pattern(".", ","), ",": _pattern(",", ".")}
OTHER = {".": ",", ",": "."}
PERCENT = re.compile(r"[\s\u00a0\u202f]*%$")


@dataclass(frozen=True, kw_only=True)
class Numerals:
    """How a table writes its numbers."""

    decimal: str

    def read(self, text: str) -> float | None:
        """Return the number, `12 %` as 12; None for anything that is not a finite number."""
        match = PATTERNS[self.decimal].fullmatch(PERCENT.sub("", text.strip()).replace("−", "-"))
        if match is None or not any(c.isdigit() for c in match["whole"] + (match["part"] or "")):
            return None
        whole = re.sub(r"[^\d+-]", "", match["whole"])
        value = float(f"{whole}.{match['part'] or '0'}{match['power'] or ''}")
        return value if math.isfinite(value) else None

    def write(self, value: Value) -> str:
        """Write a number so that it reads back the same; a word stays as it is."""
        if isinstance(value, str):
            return value
        text = repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
        return text.replace(".", self.decimal)

    def require(self, cell: Cell, hint: str = "") -> float:
        """Return the number in a cell, or say where it is missing and what stands there."""
        value = self.read(cell.text)
        if value is not None:
            return value
        found = f"found {cell.text!r}" if cell.text else "the cell is empty"
        if "_" in cell.text:
            hint = "A number has no '_'."
        elif re.match(r"[+-]?[\d.,]+\s*[^\d\s.,%]", cell.text):
            hint = "A unit belongs in the header, such as 'T (degC)'."
        raise InvalidInput(f"{cell.place}: {found}, expected a number. {hint}".rstrip())


def find_numerals(cells: Sequence[Cell], delimiter: str) -> Numerals:
    """Find the decimal mark from the numbers that can be read in one way only.

    Without such a number it is the comma where the delimiter is a semicolon, and else the point. A number that would
    then be one in thousands but might be a decimal, `1,234`, is refused.
    """
    clear: dict[str, Cell] = {}
    unclear: dict[str, Cell] = {}
    for cell in cells:
        mark, is_clear = _mark(cell.text)
        if mark:
            (clear if is_clear else unclear).setdefault(mark, cell)
    if len(clear) == 2:
        raise InvalidInput(_two_marks(clear))
    default = "," if delimiter == ";" and (not unclear or "," in unclear) else "."
    decimal = next(iter(clear), default)
    if OTHER[decimal] in unclear:
        raise InvalidInput(_unclear(unclear[OTHER[decimal]]))
    return Numerals(decimal=decimal)


def _mark(text: str) -> tuple[str | None, bool]:
    """Return the mark that is the decimal one in this number, and whether it can be nothing else."""
    point, comma = Numerals(decimal=".").read(text), Numerals(decimal=",").read(text)
    if point == comma:
        return None, False
    if point is None or comma is None:
        return ("," if point is None else "."), True
    return ("," if "," in text else "."), False


def _two_marks(clear: dict[str, Cell]) -> str:
    point, comma = clear["."], clear[","]
    return (
        f"{comma.place}: found {comma.text!r}, with a comma; but {point.place}: {point.text!r}, with a point. "
        "Write all numbers with the same decimal mark."
    )


def _unclear(cell: Cell) -> str:
    return (
        f"{cell.place}: {cell.text!r} may be a decimal number or one in thousands. "
        "Write it without a mark for thousands, or say which mark is the decimal one: --decimal , or --decimal ."
    )


def percent_suffix(cells: Sequence[Cell], unit: str | None) -> str:
    """Return what follows the numbers of a column, ` %` or nothing; some with and some without is refused."""
    filled = [cell for cell in cells if cell.text]
    signs = [match[0] if (match := PERCENT.search(cell.text)) else "" for cell in filled]
    if unit != "%" and any(signs) and not all(signs):
        bare = filled[signs.index("")]
        raise InvalidInput(
            f"{bare.place}: found {bare.text!r} without '%' where other rows have it. "
            "Write '%' in every row or in none."
        )
    return signs[0] if signs else ""
