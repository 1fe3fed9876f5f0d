import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.campaigns.spreadsheet.numerals import Numerals, find_numerals, percent_suffix
from labwright.campaigns.spreadsheet.sheet import Cell
from labwright.core.errors import InvalidInput


def cells(*texts):
    return [Cell(text=text, place=f"r.csv, line {line}") for line, text in enumerate(texts, start=2)]


@pytest.mark.parametrize(
    ("decimal", "text", "value"),
    [
        (".", "1.5", 1.5),
        (".", "-.5", -0.5),
        (".", "−2", -2.0),
        (".", "1e-3", 0.001),
        (".", "12 %", 12.0),
        (".", "1,234.5", 1234.5),
        (".", "1 234 567", 1234567.0),
        (".", "1'234.5", 1234.5),
        (",", "1,5", 1.5),
        (",", "1.234,5", 1234.5),
        (",", "1,5E+2", 150.0),
        (",", "1\u202f234,5", 1234.5),
    ],
)
def test_numbers_are_read_as_people_write_them(decimal, text, value):
    assert Numerals(decimal=decimal).read(text) == value


@pytest.mark.parametrize(
    "text",
    ["", ".", "nan", "inf", "n/a", "-", "25 degC", "<0.1", "1,23", "12,34.5", "0,123", "1e999", "1.2.3", "1_000"],
)
def test_anything_else_is_no_number(text):
    assert Numerals(decimal=".").read(text) is None


@pytest.mark.parametrize(
    ("texts", "delimiter", "decimal"),
    [
        (["1.5", "2"], ",", "."),
        (["1,5", "2"], ",", ","),
        (["1,5", "2,345"], "\t", ","),
        (["1", "2"], ",", "."),
        (["1", "2"], ";", ","),
        (["1.5"], ";", "."),
        (["1.234"], ";", "."),
        (["1,234"], ";", ","),
        (["1.234"], ",", "."),
        (["1,234,567"], ",", "."),
        (["1.234,5"], "\t", ","),
        (["word", "n/a", ""], ",", "."),
    ],
)
def test_the_decimal_mark_is_found(texts, delimiter, decimal):
    assert find_numerals(cells(*texts), delimiter).decimal == decimal


@pytest.mark.parametrize(
    ("texts", "delimiter"),
    [(["1,234"], ","), (["1,234"], "\t"), (["1.5", "1,234"], ","), (["1,5", "1.234"], ";"), (["1,234", "1.234"], ";")],
)
def test_a_number_that_may_be_a_thousand_times_larger_is_refused(texts, delimiter):
    with pytest.raises(InvalidInput, match=r"r.csv, line \d: '1.234' may be a decimal number or one in thousands"):
        find_numerals(cells(*texts), delimiter)


def test_two_decimal_marks_in_one_table_are_refused():
    with pytest.raises(
        InvalidInput, match=r"line 3: found '2,5', with a comma; but r.csv, line 2: '1.5', with a point"
    ):
        find_numerals(cells("1.5", "2,5"), ";")


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([".", ","]))
def test_a_number_that_is_written_reads_back_the_same(value, decimal):
    numerals = Numerals(decimal=decimal)

    assert numerals.read(numerals.write(value)) == value


def test_a_cell_that_is_no_number_is_named_with_what_was_found():
    with pytest.raises(InvalidInput, match=r"r.csv, line 2: found 'n/a', expected a number. Do this."):
        Numerals(decimal=".").require(cells("n/a")[0], "Do this.")


def test_a_unit_in_a_cell_is_sent_to_the_header():
    with pytest.raises(InvalidInput, match=r"found '25 degC', expected a number. A unit belongs in the header"):
        Numerals(decimal=".").require(cells("25 degC")[0])


def test_percent_signs_stand_in_every_row_or_in_none():
    assert percent_suffix(cells("12 %", "", "3 %"), None) == " %"
    assert percent_suffix(cells("12", "3"), None) == ""
    with pytest.raises(InvalidInput, match=r"line 3: found '0.12' without '%'"):
        percent_suffix(cells("12%", "0.12"), None)


def test_under_a_header_in_percent_the_sign_is_optional():
    assert percent_suffix(cells("12", "3 %"), "%") == ""
