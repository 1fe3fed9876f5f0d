"""The next experiments for a table that a program holds."""

import datetime
import json
import re
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest

from labwright.core.belief import Belief
from labwright.core.errors import InvalidInput, InvalidUnit, PoolExhausted
from labwright.core.problem import Goal, Objective, Problem
from labwright.core.restriction import Composition
from labwright.core.space import Categorical, Continuous, Pool, Space
from labwright.planning import suggest

ROWS = [
    {"T": 20.5, "solvent": "DMF", "yield": 12.1},
    {"T": 60, "solvent": "THF", "yield": 40.2},
    {"T": 80, "solvent": "DMF", "yield": 31},
    {"T": 40, "solvent": "THF", "yield": 25.5},
    {"T": 30, "solvent": "DMF", "yield": 18.0},
    {"T": 75, "solvent": "THF", "yield": None},
]
SPACE = {"T": (20, 80), "solvent": ["DMF", "THF"]}
ASKED = {"objective": "maximize yield", "space": SPACE, "count": 3, "seed": 7}


def columns_of(rows):
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


def made(kind, rows):
    """Return rows as a table of a kind; a kind that is not installed skips the test."""
    if kind == "rows":
        return [dict(row) for row in rows]
    if kind == "columns":
        return columns_of(rows)
    library = pytest.importorskip(kind, reason=f"{kind} is not installed")
    return library.DataFrame(columns_of(rows))


def points(answer, *names):
    """Return the settings of each row of an answer, whatever its kind."""
    columns = columns_of(answer) if isinstance(answer, list) else answer
    return list(zip(*(list(columns[name]) for name in names or ("T", "solvent")), strict=True))


X = Continuous(name="x", low=0, high=1)
KINDS = ("rows", "columns", "pandas", "polars")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gets_the_same_experiments_in_its_own_kind(kind):
    table = made(kind, ROWS)

    answer = suggest(table, **ASKED)

    assert type(answer) is type(table)
    assert points(answer) == points(suggest(ROWS, **ASKED))
    names = answer[0] if kind == "rows" else answer if kind == "columns" else answer.columns
    assert list(names) == ["T", "solvent", "yield", "yield mean", "yield sd", "reason"]


