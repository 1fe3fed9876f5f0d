"""Work for people on the command line: from the open task to the record."""

import csv
import json

import pytest

from labwright.core.command import Failure, Measurement
from labwright.core.form import Field
from labwright.core.task import Task
from labwright.storage.campaigns import Campaigns
from labwright.storage.database import Database
from labwright.storage.tasks import Tasks

MASS = Field(name="mass", unit="mg", low=0, high=500)
COLOUR = Field(name="colour", levels=("red", "blue"))


def weigh(t: float, *fields: Field, due_s: float | None = None) -> Task:
    given = {"t": Measurement(value=t, unit="degC"), "vial": Measurement(value="A7")}
    return Task(title="ada.weigh", instructions="Weigh\nthe vial.", given=given, fields=fields or (MASS,), due_s=due_s)


class Desk:
    """A database with three open tasks of one campaign, and the command line."""

    def __init__(self, folder, call) -> None:
        self.folder, self.call = folder, call
        self.database = Database.open(f"sqlite:///{folder}/labwright.db")
        Campaigns(self.database).add("study", "name: study", str(folder))
        self.tasks = Tasks(self.database)
        for number in (1, 2, 3):
            self.put(number, weigh(20.5 + number))

    def put(self, number: int, task: Task, campaign: str = "study"):
        return self.tasks.put(f"{campaign}-{number}", campaign, (number,), "ada", task)

    def sheet(self) -> list[dict[str, str]]:
        code, _, error = self.call("worksheet", "study", "-o", "sheet.csv")
        assert code == 0, error
        with (self.folder / "sheet.csv").open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))

    def fill(self, *changes: dict[str, str], delimiter: str = ",", name: str = "sheet.csv") -> None:
        rows = self.sheet()
        for row, change in zip(rows, changes, strict=False):
            row |= change
        with (self.folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(
                file, list(dict.fromkeys(name for row in rows for name in row)), delimiter=delimiter
            )
            writer.writeheader()
            writer.writerows(rows)

    def record(self, *words: str) -> tuple[int, str, str]:
        return self.call("record", "study", "sheet.csv", *words)

    def masses(self) -> dict[int, object]:
        found = {n: self.tasks.answered(f"study-{n}") for n in (1, 2, 3)}
        return {n: o.reason if isinstance(o, Failure) else o.values["mass"].value for n, o in found.items() if o}


@pytest.fixture
def desk(tmp_path, command_line):
    desk = Desk(tmp_path, command_line)
    yield desk
    desk.database.close()


def test_open_tasks_are_listed_with_what_is_set_and_asked(desk):
    desk.put(4, weigh(9.0, MASS, COLOUR, due_s=0.001))

    code, out, _ = desk.call("tasks")

    assert code == 0
    assert "Task 1: ada.weigh for study, trial 1, since 20" in out
    assert "  Weigh the vial.\n  set: t = 21.5 degC, vial = A7\n  report: mass: 0 to 500 mg\n" in out
    assert "(late)\n" in out
    assert "colour: one of red, blue" in out
    assert out.endswith("For a sheet to fill in: labwright worksheet study\n")


def test_a_stopped_campaign_shows_beside_its_tasks(desk):
    Campaigns(desk.database).change("study", "start")
    Campaigns(desk.database).change("study", "stop")

    assert desk.call("tasks")[1].count("The campaign is stopped: report what was done") == 3
    desk.fill({"mass (mg)": "12"})
    assert desk.record()[0] == 0


def test_tasks_are_listed_for_machines(desk):
    listed = json.loads(desk.call("tasks", "--json")[1])

    assert [task["task"] for task in listed] == [1, 2, 3]
    assert listed[0]["given"]["t"] == {"value": 21.5, "unit": "degC"}
    limits = {"unit": "mg", "low": 0, "high": 500, "levels": None}
    assert listed[0]["fields"] == [{"name": "mass", "kind": "value", **limits, "required": True, "types": []}]
    assert (listed[0]["people"], listed[0]["skill"], listed[0]["signed"]) == ([], None, False)


def test_a_worksheet_has_a_row_for_each_task_and_an_empty_column_for_each_result(desk):
    rows = desk.sheet()

    assert list(rows[0]) == ["task", "trial", "instructions", "t (degC)", "vial", "mass (mg)", "failed", "note"]
    assert list(rows[1].values()) == ["2", "2", "Weigh the vial. [mass: 0 to 500 mg]", "22.5", "A7", "", "", ""]


def test_tasks_of_several_kinds_share_a_sheet(desk):
    desk.put(4, weigh(9.0, COLOUR, Field(name="note", low=0)))
    rows = desk.sheet()

    assert (rows[3]["mass (mg)"], rows[3]["colour"], rows[3]["result note"]) == ("-", "", "")
    assert rows[0]["colour"] == "-"

    desk.fill({}, {}, {}, {"colour": "red", "result note": "3"})
    code, out, error = desk.record()
    assert (code, out.splitlines()[0]) == (0, "Recorded 1 task: 4."), error


def test_without_open_tasks_no_sheet_is_written(desk):
    for number in (1, 2, 3):
        desk.tasks.fail(number, "no balance")

    assert desk.call("worksheet", "study")[1] == "study has no open task; nothing was written.\n"
    assert not (desk.folder / "study-worksheet.csv").exists()
    assert desk.call("tasks")[1] == "No task is open.\n"


def test_a_filled_sheet_is_recorded_with_who_did_it_and_empty_rows_are_skipped(desk):
    desk.fill({"mass (mg)": "12.5", "note": "humid"}, {}, {"failed": "the vial broke"})

    code, out, _ = desk.record("--by", "Ada")

    assert code == 0
    assert out == "Recorded 2 tasks: 1, 3.\nEmpty, skipped: line 3.\n"
    assert desk.masses() == {1: 12.5, 3: "the vial broke"}
    assert (desk.tasks.get(1).by, desk.tasks.get(1).note) == ("Ada", "humid")


def test_columns_that_were_not_read_are_named(desk):
    desk.fill({"mass (mg)": "12"}, {"faild": "it fell"})

    assert desk.record() == (
        0,
        "Recorded 1 task: 1.\nEmpty, skipped: line 3, 4.\nColumns that were not read: faild.\n",
        "",
    )


def test_the_same_sheet_again_says_what_was_recorded_and_changes_nothing(desk):
    desk.fill({"mass (mg)": "12.5"}, {"mass (mg)": "13"})
    desk.record()

    code, out, _ = desk.record()

    assert code == 0
    assert out == "Recorded 0 tasks.\nAlready recorded: 1, 2.\nEmpty, skipped: line 4.\n"


def test_a_recorded_value_that_was_changed_in_the_sheet_is_refused(desk):
    desk.fill({"mass (mg)": "12.5"})
    desk.record()
    text = (desk.folder / "sheet.csv").read_text()
    (desk.folder / "sheet.csv").write_text(text.replace("12.5", "99"))

    code, _, error = desk.record()

    assert code == 2
    assert "sheet.csv, line 2: task 1 (ada.weigh, trial 1) was recorded already" in error
    assert "with other values: mass = 12.5 mg" in error
    assert desk.masses() == {1: 12.5}


def test_one_wrong_row_and_nothing_is_recorded_and_every_problem_has_its_line(desk):
    desk.fill({"mass (mg)": "12"}, {"mass (mg)": "700"}, {"mass (mg)": "heavy", "task": "3"})

    code, _, error = desk.record()

    assert code == 2
    assert "sheet.csv: nothing was recorded." in error
    assert "sheet.csv, line 3: mass is 700; expected 0 to 500 mg." in error
    assert "sheet.csv, line 4, column 'mass (mg)': found 'heavy', expected a number. mass: 0 to 500 mg." in error
    assert desk.masses() == {}


def test_the_valid_rows_alone_are_recorded_where_that_is_wanted(desk):
    desk.fill({"mass (mg)": "12"}, {"mass (mg)": "700"})

    code, out, error = desk.record("--valid-only")

    assert code == 2
    assert "Recorded 1 task: 1." in out
    assert "Not recorded: sheet.csv, line 3: mass is 700" in error
    assert desk.masses() == {1: 12.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "77", "mass (mg)": "1"}, "There is no task 77"),
        ({"task": "one", "mass (mg)": "1"}, "found 'one', expected the number of a task"),
        ({"task": "2", "mass (mg)": "1"}, "task 2 stands in this sheet twice"),
        ({"task": "4", "mass (mg)": "1"}, "belongs to campaign 'other', not to 'study'"),
        ({"note": "later"}, "it has a note, but no value"),
        ({"failed": "broke", "mass (mg)": "1"}, "it has values, and says that it failed"),
    ],
)
def test_rows_that_make_no_sense_are_named(desk, change, words):
    Campaigns(desk.database).add("other", "name: other", "")
    desk.put(4, weigh(1.0), "other")
    desk.fill({}, {"mass (mg)": "1"}, change)

    code, _, error = desk.record()

    assert code == 2
    assert "sheet.csv, line 4" in error
    assert words in error


