"""The spreadsheet way: the next experiments for a table, without a database."""

from labwright.campaigns.spreadsheet.files import check_free, next_to, read_sheet, write_sheet
from labwright.campaigns.spreadsheet.question import Question
from labwright.campaigns.spreadsheet.sheet import Sheet
from labwright.campaigns.spreadsheet.suggestion import Table, as_sheet, propose, understand

__all__ = [
    "Question",
    "Sheet",
    "Table",
    "as_sheet",
    "check_free",
    "next_to",
    "propose",
    "read_sheet",
    "understand",
    "write_sheet",
]