def test_the_command_line_gives_the_same_experiments(tmp_path):
    lines = [",".join("" if v is None else str(v) for v in row.values()) for row in ROWS]
    (tmp_path / "r.csv").write_text("\n".join(["T,solvent,yield", *lines]))
    words = ["suggest", "r.csv", "--goal", "maximize:yield", "--range", "T=20:80", "--levels", "solvent=DMF,THF"]

    done = subprocess.run(
        [sys.executable, "-m", "labwright", *words, "--count", "3", "--seed", "7", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip

    found = [(e["point"]["T"], e["point"]["solvent"]) for e in json.loads(done.stdout)["experiments"]]
    assert found == points(suggest(ROWS, **ASKED))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_suggested_can_be_added_as_it_is_and_is_not_suggested_again(kind):
    table, seen = made(kind, ROWS), []

    for _ in range(3):
        answer = suggest(table, **ASKED)
        seen += points(answer)
        table = added(kind, table, answer)

    assert len(set(seen)) == 9
    assert not set(seen) & {(row["T"], row["solvent"]) for row in ROWS}


def added(kind, table, answer):
    if kind == "rows":
        return table + answer
    if kind == "columns":
        size = len(table["T"])
        return {name: [*table.get(name, [None] * size), *answer[name]] for name in answer}
    if kind == "pandas":
        return pytest.importorskip("pandas").concat([table, answer])
    return pytest.importorskip("polars").concat([table, answer], how="diagonal_relaxed")


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_table_gets_a_first_design(kind):
    answer = suggest(made(kind, []), **ASKED)

    assert points(answer) == points(suggest([], **ASKED))
    assert len(points(answer)) == 3


def test_without_a_result_a_data_frame_still_has_columns_of_numbers():
    for kind in ("pandas", "polars"):
        answer = suggest(made(kind, []), **ASKED)

        assert str(answer["yield"].dtype).lower() == "float64"
        assert str(answer["yield mean"].dtype).lower() == "float64"


@pytest.mark.parametrize("gap", [None, float("nan"), np.nan, np.float32("nan"), "", "  "])
def test_every_way_to_leave_a_cell_empty_is_a_result_still_to_come(gap):
    assert suggest([*ROWS[:5], ROWS[5] | {"yield": gap}], **ASKED) == suggest(ROWS, **ASKED)


def test_a_gap_of_pandas_is_a_result_still_to_come():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(ROWS).astype({"yield": "Float64", "T": "Float64", "solvent": "category"})

    assert points(suggest(table, **ASKED)) == points(suggest(ROWS, **ASKED))


def test_a_category_of_polars_is_a_word():
    polars = pytest.importorskip("polars")
    table = polars.DataFrame(columns_of(ROWS)).with_columns(polars.col("solvent").cast(polars.Categorical))

    assert points(suggest(table, **ASKED)) == points(suggest(ROWS, **ASKED))


@pytest.mark.parametrize("kind", [float, np.float64, Decimal, str, lambda n: int(n) if n == int(n) else n])
def test_numbers_of_every_kind_are_the_same_numbers(kind):
    rows = [
        {"T": kind(r["T"]), "solvent": r["solvent"], "yield": None if r["yield"] is None else kind(r["yield"])}
        for r in ROWS
    ]

    assert suggest(rows, **ASKED) == suggest(ROWS, **ASKED)


def test_arrays_may_be_columns():
    columns = columns_of(ROWS)
    table = {
        "T": np.array(columns["T"]),
        "solvent": columns["solvent"],
        "yield": np.array(columns["yield"], dtype=float),
    }

    assert suggest(table, **ASKED) == suggest(columns, **ASKED)


def test_the_word_failed_is_learnt_from_as_such():
    rows = [*ROWS, {"T": 78, "solvent": "THF", "yield": "Failed"}, {"T": 79, "solvent": "THF", "yield": "failed"}]

    answer = suggest(rows, **ASKED)

    assert "gives a result with probability" in answer[0]["reason"]


def test_a_row_that_says_nothing_is_no_experiment():
    blank = {"T": None, "solvent": None, "yield": None}

    assert suggest([*ROWS, blank], **ASKED) == suggest(ROWS, **ASKED)


def test_names_that_differ_in_case_are_two_columns():
    rows = [{"T": 20 + 10 * n, "t": n, "yield": n} for n in range(6)]

    (answer,) = suggest(rows, "maximize yield", {"T": (20, 80), "t": (0, 6)})

    assert 20 <= answer["T"] <= 80
    assert 0 <= answer["t"] <= 6


def test_columns_that_nobody_asked_for_do_not_matter():
    rows = [row | {"note": datetime.date(2026, 1, 1), "lot": None} for row in ROWS]

    assert suggest(rows, **ASKED) == suggest(ROWS, **ASKED)


def test_a_row_with_a_word_that_is_no_level_is_left_out_with_a_warning():
    with pytest.warns(
        UserWarning, match=r"Row 6 of the table is not used: solvent = EtOH is not one of DMF, THF"
    ) as told:
        answer = suggest([*ROWS, {"T": 50, "solvent": "EtOH", "yield": 90}], **ASKED)

    assert answer == suggest(ROWS, **ASKED)
    assert told[0].filename == __file__


def test_a_reason_counts_the_rows_of_the_table_and_rounds_as_the_answer_does():
    (answer,) = suggest([*ROWS, {"T": 50, "solvent": "THF", "yield": 33}], "maximize yield", SPACE)

    assert "best so far 40.2 in row 1; " in answer["reason"]
    assert f"→ {answer['T']}" in answer["reason"]
    assert re.search(r"; as row [0-6], but ", answer["reason"])


def test_fewer_rows_than_were_asked_for_come_with_a_warning_at_the_line_that_asked():
    pool = [{"T": 20.5, "solvent": "DMF"}, {"T": 33, "solvent": "THF"}, {"T": 44, "solvent": "DMF"}]

    with pytest.warns(
        UserWarning, match="Only 2 rows instead of 3: of what may be chosen nothing else is left"
    ) as told:
        answer = suggest(ROWS, "maximize yield", pool=pool, count=3)

    assert {row["T"] for row in answer} == {33, 44}
    assert told[0].filename == __file__


def test_a_unit_in_the_title_of_a_column_is_heeded_and_the_title_kept():
    rows = [{"T (degC)": r["T"], "solvent": r["solvent"], "yield (%)": r["yield"]} for r in ROWS]
    plain = suggest(ROWS, **ASKED)

    celsius = suggest(rows, **ASKED | {"space": SPACE | {"T": (20, 80, "degC")}})
    kelvin = suggest(rows, **ASKED | {"space": SPACE | {"T": (293.15, 353.15, "K")}})

    assert list(celsius[0]) == ["T (degC)", "solvent", "yield (%)", "yield (%) mean", "yield (%) sd", "reason"]
    assert points(celsius, "T (degC)", "solvent") == points(plain)
    assert points(kelvin, "T (degC)", "solvent") == points(plain)
    with pytest.raises(InvalidUnit, match=r"T is in 'K', but the column is 'T \(degC\)'. Give it in 'degC'"):
        suggest(rows, "maximize yield", Space(parameters=(Continuous(name="T", low=293, high=353, unit="K"),)))


def test_a_pool_in_another_unit_than_the_table_is_refused_by_the_name_of_its_column():
    rows, pool = [{"T (degC)": 20 + n, "yield": n} for n in range(3)], [{"T (K)": 300}, {"T (K)": 310}]

    with pytest.raises(InvalidUnit, match=r"The pool's 'T \(K\)' is in 'K', but the column is 'T \(degC\)'\."):
        suggest(rows, "maximize yield", pool=pool)
    with pytest.raises(InvalidUnit, match=r"In the pool, T is in 'degC', but the column is 'T \(K\)'\."):
        suggest(rows, "maximize yield", {"T": (20, 80)}, pool=pool)


def test_true_and_false_may_be_levels():
    rows = [{"stirred": n % 2 == 0, "T": 20 + n, "yield": n} for n in range(6)]

    answer = suggest(rows, "maximize yield", {"stirred": [True, False], "T": (20, 80)}, count=4)

    assert {type(row["stirred"]) for row in answer} == {bool}


def test_levels_that_are_numbers_stay_among_themselves():
    answer = suggest([], "minimize cost", {"n": [6, 8, 10], "t": range(1, 4)}, count=6)

    assert {type(row["n"]) for row in answer} == {int}
    assert {row["n"] for row in answer} <= {6, 8, 10}
    assert {row["t"] for row in answer} <= {1, 2, 3}


def test_two_levels_with_results_between_them_look_like_a_range_and_a_warning_says_so():
    with pytest.warns(
        UserWarning, match=r"space\['T'\]: only 20 and 80 may be chosen, .* A range is written \(20, 80\)"
    ) as told:
        (answer,) = suggest(ROWS, "maximize yield", {"T": [20, 80]})

    assert answer["T"] in (20, 80)
    assert told[0].filename == __file__


def test_a_result_must_keep_its_constraints():
    rows = [{"T": t, "yield": t, "purity": 100 - t} for t in (20, 30, 40, 50, 60, 70, 80)]

    answer = suggest(rows, "maximize yield", {"T": (20, 80)}, constraints=["purity >= 55", "purity <= 99 "])

    assert 40 <= answer[0]["T"] <= 50
    assert answer[0]["purity"] is None and answer[0]["purity mean"] is not None


def test_several_objectives_are_a_front_and_a_target_is_matched():
    rows = [{"x": x / 10, "a": x, "b": -x} for x in range(8)]

    front = suggest(rows, ["maximize a", "minimize b"], {"x": (0, 1)})
    match = suggest(rows, "match a = 3.5", {"x": (0, 1)})

    assert front[0]["reason"].startswith("to improve the front")
    assert 0.3 < match[0]["x"] < 0.4


def test_a_problem_says_all_of_it_with_core_values():
    space = Space(
        parameters=tuple(Continuous(name=name, low=0, high=1) for name in "abc"),
        compositions=(Composition(name="mix", parts=("a", "b", "c")),),
    )
    problem = Problem(space=space, objectives=(Objective(name="y", goal=Goal.MAXIMIZE),))
    rows = [{"a": a, "b": round(1 - a, 6), "c": 0.0, "y": a * (1 - a)} for a in (0.1, 0.2, 0.4, 0.6, 0.9)]

    answer = suggest(rows, problem=problem, count=4)

    assert all(abs(row["a"] + row["b"] + row["c"] - 1) < 1e-9 for row in answer)


def test_beliefs_move_the_first_design():
    near = suggest([], "maximize y", {"x": (0, 100)}, beliefs=[Belief(parameter="x", near=90, within=1)])

    assert near[0]["x"] > 80


POOL = [{"name": f"m{n}", "T": 20 + 2 * (n % 30), "solvent": ("DMF", "THF", "EtOH")[n % 3]} for n in range(90)]


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_pool_only_its_rows_are_suggested_with_what_else_they_hold(kind):
    history = [{"T": 20 + 4 * n, "solvent": "DMF", "yield": n} for n in range(6)] + ROWS[5:]

    answer = suggest(history, "maximize yield", pool=made(kind, POOL), count=3)

    assert list(answer[0]) == ["T", "solvent", "name", "yield", "yield mean", "yield sd", "reason"]
    found = [(row["name"], row["T"], row["solvent"]) for row in answer]
    assert set(found) <= {(row["name"], row["T"], row["solvent"]) for row in POOL}
    assert all((t, s) not in {(row["T"], row["solvent"]) for row in history} for _, t, s in found)


def test_a_pool_with_the_same_row_twice_offers_it_once():
    pool = {"T": [20, 20, 40, 40], "solvent": ["DMF"] * 2 + ["THF"] * 2}

    answer = suggest([], "maximize yield", pool=pool, count=2)

    assert sorted(points(answer)) == [(20, "DMF"), (40, "THF")]
    with pytest.raises(PoolExhausted):
        suggest(answer, "maximize yield", pool=pool)


def test_a_space_says_which_columns_of_a_pool_are_settings():
    answer = suggest([], "maximize yield", {"T": (0, 100)}, pool=POOL)

    assert list(answer[0])[:3] == ["T", "name", "solvent"]


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ({"T": [20, None], "solvent": ["DMF", "THF"]}, r"the pool, row 1, column 'T': the cell is empty"),
        ({"T": np.array([20, np.nan]), "solvent": ["DMF", "THF"]}, r"the pool, row 1, column 'T': the cell is empty"),
        ({"T": [20, float("inf")], "solvent": ["DMF", "THF"]}, r"row 1, column 'T': found inf, expected a finite"),
        ({"T": [20, "hot"], "solvent": ["DMF", "THF"]}, r"row 1, column 'T': found 'hot', expected a finite number"),
        ({"T": [20, 90], "solvent": ["DMF", "THF"]}, r"row 1, column 'T': found 90, but T is 20 to 80"),
        ({"T": [20, 30], "solvent": ["DMF", "THX"]}, r"row 1, column 'solvent': found THX, but solvent is one of"),
        ({"T": [20, 30], "solvent": ["DMF", None]}, r"row 1, column 'solvent': the cell is empty"),
        ({"T": [20, 30]}, r"pool: the pool has no column 'solvent'. Columns found: 'T'"),
        ({"T": [20, 30], "solvent": ["DMF"]}, r"the pool has columns of different length"),
    ],
)
def test_what_does_not_fit_in_a_pool_is_named_with_its_place(pool, message):
    with pytest.raises(InvalidInput, match=message):
        suggest(ROWS, "maximize yield", SPACE, pool=pool)


