import pytest

from labwright.campaigns.spreadsheet import Question, as_sheet, propose, read_sheet, understand, write_sheet
from labwright.core.errors import InvalidInput
from labwright.core.space import Categorical, Continuous, Discrete
from labwright.core.states import TrialState
from labwright.core.trial import Proposal
from labwright.planning.gp import GaussianProcessPlanner


class Fixed:
    """A planner that always proposes the same points."""

    def __init__(self, *points):
        self.points = points
        self.history = self.pending = ()

    def propose(self, problem, history, pending, count, *, seed):
        self.history, self.pending = history, pending
        return [Proposal(point=point, source="fixed", reason="") for point in self.points[:count]]


@pytest.fixture
def read(tmp_path):
    """Save a table and read it in the light of a question."""

    def read(text, goals=("maximize:yield",), *, name="r.csv", decimal=None, **options):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return understand(read_sheet(path), Question(goals=goals, **options), decimal=decimal)

    return read


def parameters(table):
    return table.problem.space.parameters


def test_ranges_and_levels_are_taken_from_the_table_and_said(read):
    table = read("T (degC),solvent,yield\n20,THF,1\n80,DMF,2\n")

    assert parameters(table) == (
        Continuous(name="T", low=20, high=80, unit="degC"),
        Categorical(name="solvent", levels=("DMF", "THF")),
    )
    assert table.notes == (
        "T: 20 to 80 degC, as in r.csv.",
        "solvent: one of DMF, THF, as in r.csv.",
        "To try anything else: --range COLUMN=LOW:HIGH, or --levels COLUMN=A,B,C.",
    )


def test_what_is_asked_for_is_taken(read):
    table = read("T,n,s,yield\n20,6,A,1\n80,8,B,2\n", ranges=("T=0:100",), levels=("n=12,6,8", "s=A,B,C"))

    assert parameters(table) == (
        Continuous(name="T", low=0, high=100),
        Discrete(name="n", values=(6, 8, 12)),
        Categorical(name="s", levels=("A", "B", "C")),
    )
    assert table.notes == ("T: 0 to 100, as asked.",)


def test_a_range_in_another_unit_is_said_as_it_was_converted(read):
    table = read("T (degC),yield\n20,1\n80,2\n", ranges=("T=290:370 K",))

    assert table.notes == ("T: 16.85 to 96.85 degC, as asked.",)


def test_rows_are_observed_still_to_come_or_failed(read):
    table = read("T,yield,note\n20,1.5,\n40,,x\n60,Failed,\n,,only a remark\n80,2,\n", ignored=("note",))

    assert [(t.number, t.state, dict(t.outcomes)) for t in table.trials] == [
        (2, TrialState.OBSERVED, {"yield": 1.5}),
        (3, TrialState.RUNNING, {}),
        (4, TrialState.FAILED, {}),
        (6, TrialState.OBSERVED, {"yield": 2.0}),
    ]
    assert table.summary == (
        "r.csv: 2 with results, 1 still to come, 1 failed.",
        "Best so far: yield = 2, in line 6.",
    )


def test_the_planner_sees_ended_rows_as_history_and_open_ones_as_pending(read):
    table, planner = read("T,yield\n20,1\n40,\n60,failed\n"), Fixed({"T": 30.0})

    propose(table, planner, 1, seed=0)

    assert [t.number for t in planner.history] == [2, 4]
    assert [t.number for t in planner.pending] == [3]


def test_a_row_that_lacks_one_of_two_results_is_still_to_come(read):
    table = read("T,yield,purity\n20,1,\n40,2,90\n", at_least=("purity=80",))

    assert [t.state for t in table.trials] == [TrialState.RUNNING, TrialState.OBSERVED]
    assert "Line 2 has no purity yet; it is taken as still to come." in table.notes


def test_a_row_outside_the_range_still_teaches(read):
    table = read("T,yield\n20,1\n90,2\n", ranges=("T=20:80",))

    assert [t.point for t in table.trials] == [{"T": 20}, {"T": 90}]
    assert table.notes == (
        "T: 20 to 80, as asked.",
        "Line 3 lies outside what may be chosen (T = 90); it is learnt from.",
    )


