import pytest

from labwright.campaigns.spreadsheet import check_free, next_to, read_sheet, write_sheet
from labwright.core.errors import InvalidInput


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("T,yield\n20,1\n")
    return path


def test_the_next_experiments_go_beside_the_table(source):
    assert next_to(source).name == "results-next.csv"
    assert next_to(source.with_suffix(".tsv")).name == "results-next.tsv"
    assert next_to(source.with_suffix(".xlsm")).name == "results-next.xlsx"


def test_the_table_itself_is_never_written_over(source):
    (source.parent / "link.csv").hardlink_to(source)

    for path in (source, source.parent / "link.csv"):
        with pytest.raises(InvalidInput, match="is the table itself"):
            check_free(path, source, ["yield"])


def test_an_unfilled_suggestion_may_be_replaced(source):
    next_to(source).write_text("T,yield\n30,\n40,\n")

    check_free(next_to(source), source, ["yield"])


@pytest.mark.parametrize("content", ["T,yield\n30,\n40,7\n", "my diary\n", "", "T\n30\n"])
def test_anything_else_is_kept(source, content):
    next_to(source).write_text(content)

    with pytest.raises(InvalidInput, match="holds more than an unfilled suggestion"):
        check_free(next_to(source), source, ["yield"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"none.csv: the file cannot be read \(No such file"):
        read_sheet(tmp_path / "none.csv")


def test_a_format_of_another_program_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(InvalidInput, match=r"Save the table as .xlsx or .csv"):
        read_sheet(tmp_path / "r.ods")


def test_a_text_file_has_no_sheets(source):
    with pytest.raises(InvalidInput, match="is a text file and has no sheets"):
        read_sheet(source, "Sheet1")


def test_a_folder_that_is_not_there_is_named_and_nothing_is_left_behind(source):
    with pytest.raises(InvalidInput, match="the file cannot be written"):
        write_sheet(source.parent / "none" / "r.csv", read_sheet(source))

    assert [p.name for p in source.parent.iterdir()] == ["results.csv"]