def test_a_column_of_names_is_no_setting():
    with pytest.raises(InvalidInput, match=r"'name' has another word for each candidate .* Leave the column out"):
        suggest([], "maximize yield", pool=POOL)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([ROWS[0] | {"T": None}], r"the table, row 0, column 'T': the cell is empty, expected a value"),
        ([ROWS[0] | {"T": "hot"}], r"row 0, column 'T': found 'hot', expected a finite number"),
        ([ROWS[0] | {"yield": "n/a"}], r"column 'yield': found 'n/a', .* write 'failed'"),
        ([ROWS[0] | {"yield": True}], r"column 'yield': found True, expected a finite number"),
        ([ROWS[0] | {"yield": "1_0"}], r"column 'yield': found '1_0', expected a finite number"),
        ([ROWS[0] | {"yield": float("inf")}], r"column 'yield': found inf, expected a finite number"),
        ([ROWS[0] | {"T": datetime.datetime(2026, 1, 2)}], r"found 2026-01-02 .*\(datetime\).* A date is nothing"),
        ([ROWS[0] | {"T": np.datetime64("2026-01-02", "ns")}], r"found 2026-01-02.*\(datetime64\).* A date is nothing"),
        ([ROWS[0] | {"solvent": ["DMF"]}], r"found \['DMF'\] \(list\), expected a number or a word"),
        ([{"T": 20, "solvent": "DMF", "yeild": 3}], r"objective 'maximize yield': .* Columns found: 'T', .* 'yeild'"),
        ([{"T": 20, "yield": 3}], r"space\['solvent'\]: the table has no column 'solvent'"),
        ([{1: 20}], r"the table has a column named 1, expected a text. Rename it"),
        ({"T": 20}, r"the table, column 'T': found 20, expected the cells of a column"),
        ({"T": "abc"}, r"the table, column 'T': found 'abc', expected the cells of a column"),
        (3, r"the table: found int, expected a pandas or polars DataFrame, a list of dicts"),
        ("results.csv", r"the table: found str, expected a pandas or polars DataFrame"),
    ],
)
def test_what_does_not_fit_in_a_table_is_named_with_its_place(table, message):
    with pytest.raises(InvalidInput, match=message):
        suggest(table, **ASKED)


