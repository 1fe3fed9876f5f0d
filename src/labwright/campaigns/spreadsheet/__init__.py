"""The spreadsheet way: the next experiments for a table, without a database."""

from labwright.campaigns.spreadsheet.candidates import read_candidates
from labwright.campaigns.spreadsheet.files import check_free, next_to, read_sheet, write_sheet
from labwright.campaigns.spreadsheet.numerals import Numerals, find_numerals, percent_suffix
from labwright.campaigns.spreadsheet.question import Question
from labwright.campaigns.spreadsheet.sheet import Cell, Row, Sheet
from labwright.campaigns.spreadsheet.suggestion import Table, as_sheet, propose, remarks, understand
from labwright.core.heading import Heading

__all__ = [
    "Cell",
    "Heading",
    "Numerals",
    "Question",
    "Row",
    "Sheet",
    "Table",
    "as_sheet",
    "check_free",
    "find_numerals",
    "next_to",
    "percent_suffix",
    "propose",
    "read_candidates",
    "read_sheet",
    "remarks",
    "understand",
    "write_sheet",
]
