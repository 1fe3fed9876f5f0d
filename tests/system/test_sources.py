"""Sources of a campaign file: an earlier campaign, a table and a function, as a person meets them."""

import json
import sqlite3
from contextlib import closing

import pytest

BENCH = """\
def react(temperature, solvent):
    worth = {"water": 40, "ethanol": 70, "hexane": 20}[solvent]
    return {"yield": worth - (temperature - 62) ** 2 / 40}

def older(temperature, solvent):
    return {"yield": react(temperature + 2, solvent)["yield"] / 2 + 3}

def predict(point):
    return older(**point)

def shouted(point):
    return {"Yield": 12}

def broken(point):
    raise RuntimeError("no licence")
"""
CAMPAIGN = """\
name: {name}
space:
  temperature: {{kind: continuous, low: 20, high: 100, unit: degC}}
  solvent: {{kind: categorical, levels: [water, ethanol, hexane]}}
objectives: {{yield: {{goal: maximize, unit: "%"}}}}
procedure: [{{use: bench.{call}, with: {{temperature: $temperature, solvent: $solvent}}, gives: {{yield: $yield}}}}]
resources: {{bench: {{kind: function, call: "bench.py:{call}", outputs: {{yield: "%"}}, repeatable: true}}}}
budget: {{trials: {trials}}}
planner: {{kind: {planner}, seed: 1}}
"""
TABLE = "temperature (K),solvent,yield,remark\n" + "".join(
    f"{273.15 + t},{solvent},{worth - (t - 60) ** 2 / 40},fine\n"
    for t in (25, 40, 55, 70, 90)
    for solvent, worth in (("water", 40), ("ethanol", 70), ("hexane", 20), ("toluene", 50))
)


@pytest.fixture
def lab(command_line, tmp_path):
    (tmp_path / "bench.py").write_text(BENCH)
    (tmp_path / "earlier.csv").write_text(TABLE)
    (tmp_path / "unnamed.csv").write_text(TABLE.replace("temperature", "T"))

    def call(*words, expected=0):
        code, out, err = command_line(*words)
        assert code == expected, err
        return out + err

    def write(name="new", call="react", trials=7, planner="gp", sources=""):
        text = CAMPAIGN.format(name=name, call=call, trials=trials, planner=planner)
        (tmp_path / f"{name}.yaml").write_text(text + (f"sources: {{{sources}}}\n" if sources else ""))
        return f"{name}.yaml"

    call.write, call.folder = write, tmp_path
    return call


def test_an_earlier_campaign_says_where_to_begin_and_is_weighed(lab):
    lab("run", lab.write("old", call="older", trials=20, planner="sampling"))

    ended = lab("run", lab.write(sources="bench: {campaign: old}"))

    assert "where bench expects the best" in lab("show", "new/1")
    assert "Of what the model expected last, this much followed its sources: bench (" in ended
    assert "how much it counted: bench " in lab("show", "new/7")
    assert "followed its sources: bench (" in lab("show", "new")


def test_a_table_in_other_units_is_a_source_and_words_that_are_no_level_are_told_and_left_out(lab):
    said = lab("run", lab.write(sources="notes: {table: earlier.csv}"))

    assert "Of the source notes 5 of 20 answers are left out, as the first of them: solvent is 'toluene'" in said
    best = json.loads(lab("show", "new/1", "--json"))["proposal"]["point"]
    assert best["solvent"] == "ethanol"
    assert 50 < best["temperature"] < 70


def test_a_function_is_asked_and_one_that_fails_holds_up_nothing(lab):
    sources = 'twin: {function: "bench.py:predict", cost: 0.02}, dead: {function: "bench.py:broken", cost: 0.1}'

    ended = lab("run", lab.write(sources=sources))

    told = "dead gave no answer 10 of 10 times (last: RuntimeError: no licence)"
    shown = lab("show", "new/7")
    assert told in shown
    assert f"The source {told}." in ended
    assert f"The source {told}." in lab("show", "new")
    assert "help to expect the results: dead" not in ended
    assert "asked before: dead 10 times, 10 without an answer, twin " in shown
    assert json.loads(lab("show", "new/7", "--json"))["proposal"]["grounds"]["sources"]["twin"] > 0.5


def test_a_campaign_that_is_taken_up_again_goes_on_as_it_would_have(lab):
    sources = 'twin: {function: "bench.py:predict", cost: 0.02}, notes: {table: earlier.csv}'
    lab("run", lab.write("whole", sources=sources))
    lab("run", lab.write("parted", trials=3, sources=sources))
    lab("extend", "parted", "--trials", "4")
    lab("run", "parted.yaml")

    whole, parted = (json.loads(lab("trials", name, "--json")) for name in ("whole", "parted"))

    assert [t["proposal"]["point"] for t in whole] == [t["proposal"]["point"] for t in parted]


def test_what_a_source_says_is_on_record_and_a_change_is_told(lab):
    file = lab.write(sources="notes: {table: earlier.csv}", trials=3)
    lab("run", file)
    lab("extend", "new", "--trials", "1")
    (lab.folder / "earlier.csv").write_text(TABLE + "333.15,water,12,late\n")

    said = lab("run", file)

    assert "The source notes answers otherwise than before. What it says now is used, and that is on record." in said
    with closing(sqlite3.connect(lab.folder / "labwright.db")) as database:
        kept = database.execute("SELECT body FROM ledger WHERE kind = 'campaign.declared' ORDER BY rowid").fetchall()
    first, second = (json.loads(json.loads(body)["declared"])["sources"]["notes"] for (body,) in kept)
    assert first != second


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ("old: {campaign: nobody}", "sources.old: No campaign named 'nobody'"),
        ("me: {campaign: new}", "sources.me: a campaign is no source of its own"),
        ("t: {table: missing.csv}", "missing.csv"),
        ("t: {table: unnamed.csv}", "sources.t: unnamed.csv has 1 problem; it cannot be a source."),
        (
            "t: {table: unnamed.csv}",
            "the parameter 'temperature' has no column; name one column of the table temperature, or",
        ),
        ('f: {function: "bench.py:nothing", cost: 0.1}', "has no function 'nothing'"),
        ('f: {function: "bench.py:shouted", cost: 0.1}', "the function answers Yield, but none of yield."),
        ('f: {function: "bench.py:predict"}', "a cost is given with a function, and only with it"),
        ('f: {function: "bench.py:predict", cost: 2}', "less than 1"),
        ("t: {table: earlier.csv, campaign: old}", "one of campaign, table and function is expected"),
        ("t: {}", "one of campaign, table and function is expected, not none of them"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused_with_its_line(lab, sources, said):
    lab("run", lab.write("old", call="older", trials=2, planner="sampling"))

    refused = lab("check", lab.write(sources=sources), expected=2)

    assert said in refused
    assert "--map" not in refused
    assert "line 10: " in refused


def test_check_tells_of_a_source_that_gives_no_answer(lab):
    said = lab("check", lab.write(sources='dead: {function: "bench.py:broken", cost: 0.1}'))

    assert "The source dead gave no answer 10 of 10 times (last: RuntimeError: no licence)." in said


def test_a_planner_that_does_not_learn_takes_no_sources(lab):
    refused = lab("check", lab.write(planner="sampling", sources="t: {table: earlier.csv}"), expected=2)

    assert "the planner 'sampling' takes no account of it; take it out, or choose `gp`." in refused


def test_check_asks_sources_for_the_first_point(lab):
    assert "solvent = ethanol" in lab("check", lab.write(sources="notes: {table: earlier.csv}"))
