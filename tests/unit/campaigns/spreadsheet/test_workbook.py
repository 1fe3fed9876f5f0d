import importlib
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labwright.campaigns.spreadsheet import read_sheet, write_sheet
from labwright.campaigns.spreadsheet.sheet import Dialect, Row, Sheet
from labwright.core.errors import InvalidInput, MissingExtra
from labwright.core.heading import read_headings

openpyxl = pytest.importorskip("openpyxl")

# Excel keeps 15 significant digits.
EXCEL_NUMBERS = st.floats(allow_nan=False, allow_infinity=False, max_value=1e300).map(lambda x: float(f"{x:.15g}"))


def save(path, *rows, title="Sheet1"):
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_a_workbook_is_read_with_its_rows_numbered_as_in_excel(tmp_path):
    path = save(tmp_path / "r.xlsx", [], ["T (degC)", "solvent", None], [20.5, "DMF"], [], [30, " THF ", None])

    sheet = read_sheet(path)

    assert [h.name for h in sheet.headings] == ["T", "solvent"]
    assert [(row.line, row.cells) for row in sheet.rows] == [(3, ("20.5", "DMF")), (5, ("30", "THF"))]


def test_percentages_are_read_as_they_are_shown(tmp_path):
    path = save(tmp_path / "r.xlsx", ["conversion"], [0.07])
    book = openpyxl.load_workbook(path)
    book.active["A2"].number_format = "0%"
    book.save(path)

    assert read_sheet(path).rows[0].cells == ("7%",)


def test_dates_and_truths_are_read_as_words(tmp_path):
    path = save(tmp_path / "r.xlsx", ["day", "stirred"], [date(2026, 5, 1), True])

    assert read_sheet(path).rows[0].cells == ("2026-05-01T00:00:00", "TRUE")


def test_a_sheet_is_chosen_by_its_title(tmp_path):
    path = save(tmp_path / "r.xlsx", ["a"], [1], title="First")
    book = openpyxl.load_workbook(path)
    book.create_sheet("Second").append(["b"])
    book.save(path)

    assert read_sheet(path).headings[0].name == "a"
    assert read_sheet(path, "Second").headings[0].name == "b"
    with pytest.raises(InvalidInput, match=r"no sheet 'Third'. Sheets found: 'First', 'Second'"):
        read_sheet(path, "Third")


def test_a_formula_without_its_value_is_refused(tmp_path):
    path = save(tmp_path / "r.xlsx", ["a", "b"], [1, "=A2*2"])

    with pytest.raises(InvalidInput, match="cell B2: a formula without its value"):
        read_sheet(path)


def test_a_file_that_is_no_workbook_is_refused(tmp_path):
    path = tmp_path / "r.xlsx"
    path.write_text("a,b\n1,2\n")

    with pytest.raises(InvalidInput, match=r"r.xlsx is not an Excel workbook"):
        read_sheet(path)


def test_without_openpyxl_the_extra_is_named(tmp_path, monkeypatch):
    path = save(tmp_path / "r.xlsx", ["a"], [1])

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)

    with pytest.raises(MissingExtra, match=r"\.\[excel\]"):
        read_sheet(path)


def test_what_looks_like_a_formula_is_written_as_a_word(tmp_path):
    write(tmp_path / "r.xlsx", [("=1+1",)])

    assert openpyxl.load_workbook(tmp_path / "r.xlsx").active["A2"].data_type == "s"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(EXCEL_NUMBERS), min_size=1, max_size=5))
def test_numbers_that_are_written_are_read_back_the_same(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("book") / "r.xlsx"

    write(path, [(repr(x),) for (x,) in numbers])

    assert [(float(row.cells[0]),) for row in read_sheet(path).rows] == numbers


def write(path, rows):
    headings = read_headings(["x"], path.name)
    rows = tuple(Row(line=line, cells=cells) for line, cells in enumerate(rows, start=2))
    write_sheet(path, Sheet(name=path.name, headings=headings, rows=rows, dialect=Dialect()))
