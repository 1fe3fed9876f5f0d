import pytest

from labwright.campaigns.spreadsheet.sheet import Dialect, Sheet
from labwright.core.errors import InvalidInput
from labwright.core.heading import read_headings


@pytest.mark.parametrize(
    ("text", "name", "unit"),
    [
        ("T (degC)", "T", "degC"),
        ("T [degC]", "T", "degC"),
        ("T / degC", "T", "degC"),
        ("c / (mol/(L s))", "c", "mol/(L s)"),
        ("c(mol/L)", "c", "mol/L"),
        ("Reaction  time (h)", "Reaction time", "h"),
        ("T (set) (degC)", "T (set)", "degC"),
        ("Pd/C", "Pd/C", None),
        ("(x)", "(x)", None),
        ("x)", "x)", None),
        ("x ()", "x ()", None),
        ("yield", "yield", None),
    ],
)
def test_a_header_gives_a_name_and_a_unit(text, name, unit):
    (heading,) = read_headings([text], "r.csv")

    assert (heading.name, heading.unit) == (name, unit)


def test_a_name_that_stands_twice_keeps_its_unit():
    headings = read_headings(["T (degC)", "T (K)"], "r.csv")

    assert [h.name for h in headings] == ["T (degC)", "T (K)"]


def test_two_equal_headers_are_refused():
    with pytest.raises(InvalidInput, match="'Yield' stands more than once"):
        read_headings(["Yield", "T", "yield"], "r.csv")


def test_a_column_without_a_header_is_refused():
    with pytest.raises(InvalidInput, match="column 2 has cells but no header"):
        read_headings(["T", "", "yield"], "r.csv")


@pytest.mark.parametrize("name", ["T (degC)", "T", "t", "t (DEGC)"])
def test_a_column_is_found_with_or_without_its_unit_in_any_case(name):
    assert sheet("T (degC)", "yield").find(name, "--goal").index == 0


def test_the_exact_name_wins_over_one_in_another_case():
    assert sheet("T (degC)", "t (h)").find("t", "--range").index == 1


def test_a_missing_column_is_named_with_the_columns_found():
    with pytest.raises(
        InvalidInput, match=r"--goal maximize:x: r.csv has no column 'x'. Columns found: 'T', 'yield'\."
    ):
        sheet("T", "yield").find("x", "--goal maximize:x")


def sheet(*headers):
    return Sheet(name="r.csv", headings=read_headings(headers, "r.csv"), rows=(), dialect=Dialect())
