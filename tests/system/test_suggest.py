"""`labwright suggest`, as a person calls it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from labwright.cli.main import main

LABWRIGHT = Path(sys.executable).with_name("labwright")
TABLE = "T (degC);time / min;solvent;yield (%);notes\r\n20,5;10;DMF;12,1;ok\r\n60;30;THF;40,2;\r\n80;20;DMF;failed;\r\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "results.csv").write_bytes(TABLE.encode("utf-8-sig"))
    return tmp_path


@pytest.fixture
def labwright(folder, monkeypatch, capsys):
    """Call the command line in this process, from that folder: exit code, what it printed, what it complained of."""

    def labwright(*words):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["labwright", "suggest", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return labwright


def test_the_next_experiments_are_printed_and_written_beside_the_table(folder):
    command = [Path(sys.executable).with_name("labwright"), "suggest", "results.csv", "--goal", "maximize:yield"]

    done = subprocess.run(
        [*command, "--count", "4", "--ignore", "notes"], cwd=folder, capture_output=True, text=True, timeout=60
    )

    written = (folder / "results-next.csv").read_bytes().decode("utf-8-sig").split("\r\n")
    assert done.returncode == 0, done.stderr
    assert "Best so far: yield = 40,2 %, in line 3." in done.stdout
    assert "T: 20.5 to 80 degC, as in results.csv" in done.stdout
    assert written[0] == TABLE.split("\r\n")[0]
    assert len(written) == 6
    assert all(line.split(";")[0] in done.stdout and line.endswith(";;") for line in written[1:5])
    assert (folder / "results.csv").read_bytes() == TABLE.encode("utf-8-sig")


def test_with_json_nothing_else_is_printed(labwright):
    code, printed, complained = labwright(
        "results.csv", "--goal", "maximize:yield", "--ignore", "notes", "--range", "T=290:360 K", "--json"
    )

    said = json.loads(printed)
    assert (code, complained) == (0, "")
    assert said["file"] == "results-next.csv"
    assert set(said["experiments"][0]["point"]) == {"T", "time", "solvent"}
    assert 16.85 <= said["experiments"][0]["point"]["T"] <= 86.85


PLAIN = "T (degC),solvent,yield\n" + "".join(
    f"{20 + 10 * n},{'DMF' if n % 2 else 'THF'},{10 + 9 * n}\n" for n in range(6)
)


def test_why_each_was_chosen_is_said_below_the_table_by_the_lines_of_the_file(folder, labwright):
    (folder / "plain.csv").write_text(PLAIN)
    ask = ["plain.csv", "--goal", "maximize:yield", "--count", "2"]

    _, printed, _ = labwright(*ask, "--why")
    _, said, _ = labwright(*ask, "--json")

    reasons = [one["reason"] for one in json.loads(said)["experiments"]]
    assert all(f"\n{n}. {reason}\n" in printed for n, reason in enumerate(reasons, start=1))
    assert "best so far 55 in line 7; " in reasons[0]
    assert "; as line " in reasons[0]
    assert reasons[0] not in labwright(*ask)[1]


def test_what_is_expected_is_written_alike_in_the_table_and_in_the_reason(folder, labwright):
    (folder / "plain.csv").write_text(PLAIN)

    _, printed, _ = labwright("plain.csv", "--goal", "maximize:yield", "--why")

    (expected,) = re.findall(r"yield expected (\S+ ± [0-9.]+)", printed)
    assert f" {expected} " in printed.partition("1. ")[0]


def test_an_experiment_at_the_end_of_a_range_says_how_to_widen_it(folder, labwright):
    (folder / "plain.csv").write_text(PLAIN)

    _, printed, _ = labwright("plain.csv", "--goal", "maximize:yield", "--count", "4")

    assert "T = 70 is the highest allowed. If more is possible: --range T=20:HIGH" in printed
    assert "is the lowest allowed" not in printed


def test_a_first_design_says_nothing_of_the_ends_of_ranges(folder, labwright):
    (folder / "plan.csv").write_text("T,yield\n")

    _, printed, _ = labwright("plan.csv", "--goal", "maximize:yield", "--count", "5", "--range", "T=0:1")

    assert "allowed" not in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.csv", "--goal", "maximize:yield"], "none.csv: the file cannot be read"),
        (["results.csv"], "Say what is wanted: --goal"),
        (["results.csv", "--goal", "maximize:yeild"], "no column 'yeild'. Columns found: 'T (degC)'"),
        (["results.csv", "--goal", "maximize:yield"], "line 3, column 'notes': the cell is empty"),
        (["results.csv", "--goal", "maximize:yield", "--ignore", "notes", "--range", "T=1:2 mm"], "another dimension"),
        (
            ["results.csv", "--goal", "maximize:yield", "--ignore", "notes", "--range", "T=0:1e-150"],
            "T: a range from 0.0 to 1e-150 cannot be computed with",
        ),
        (
            ["results.csv", "--goal", "maximize:yield", "--ignore", "notes", "--levels", "T=1,nan"],
            "--levels T=1,nan: found 'nan'",
        ),
        (
            ["results.csv", "--goal", "maximize:yield", "--ignore", "notes", "--out", "results.csv"],
            "is the table itself",
        ),
    ],
)
def test_what_does_not_fit_is_one_clear_error_and_nothing_is_written(folder, labwright, words, message):
    code, _, complained = labwright(*words)

    assert code == 2
    assert message in complained
    assert [p.name for p in folder.iterdir()] == ["results.csv"]


def test_results_written_into_a_suggestion_are_never_lost(folder, labwright):
    ask = ["results.csv", "--goal", "maximize:yield", "--ignore", "notes"]
    labwright(*ask)
    suggestion = folder / "results-next.csv"
    suggestion.write_text(suggestion.read_text("utf-8-sig").replace(";;", ";50,3;"), "utf-8-sig")

    code, _, complained = labwright(*ask)

    assert code == 2
    assert "holds more than an unfilled suggestion" in complained
    assert ";50,3;" in suggestion.read_text("utf-8-sig")


def test_a_workbook_is_answered_with_a_workbook(folder, labwright):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [["T (degC)", "n", "yield (%)"], [20.5, 6, 12], [80, 8, 40], [50, 6, None]]:
        book.active.append(row)
    book.save(folder / "results.xlsx")

    code, *_ = labwright("results.xlsx", "--goal", "maximize:yield", "--levels", "n=6,8,10", "--count", "2")

    rows = list(openpyxl.load_workbook(folder / "results-next.xlsx").active.iter_rows(values_only=True))
    assert code == 0
    assert rows[0] == ("T (degC)", "n", "yield (%)")
    assert all(20.5 <= t <= 80 and n in (6, 8, 10) and outcome is None for t, n, outcome in rows[1:])
    assert len(rows) == 3


POOL = """name;T (degC);time;solvent;price
A;20,5;10;DMF;1
B;55,25;15;THF;2
C;70;20;EtOH;3
C2;70;20;EtOH;4
D;80;30;DMF;5
"""


@pytest.fixture
def pool(folder):
    (folder / "results.csv").write_text(TABLE.replace("notes", "name"), "utf-8-sig")
    (folder / "pool.csv").write_text(POOL)
    return folder / "pool.csv"


ASK = ["results.csv", "--goal", "maximize:yield", "--ignore", "name", "--pool", "pool.csv"]


def test_of_a_pool_only_its_rows_are_suggested_each_once_with_its_name(folder, pool, labwright):
    code, printed, complained = labwright(*ASK, "--count", "9")

    _, *rows = (folder / "results-next.csv").read_text("utf-8-sig").splitlines()
    assert (code, complained) == (0, "")
    assert sorted(row.rpartition(";")[2] for row in rows) == ["B", "C", "D"]  # A was tried
    assert sorted(rows)[0] == "55,25;15;THF;;B"
    assert "pool.csv: 5 possible experiments." in printed
    assert "pool.csv: not used: 'price'." in printed


def test_fewer_experiments_than_were_asked_for_are_told(pool, labwright):
    said = "3 instead of 9: of pool.csv nothing else is left to try."

    assert said in labwright(*ASK, "--count", "9")[1]
    assert said in json.loads(labwright(*ASK, "--count", "9", "--json")[1])["notes"]
    assert "instead of" not in labwright(*ASK, "--count", "3")[1]


def test_a_pool_in_another_unit_is_converted(folder, pool, labwright):
    plain = labwright(*ASK, "--count", "9", "--json")[1]
    kelvin = {"T (degC)": "T (K)", "20,5": "293,65", "55,25": "328,4", "70;": "343,15;", "80;": "353,15;"}
    for found, wanted in kelvin.items():
        pool.write_text(pool.read_text().replace(found, wanted))

    converted = labwright(*ASK, "--count", "9", "--json")[1]

    assert json.loads(converted)["experiments"] == json.loads(plain)["experiments"]
    assert "pool.csv: 'T (K)' is converted: 20.5 to 80 degC." in json.loads(converted)["notes"]


def test_a_suggestion_from_a_pool_is_replaced_the_next_time(pool, labwright):
    labwright(*ASK)

    assert labwright(*ASK)[0] == 0


def test_a_pool_may_be_a_workbook(folder, pool, labwright):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [["T", "time", "solvent"], [25, 10, "THF"], [35, 20, "EtOH"]]:
        book.active.append(row)
    book.save(folder / "pool.xlsx")

    _, printed, _ = labwright(*ASK[:-1], "pool.xlsx", "--count", "5", "--json")

    points = [e["point"] for e in json.loads(printed)["experiments"]]
    assert {(p["T"], p["time"], p["solvent"]) for p in points} == {(25, 10, "THF"), (35, 20, "EtOH")}


@pytest.mark.parametrize(
    ("old", "new", "words", "message"),
    [
        ("solvent;", "base;", [], "pool.csv has no column 'solvent', which is a setting in results.csv"),
        (";THF;", ";;", [], "pool.csv, line 3, column 'solvent': the cell is empty. A candidate needs a value"),
        (";55,25;", ";inf;", [], "pool.csv, line 3, column 'T (degC)': found 'inf', expected a number"),
        (";55,25;", ";warm;", [], "pool.csv, line 3, column 'T (degC)': found 'warm', expected a number"),
        ("T (degC)", "T (mm)", [], "pool.csv, column 'T (mm)': 'mm' cannot be converted to 'degC': another dimension"),
        ("A;20,5;10;DMF;1", "A;20,5;10;DMF;1;x", [], "pool.csv, line 2: 6 cells, but the header has 5"),
        (POOL.partition("\n")[2], "", [], "pool.csv has no row below its header"),
        ("", "", ["--range", "T=1:2"], "--range T: with --pool only its rows are possible"),
        ("", "", ["--levels", "solvent=DMF"], "--levels solvent: with --pool only its rows are possible"),
    ],
)
def test_what_does_not_fit_in_a_pool_is_named_with_its_place(pool, labwright, old, new, words, message):
    pool.write_text(POOL.replace(old, new, 1) if old else POOL)

    code, _, complained = labwright(*ASK, *words)

    assert code == 2
    assert message in " ".join(complained.split())