def test_of_many_rows_outside_the_range_three_are_named_and_the_others_counted(read):
    table = read("T,yield\n" + "".join(f"{t},1\n" for t in range(20, 100, 10)), ranges=("T=20:40",))

    assert [note.partition(" (")[0] for note in table.notes[1:]] == [
        "Line 5 lies outside what may be chosen",
        "Line 6 lies outside what may be chosen",
        "Line 7 lies outside what may be chosen",
        "2 more lines lie outside what may be chosen; they are learnt from as well.",
    ]


def test_a_word_that_stands_once_and_is_nearly_another_is_told(read):
    rows = "".join(f"{20 + n},{word},1\n" for n, word in enumerate(("THF", "THF", "THFF", "DMF", "EtOH", "MeOH")))
    said = "Line 4 has the only 'THFF' in 'solvent', nearly 'THF'. If it is a slip, mend it."

    assert [note for note in read(f"T,solvent,yield\n{rows}").notes if "nearly" in note] == [said]
    named = read(f"T,solvent,yield\n{rows}", levels=("solvent=THF,THFF,DMF,EtOH,MeOH",))
    assert not [note for note in named.notes if "nearly" in note]


def test_words_that_differ_in_a_number_are_no_slips(read):
    rows = "".join(f"{20 + n},{word},1\n" for n, word in enumerate(("ligand-1", "ligand-1", "ligand-2")))

    assert not [note for note in read(f"T,ligand,yield\n{rows}").notes if "nearly" in note]


def test_a_row_with_a_word_outside_the_levels_is_not_used_and_said(read):
    table = read("s,T,yield\nA,1,1\nC,2,2\n", levels=("s=A,B",))

    assert [t.number for t in table.trials] == [2]
    assert "Line 3 is not used: s = C is not one of A, B." in table.notes


def test_a_column_with_one_value_is_held_and_written_again(read):
    table = read("T;p (bar);gas;yield\n20;1,5;N2;1\n40;1,5;N2;2\n")

    sheet = as_sheet(table, propose(table, Fixed({"T": 30.0}), 1, seed=0), "r-next.csv")

    assert sheet.rows[0].cells == ("30", "1,5", "N2", "")
    assert "p: 1.5 bar in every row, so it stays there." in table.notes


def test_numbers_are_rounded_to_a_thousandth_of_the_range(read):
    table = read("T,yield\n20,1\n80,2\n")

    (proposal,) = propose(table, Fixed({"T": 45.67894}), 1, seed=0)

    assert proposal.point == {"T": 45.68}


def test_rounding_never_repeats_a_row(read):
    table = read("T,yield\n20,1\n45.68,\n80,2\n")

    (proposal,) = propose(table, Fixed({"T": 45.67894}), 1, seed=0)

    assert proposal.point == {"T": 45.67894}


def test_rounding_stays_within_the_range(read):
    table = read("T,yield\n20.004,1\n80.004,2\n")

    first, last = propose(table, Fixed({"T": 20.004}, {"T": 80.004}), 2, seed=0)

    assert (first.point["T"], last.point["T"]) == (20.004, 80.0)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("T (degC);yield;note\n20,5;1,5;\n80;2;\n", "45,5;;"),
        ("yield\tT\n1.5\t20.5\n2\t80\n", "\t45.5"),
        ('T,yield\n"20,5","1,5"\n80,2\n', '"45,5",'),
        ("conversion,T,yield\n12 %,20.5,1\n30 %,80,2\n", "20.5 %,45.5,"),
    ],
)
def test_the_suggestion_is_written_as_the_table_is(read, tmp_path, text, row):
    table = read(text, ignored=("note",) if "note" in text else ())
    point = {"T": 45.5, **({"conversion": 20.5} if "conversion" in text else {})}

    write_sheet(tmp_path / "next.csv", as_sheet(table, propose(table, Fixed(point), 1, seed=0), "next.csv"))

    assert (tmp_path / "next.csv").read_text() == f"{text.splitlines()[0]}\n{row}\n"


