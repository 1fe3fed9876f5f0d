from collections import Counter
from pathlib import Path

import pytest

from labwright.core.command import Command, Failure
from labwright.core.errors import InvalidInput
from labwright.core.recorder import Silent
from labwright.resources.table import TableResource, read_table

ROWS = "x,solvent,y\n" + "".join(f"1,water,{n}\n" for n in range(4)) + "2,oil,9\n"


async def measure(folder: Path, inputs, seed=0, command_id="c", **said):
    options = TableResource.Options(file=Path("data.csv"), seed=seed, **said)
    async with TableResource.open("bench", options, folder) as table:
        command = Command(command_id=command_id, epoch=1, capability="measure", inputs=inputs)
        return await table.run(command, Silent())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data.csv").write_text(ROWS)
    return tmp_path


async def test_the_matching_row_is_measured(folder):
    observation = await measure(folder, {"x": 2, "solvent": "oil"})

    assert observation.values["y"].value == 9


async def test_a_replicate_is_drawn_by_the_seed_and_the_inputs_alone(folder):
    drawn = [(await measure(folder, {"x": 1.0}, seed)).values["y"].value for seed in range(40)]
    again = [(await measure(folder, {"x": 1.0}, seed)).values["y"].value for seed in range(40)]

    assert drawn == again
    assert set(Counter(drawn)) == {0.0, 1.0, 2.0, 3.0}


async def test_replicates_scatter_between_commands_where_that_is_wanted(folder):
    ids = [f"c{i}" for i in range(40)]
    drawn = [(await measure(folder, {"x": 1.0}, command_id=i, scatter=True)).values["y"].value for i in ids]
    again = [(await measure(folder, {"x": 1.0}, command_id=i, scatter=True)).values["y"].value for i in ids]
    without = {(await measure(folder, {"x": 1.0}, command_id=i)).values["y"].value for i in ids}

    assert drawn == again
    assert set(drawn) == {0.0, 1.0, 2.0, 3.0}
    assert len(without) == 1


async def test_a_point_without_a_row_is_a_failure_that_names_it(folder):
    assert await measure(folder, {"x": 3}) == Failure(reason="data.csv has no row with x = 3.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs a header"),
        ("x,y\n", "needs a header and at least one row"),
        ("x,x\n1,2\n", "line 1: each column needs a name of its own"),
        ("x,\n1,2\n", "line 1: each column needs a name of its own"),
        ("x,y\n1,2\n1,2,3\n", "line 3: 3 cells, but the header has 2 columns"),
        ("x,y\n1,inf\n", "line 2: y is 'inf'; a finite number was expected"),
        ("x,y\n1,2\n2,n.d.\n3,4\n", "line 3: y is 'n.d.'; a finite number was expected, as in the other rows"),
        ("x;y\n1;2\n", "separated by ';'"),
        ('x,y\n1,2\n2,"3\n3,4\n', "unexpected end of data"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(tmp_path, text, words):
    (tmp_path / "data.csv").write_text(text)

    with pytest.raises(InvalidInput, match=words):
        read_table(tmp_path / "data.csv")


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "data.csv").write_bytes(b"\xff\xfe\x00\x01")

    with pytest.raises(InvalidInput, match="cannot be read"):
        read_table(tmp_path / "data.csv")


async def test_a_unit_for_a_column_that_is_not_there_is_refused(folder):
    options = TableResource.Options(file=Path("data.csv"), units={"z": "mm"})

    with pytest.raises(InvalidInput, match="no column 'z'"):
        async with TableResource.open("bench", options, folder):
            pass


def test_a_column_of_codes_is_read_as_words_where_told(tmp_path):
    (tmp_path / "data.csv").write_text("code,y\n1,2\n2,3\nX,4\n")

    assert read_table(tmp_path / "data.csv", ["code"])[1] == (("1", 2.0), ("2", 3.0), ("X", 4.0))