def test_a_row_whose_set_values_are_not_those_of_its_task_is_refused(desk):
    rows = desk.sheet()
    desk.fill({"mass (mg)": "12"}, {"mass (mg)": "13", "task": "3"}, {"mass (mg)": "14", "task": "2"})

    code, _, error = desk.record()

    assert code == 2
    assert "sheet.csv, line 3, column 't (degC)': found '22.5', expected 23.5 degC, as task 3 (ada.weigh" in error
    assert "sheet.csv, line 4, column 't (degC)': found '23.5', expected 22.5 degC, as task 2 (ada.weigh" in error
    assert "labwright worksheet study -o FILE.csv" in error
    assert "labwright import study TABLE" in error
    assert desk.masses() == {}
    assert [row["t (degC)"] for row in rows] == ["21.5", "22.5", "23.5"]


@pytest.mark.parametrize("vial", ["A8", "", "-"])
def test_a_set_word_that_is_another_or_left_out_is_refused(desk, vial):
    desk.fill({"failed": "broke", "vial": vial})

    code, _, error = desk.record()

    assert (code, desk.masses()) == (2, {})
    assert f"sheet.csv, line 2, column 'vial': found {vial!r}, expected A7, as task 1" in error


@pytest.mark.parametrize("t", ["21.50", "21,5", "21.50000000001", "2.15e1", " 21.5 "])
def test_what_was_set_may_be_written_in_any_way(desk, t):
    desk.fill({"mass (mg)": "12", "t (degC)": t})

    assert desk.record()[0] == 0
    assert desk.masses() == {1: 12.0}