def test_a_text_table_can_be_answered_in_a_workbook_and_back(read, tmp_path):
    table = read("T (°C);p;yield\n20,5;1,5;1\n80;1,5;2\n")
    write_sheet(tmp_path / "next.xlsx", as_sheet(table, propose(table, Fixed({"T": 45.5}), 1, seed=0), "next.xlsx"))

    book = read_sheet(tmp_path / "next.xlsx")
    again = understand(book, Question(goals=("maximize:yield",), ranges=("T=20:80",), levels=("p=1.5,2",)))
    sheet = as_sheet(again, propose(again, Fixed({"T": 46.5, "p": 2.0}), 1, seed=0), "next.csv")

    assert book.rows[0].cells == ("45.5", "1.5", "")
    assert again.trials[0].point == {"T": 45.5, "p": 1.5}
    assert (sheet.dialect.delimiter, sheet.rows[0].cells) == (",", ("46.5", "2", ""))


@pytest.mark.parametrize("text", ["T,s,yield\n", "T,s,yield\n,,\n"])
def test_a_table_without_rows_gets_a_first_design(read, text):
    table = read(text, ranges=("T=20:80",), levels=("s=A,B",))

    proposals = propose(table, GaussianProcessPlanner(), 3, seed=1)

    assert proposals[0].point["T"] == 50
    assert len({tuple(p.point.items()) for p in proposals}) == 3
    assert table.summary[1] == "No result yet: this is a first design."


def test_every_column_that_nobody_described_is_named_at_once(read):
    with pytest.raises(InvalidInput, match=r"no value in 'Reaction time', 's'. .*--range 'Reaction time=LOW:HIGH'"):
        read("T,Reaction time (h),s,yield\n", ranges=("T=20:80",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("T,yield\n20,1\nwarm,2\n40,3\n", r"r.csv, line 3, column 'T': found 'warm', expected a number"),
        (
            "T,yield\n20,1\n30,n/a\n",
            r"line 3, column 'yield': found 'n/a', expected a number. Leave it empty .*'failed'",
        ),
        ("T,yield\n20,1\n30,nan\n", r"line 3, column 'yield': found 'nan'"),
        ("T,yield\n20,1\n30,-\n", r"line 3, column 'yield': found '-'"),
        ("T,yield\n20,1\n30,inf\n", r"line 3, column 'yield': found 'inf'"),
        ("T,yield\n20,1\n30,1_0\n", r"line 3, column 'yield': found '1_0', expected a number. A number has no '_'"),
        ("T,yield\n20,1\n1_0,2\n", r"line 3, column 'T': found '1_0', expected a number. A number has no '_'"),
        ("T,yield\n20,1\n1e150,2\n", r"T: a range from 20.0 to 1e\+150 cannot be computed with"),
        ("T,yield\n20,1\n30,<0.1\n", r"line 3, column 'yield': found '<0.1'"),
        ("T,p,yield\n20,1,1\n30,2,2\n,3,3\n", r"line 4, column 'T': the cell is empty, expected a number"),
        ("s,T,yield\nA,1,1\nB,2,2\n,3,3\n", r"line 4, column 's': the cell is empty, expected a value. .*--ignore"),
        ("T,p,yield\n1,3,1\n4,,1\n", r"line 3, column 'p': the cell is empty, expected a value. .*--ignore"),
        ("run,T,yield\n1,20,1\n2,40,2\n3,50,1\n4,50,1\n", r"'run' counts the rows.*--ignore run"),
        ("day,T,yield\n2026-05-01,20,1\n2026-05-02,40,2\n", r"'day' has dates.*--ignore day"),
        ("note,T,yield\na,1,1\nb,2,2\nc,3,1\nd,5,1\n", r"'note' has another word in every row.*--ignore note"),
        ("s,T,yield\nDMF,1,1\ndmf,2,2\n", r"line 3, column 's': found 'dmf', but 'DMF' at r.csv, line 2"),
        ("T,p,yield\n20,1,1\n", r"nothing varies. Columns that could, with one value each: T, p"),
        ("yield\n1\n", r"nothing varies.*none"),
        ("c,yield\n12 %,1\n0.12,2\n", r"line 3, column 'c': found '0.12' without '%'"),
        ("T;yield\n1.234;1,5\n2;1\n", r"line 2, column 'T': '1.234' may be a decimal number or one in thousands"),
    ],
)
def test_a_table_that_does_not_fit_names_the_place(read, text, message):
    with pytest.raises(InvalidInput, match=message):
        read(text)


