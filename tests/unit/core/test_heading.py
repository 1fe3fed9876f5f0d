import pytest

from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.heading import check_same_unit, read_headings, split_headings


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


def test_names_that_differ_in_case_only_are_refused_where_a_person_reads_and_kept_where_a_program_does():
    with pytest.raises(InvalidInput, match="'T' stands more than once"):
        read_headings(["T", "t"], "r.csv")
    assert [h.name for h in split_headings(["T", "t"])] == ["T", "t"]


@pytest.mark.parametrize(("declared", "title"), [(None, "T (K)"), ("K", "T"), ("K", "T (kelvin)"), ("wt%", "x (wt%)")])
def test_a_unit_fits_its_column_where_either_says_none_or_both_the_same(declared, title):
    (heading,) = split_headings([title])

    check_same_unit("T", declared, heading)


def test_another_unit_than_that_of_the_column_is_refused():
    (heading,) = split_headings(["T (K)"])

    with pytest.raises(InvalidUnit, match=r"T is in 'degC', but the column is 'T \(K\)'. Give it in 'K'"):
        check_same_unit("T", "degC", heading)
