import pytest

from labwright.campaigns.spreadsheet.sheet import Dialect, Sheet
from labwright.core.errors import InvalidInput
from labwright.core.heading import read_headings


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