def test_of_more_rows_than_can_be_learnt_from_it_is_said_which_are_and_unused_ones_do_not_count(read):
    rows = ["T,yield,note", *(f"{n % 7},{n}," for n in range(2000)), ",,left out"]

    few, many = (read("\n".join(text), ignored=("note",)) for text in (rows, [*rows, "1,1,"]))

    assert not any("learnt from" in note for note in few.notes)
    assert many.notes[-1].startswith("r.csv: of 2,001 lines that can be used 2,000 are learnt from")


def test_the_decimal_mark_can_be_said_where_it_is_not_clear(read):
    text = 'T,yield\n"1,234",1\n"2,345",2\n'

    assert parameters(read(text, decimal=","))[0] == Continuous(name="T", low=1.234, high=2.345)
    assert parameters(read(text, decimal="."))[0] == Continuous(name="T", low=1234, high=2345)
    with pytest.raises(InvalidInput, match="--decimal ;: expected"):
        read(text, decimal=";")


def test_remarks_with_other_decimal_marks_do_not_matter_when_ignored(read):
    table = read("T;yield;note\n20,5;1;0.5\n30;2;\n", ignored=("note",))

    assert table.numerals.decimal == ","


def test_with_several_goals_the_front_is_told_and_improved(read):
    rows = "".join(f"{t},{t},{t * t}\n" for t in (20, 30, 40, 60)) + "50,10,9000\n"
    table = read("T,yield,cost\n" + rows, goals=("maximize:yield", "minimize:cost"))

    (proposal,) = propose(table, GaussianProcessPlanner(GaussianProcessPlanner.Options(initial=1)), 1, seed=1)

    assert table.summary[1:] == (
        "On the front so far, none better than another in everything: 4.",
        "  yield = 60, cost = 3600, in line 5",
        "  yield = 40, cost = 1600, in line 4",
        "  yield = 30, cost = 900, in line 3",
        "  yield = 20, cost = 400, in line 2",
    )
    assert proposal.reason.startswith("to improve the front: yield expected")


def test_of_a_large_front_the_first_are_told(read):
    rows = "".join(f"{t},{t},{t}\n" for t in range(20, 34))

    summary = read("T,yield,cost\n" + rows, goals=("maximize:yield", "minimize:cost")).summary

    assert summary[-1] == "  and 4 more"
    assert len(summary) == 13


def test_nothing_is_called_best_that_breaks_a_limit(read):
    table = read("T,yield,cost\n20,1,3\n40,2,4\n", at_most=("cost=1",))

    assert table.summary[1] == "Nothing meets all conditions yet."


def test_the_same_table_and_seed_give_the_same_experiments(read):
    table = read("T,s,yield\n20,A,1\n40,B,2\n60,A,5\n80,B,1\n30,A,2\n")

    first, again = (propose(table, GaussianProcessPlanner(), 2, seed=3) for _ in range(2))

    assert [p.point for p in first] == [p.point for p in again]


def test_a_pure_choice_of_words_never_repeats_a_row(read):
    table = read("s,b,yield\nA,x,1\nA,y,2\nB,x,5\n")

    assert [p.point for p in propose(table, GaussianProcessPlanner(), 4, seed=0)] == [{"s": "B", "b": "y"}]


def test_asking_and_filling_in_finds_the_best_experiment(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("T (degC);time (h);solvent;yield (%)\n")
    question = Question(goals=("maximize:yield",), ranges=("T=20:80", "time=1:10"), levels=("solvent=DMF,THF",))

    for seed in range(8):
        table = understand(read_sheet(path), question)
        answer = as_sheet(table, propose(table, GaussianProcessPlanner(), 3, seed=seed), "next.csv")
        lines = [";".join([*row.cells[:3], measured(row.cells)]) for row in answer.rows]
        path.write_text(path.read_text() + "\n".join(lines) + "\n")

    trials = understand(read_sheet(path), question).trials
    assert len(trials) == 24
    assert max(t.outcomes["yield"] for t in trials) > 88


def measured(cells):
    """A reaction that is best, at 90 %, in THF at 62 degC after 4 h."""
    temperature, hours = (float(cell.replace(",", ".")) for cell in cells[:2])
    bonus = 10 if cells[2] == "THF" else 0
    value = 80 + bonus - ((temperature - 62) / 6) ** 2 - (hours - 4) ** 2
    return f"{value:.2f}".replace(".", ",")