@pytest.mark.parametrize(("shown", "code"), [("0.0012345679", 0), ("0.00123457", 0), ("0.00123", 2), ("0.00123458", 2)])
def test_what_was_set_may_have_as_many_digits_as_a_spreadsheet_shows(desk, shown, code):
    desk.put(4, weigh(0.0012345678912345))
    desk.fill({}, {}, {}, {"mass (mg)": "12", "t (degC)": shown})

    assert desk.record()[0] == code


def test_what_was_set_may_stand_in_another_unit(desk):
    desk.fill({"mass (mg)": "12", "t (degC)": "294.65"}, {"t (degC)": "295.65"}, {"t (degC)": "296.65"})
    text = (desk.folder / "sheet.csv").read_text().replace("t (degC)", "t (K)")
    (desk.folder / "sheet.csv").write_text(text)

    assert desk.record()[0] == 0
    assert desk.masses() == {1: 12.0}


def test_a_sheet_without_the_columns_of_what_was_set_is_recorded_by_its_task_numbers(desk):
    (desk.folder / "sheet.csv").write_text("task,mass (mg)\n3,14\n1,12\n")

    assert desk.record()[0] == 0
    assert desk.masses() == {1: 12.0, 3: 14.0}


def test_what_was_set_is_not_mistaken_for_a_result_of_the_same_name(desk):
    given = {"mass": Measurement(value=5.0, unit="mg"), "note": Measurement(value="cold")}
    desk.put(4, Task(title="ada.dry", instructions="Dry it.", given=given, fields=(MASS,)))
    assert desk.sheet()[3]["set mass (mg)"] == "5"
    desk.fill({}, {}, {}, {"mass (mg)": "4"})
    assert desk.record()[0] == 0

    desk.put(5, Task(title="ada.dry", instructions="Dry it.", given=given, fields=(MASS,)))
    (desk.folder / "sheet.csv").unlink()
    desk.fill({}, {}, {}, {"mass (mg)": "4", "set mass (mg)": "6"})
    code, _, error = desk.record()
    assert code == 2
    assert "column 'set mass (mg)': found '6', expected 5 mg, as task 5" in error


def test_decimal_commas_and_another_unit_in_the_header_are_understood(desk):
    desk.fill({"mass (mg)": "0,25"}, {"mass (mg)": "0,1"}, delimiter=";")
    text = (desk.folder / "sheet.csv").read_text().replace("mass (mg)", "mass (g)")
    (desk.folder / "sheet.csv").write_text(text)

    code, _, error = desk.record()

    assert code == 0, error
    assert desk.masses() == {1: pytest.approx(250), 2: pytest.approx(100)}


def test_a_number_that_may_be_read_in_two_ways_is_asked_about(desk):
    desk.fill({"mass (mg)": "1,234"})

    code, _, error = desk.record()
    assert (code, "--decimal ," in error) == (2, True)

    code, _, _ = desk.record("--decimal", ",")
    assert code == 0
    assert desk.masses() == {1: 1.234}


def test_a_filled_sheet_is_never_written_over(desk):
    desk.fill({"mass (mg)": "12"})

    code, _, error = desk.call("worksheet", "study", "-o", "sheet.csv")
    assert code == 2
    assert "may be filled in" in error

    (desk.folder / "other.csv").write_text("a,b\n1,2\n")
    code, _, error = desk.call("worksheet", "study", "-o", "other.csv")
    assert code == 2
    assert "is no worksheet" in error


def test_an_unfilled_sheet_is_written_anew(desk):
    desk.sheet()
    desk.tasks.fail(1, "no balance")

    assert [row["task"] for row in desk.sheet()] == ["2", "3"]


@pytest.mark.parametrize("words", [("worksheet", "nobody"), ("record", "nobody", "sheet.csv")])
def test_an_unknown_campaign_is_named(desk, words):
    code, _, error = desk.call(*words)

    assert code == 2
    assert "No campaign named 'nobody'" in error
