import pytest
from hypothesis import given
from hypothesis import strategies as st

from labwright.campaigns.spreadsheet.delimited import read_delimited, write_delimited
from labwright.campaigns.spreadsheet.sheet import Dialect, Row, Sheet
from labwright.core.errors import InvalidInput
from labwright.core.heading import read_headings

WORDS = st.text(st.characters(codec="cp1252", exclude_categories=["C", "Z"]), min_size=1, max_size=6)
TABLES = st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=5)


def cells(text, encoding="utf-8"):
    return [row.cells for row in read_delimited(text.encode(encoding), "r.csv").rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter):
    assert cells(delimiter.join("ab") + "\n" + delimiter.join("12")) == [("1", "2")]


def test_decimal_commas_do_not_make_the_comma_a_delimiter():
    assert cells("T;yield\n20,5;3,1\n30,5;4,1\n") == [("20,5", "3,1"), ("30,5", "4,1")]


def test_a_comma_in_a_header_does_not_make_it_a_delimiter():
    assert cells("T, inside;p, outside\n20,5;1\n") == [("20,5", "1")]


def test_the_line_that_names_the_separator_is_obeyed():
    sheet = read_delimited(b"sep=;\r\na;b\r\n1;2\r\n", "r.csv")

    assert sheet.rows == (Row(line=3, cells=("1", "2")),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_the_encoding_is_found(encoding):
    sheet = read_delimited("T (°C),µ\n1,2\n".encode(encoding), "r.csv")

    assert [h.text for h in sheet.headings] == ["T (°C)", "µ"]
    assert sheet.dialect.encoding == encoding


def test_blank_lines_and_empty_columns_at_the_end_do_not_count():
    assert cells("a,b,,\n\n1,2,,\n,,,\n3\n\n") == [("1", "2"), ("3", "")]


def test_quoted_cells_may_hold_delimiters_and_line_ends():
    sheet = read_delimited(b'a,b\n"x, y","one\ntwo"\n3,4\n', "r.csv")

    assert [(row.line, row.cells) for row in sheet.rows] == [(2, ("x, y", "one\ntwo")), (4, ("3", "4"))]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "r.csv is empty"),
        (b"\n\n", "r.csv is empty"),
        (b";;\n\t", "r.csv is empty"),
        (b"a,b\n1,5,2\n", "line 2: 3 cells, but the header has 2"),
        (b'a,b\n1,ok\n2,"open\n3,x\n4,y\n', "line 3: .* Is a quote not closed"),
        (b"PK\x03\x04\x00\x00\x00", "not a text file"),
    ],
)
def test_what_is_no_table_is_refused(data, message):
    with pytest.raises(InvalidInput, match=message):
        read_delimited(data, "r.csv")


@given(
    table=TABLES,
    delimiter=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read_back_the_same(table, delimiter, encoding, newline):
    dialect = Dialect(delimiter=delimiter, encoding=encoding, newline=newline)
    headings = read_headings(["T (°C)", "p, q; r", "yield"], "r.csv")
    rows = tuple(Row(line=line, cells=cells) for line, cells in enumerate(table, start=2))
    written = Sheet(name="r.csv", headings=headings, rows=rows, dialect=dialect)

    again = read_delimited(write_delimited(written), "r.csv")

    assert [row.cells for row in again.rows] == table
    assert again.headings == headings


def test_a_letter_that_the_encoding_lacks_is_refused():
    sheet = read_delimited("a,µ\n1,2\n".encode("cp1252"), "r.csv")
    sheet = Sheet(name="r.csv", headings=sheet.headings, rows=(Row(line=2, cells=("Ω", "1")),), dialect=sheet.dialect)

    with pytest.raises(InvalidInput, match="cp1252, which has no 'Ω'"):
        write_delimited(sheet)