def test_a_column_that_stands_twice_or_holds_dates_is_refused_in_a_data_frame():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(ROWS)
    twice = pandas.concat([table, table[["T"]]], axis=1)

    with pytest.raises(InvalidInput, match=r"the table has more than one column named 'T'"):
        suggest(twice, **ASKED)
    with pytest.raises(InvalidInput, match=r"row 0, column 'T': found 2026-01-01 .* A date is nothing"):
        suggest(table.assign(T=pandas.Timestamp("2026-01-01")), **ASKED)


def test_a_lazy_frame_is_asked_for_its_rows():
    polars = pytest.importorskip("polars")

    with pytest.raises(InvalidInput, match=r"LazyFrame, which holds no rows yet. Give it after .collect\(\)"):
        suggest(polars.LazyFrame(columns_of(ROWS)), **ASKED)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"objective": "more yield"}, r"objective 'more yield': expected 'maximize COLUMN'"),
        ({"objective": "match yield 7"}, r"expected 'match COLUMN = TARGET'"),
        ({"objective": None}, "Say what is wanted"),
        ({"objective": ["maximize yield", "minimize yield"]}, "each column can be wanted once"),
        ({"objective": "maximize T"}, "'T' cannot be both a setting and a result"),
        ({"space": None}, "Say what may be chosen: space="),
        ({"space": {"T": "20:80"}}, r"space\['T'\]: found '20:80', expected a range \(20, 80\)"),
        ({"space": {"T": {"low": 20, "high": 80}}}, r"space\['T'\]: found \{'low': 20, 'high': 80\}, expected a range"),
        ({"space": [Continuous(name="T", low=0, high=1)]}, "space: found list, expected a dict"),
        ({"objective": Problem(space=Space(parameters=(X,)), objectives=())}, "Give it by its name"),
        ({"space": {"T": (20, 80, 90)}}, r"A tuple is a range, a list holds levels"),
        ({"space": {"T": (80, 20)}}, "low 80.0 and high 20.0 must be finite, and low below high"),
        ({"space": {"T": Categorical(name="t", levels=("a",))}}, "is a parameter named 't'. Give it the same name"),
        ({"constraints": "yield over 3"}, "expected 'COLUMN >= LEAST' or 'COLUMN <= MOST'"),
        ({"count": 0}, "count: found 0, expected a whole number, at least 1"),
        ({"seed": 1.5}, "seed: found 1.5, expected a whole number"),
        ({"problem": object()}, "problem: found <object object at .*, expected a labwright Problem"),
        ({"problem": Problem(space=Space(parameters=(X,)), objectives=())}, "Give `problem`, or objective, space"),
    ],
)
def test_what_is_asked_wrongly_is_one_clear_error(asked, message):
    with pytest.raises(InvalidInput, match=message):
        suggest(ROWS, **ASKED | asked)


def test_a_setting_is_never_named_as_what_an_answer_adds():
    for name in ("reason", "y mean"):
        with pytest.raises(InvalidInput, match=f"'{name}' has the name of one that an answer has besides. Rename it"):
            suggest([], "maximize y", {name: (0, 1)})


def test_neither_pandas_nor_polars_nor_numpy_is_loaded_by_the_import():
    code = (
        "import sys, labwright.planning; print([n for n in ('numpy', 'pandas', 'polars', 'scipy') if n in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"


def test_of_very_many_results_some_thousands_teach_and_all_count_as_tried():
    levels = [round(0.001 * n, 3) for n in range(3000)]
    rows = [{"x": x, "y": -((x - 1.5) ** 2)} for x in levels if x != 0.7]

    (answer,) = suggest(rows, "maximize y", pool={"x": levels})

    assert answer["x"] == 0.7


def test_the_pool_of_a_problem_holds():
    space = Space(parameters=(Continuous(name="x", low=0, high=1),), pool=Pool(columns={"x": [0.25, 0.75]}))
    problem = Problem(space=space, objectives=(Objective(name="y", goal=Goal.MINIMIZE),))

    assert {row["x"] for row in suggest([], problem=problem, count=2)} == {0.25, 0.75}
