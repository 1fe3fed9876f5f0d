import pytest

from labwright.campaigns.file import parse_campaign
from labwright.campaigns.history import Reading, read_history, read_renamed
from labwright.campaigns.spreadsheet import read_sheet
from labwright.core.errors import InvalidInput
from labwright.core.states import TrialState

CAMPAIGN = """
name: study
space:
  t: {kind: continuous, low: 10, high: 40, unit: degC}
  c: {kind: continuous, low: 0.1, high: 10, log: true}
  solvent: {kind: categorical, levels: [water, ethanol]}
objectives: {y: {goal: minimize, unit: J}}
constraints: {share: {at_least: 0.1, unit: "1"}}
procedure: [{use: bench.measure, with: {t: $t, c: $c, s: $solvent}, gives: {y: $y, share: $p}}]
resources: {bench: {kind: function, call: "math:sqrt", outputs: {y: J}}}
budget: {trials: 3}
"""
HEAD = "t (degF),c,solvent,y [mJ],share,operator\n"


@pytest.fixture
def read(tmp_path):
    campaign = parse_campaign(CAMPAIGN, tmp_path / "campaign.yaml").campaign

    def call(text, *renamed, **how):
        path = tmp_path / "old.csv"
        path.write_text(text)
        reading = Reading(renamed=read_renamed(renamed), **how)
        return read_history(campaign, read_sheet(path), reading, "imported from old.csv")

    return call


def test_rows_are_read_in_the_units_of_the_campaign(read):
    history = read(HEAD + "77,1,water,3200,0.5,ann\n59,2,ethanol,failed,,bob\n")

    first, second = history.earlier
    assert first.proposal.point == {"t": 25.0, "c": 1.0, "solvent": "water"}
    assert first.conclusion.outcomes == {"y": 3.2, "share": 0.5}
    assert (first.proposal.source, first.proposal.reason) == ("imported from old.csv", "line 2")
    assert second.conclusion.state is TrialState.FAILED
    assert history.notes == (
        "No unit is given, so the campaign's is taken: share in 1.",
        "Columns that were not read: operator.",
    )


def test_a_table_with_decimal_commas_and_percent_signs_is_read(read):
    history = read("T (degC);c;Solvent;y (J);share\n25,5;1,5;water;3,2;12 %\n20,5;2;water;3;50 %\n", "T (degC)=t")

    assert history.earlier[0].proposal.point == {"t": 25.5, "c": 1.5, "solvent": "water"}
    assert history.earlier[0].conclusion.outcomes == {"y": 3.2, "share": 0.12}


def test_a_column_of_another_name_is_mapped(read):
    history = read(
        "temp (degC),conc,medium,energy (J),share\n25,1,water,3,1\n",
        *("temp=t", "conc=c", "medium=solvent", "energy=y"),
    )

    assert history.earlier[0].proposal.point == {"t": 25.0, "c": 1.0, "solvent": "water"}


def test_every_wrong_row_is_named_with_its_line_and_none_is_taken(read):
    rows = "77,1,water,3200,0.5,\n\n77,-1,water,3200,0.5,\n770,1,oil,,0.5,\n77,1,water,x,0.5,\n"

    with pytest.raises(InvalidInput) as error:
        read(HEAD + rows)

    assert [line.strip() for line in str(error.value).splitlines()] == [
        "old.csv has 5 problems; nothing was imported.",
        "old.csv, line 4, column 'c': found '-1', expected more than 0: its effect goes by ratios.",
        "old.csv, line 5, column 'solvent': found 'oil', expected one of water, ethanol.",
        "old.csv, line 5, column 'y [mJ]': the cell is empty, expected a number. "
        "Write 'failed' where an experiment gave none.",
        "line 5: t = 410 is not 10 to 40 degC. Leave the row out, or accept such rows: --outside.",
        "old.csv, line 6, column 'y [mJ]': found 'x', expected a number.",
    ]


def test_a_point_outside_the_space_is_taken_only_when_that_is_asked_for(read):
    rows = "770,1,water,3200,0.5,\n"
    with pytest.raises(InvalidInput, match=r"line 2: t = 410 is not 10 to 40 degC"):
        read(HEAD + rows)

    history = read(HEAD + rows, outside=True)

    assert history.earlier[0].proposal.point["t"] == 410.0
    assert history.notes[-1] == (
        "line 2: t = 410 is not 10 to 40 degC: outside the space; it teaches the planner, and is never called the best."
    )


def test_a_word_that_is_no_level_is_refused_even_outside(read):
    with pytest.raises(InvalidInput, match="found 'oil', expected one of water, ethanol"):
        read(HEAD + "77,1,oil,3200,0.5,\n", outside=True)


@pytest.mark.parametrize(
    ("text", "renamed", "found"),
    [
        ("t,c,solvent,y\n", [], r"the outcome 'share' has no column; say which one it is: --map COLUMN=share"),
        ("t (mm),c,solvent,y,share\n", [], r"the column 't \(mm\)': 'mm' cannot be converted to 'degC'"),
        ("t,c,solvent,y,share\n", [], "no row with a result"),
        ("t,c,solvent,y,share\n", ["q=t"], "has no column 'q'"),
        ("t,c,solvent,y,share\n", ["t=heat"], "'heat' is neither a parameter nor an outcome"),
        ("t,c,solvent,y,share\n", ["t"], "expected COLUMN=NAME"),
        ("t (degC),t (K),c,solvent,y,share\n", [], "has no column"),
        ("", [], "is empty"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(read, text, renamed, found):
    with pytest.raises(InvalidInput, match=found):
        read(text, *renamed)


def test_a_row_that_breaks_a_rule_is_outside_the_space_and_context_is_read_where_there_is_some(tmp_path):
    text = CAMPAIGN.replace("share: $p}", "share: $p, damp: $d}").replace(
        "budget", 'rules: [t + 10*c <= 60]\ncontext: {damp: {unit: "%"}, light: {}}\nbudget'
    )
    text = text.replace("damp: $d}", "damp: $d, light: $l}")
    campaign = parse_campaign(text, tmp_path / "campaign.yaml").campaign
    path = tmp_path / "old.csv"
    path.write_text("t,c,solvent,y,share,damp\n25,1,water,3,0.5,40\n25,2,water,3,0.5,\n40,3,water,2,0.5,41\n")

    def read(*, outside):
        return read_history(campaign, read_sheet(path), Reading(renamed={}, outside=outside), "imported from old.csv")

    with pytest.raises(InvalidInput, match=r"line 4: t \+ 10 c = 70 is not at most 60\. Leave the row out"):
        read(outside=False)
    outcomes = [e.conclusion.outcomes for e in read(outside=True).earlier]
    assert outcomes == [{"y": 3, "share": 0.5, "damp": 40}, {"y": 3, "share": 0.5}, {"y": 2, "share": 0.5, "damp": 41}]
