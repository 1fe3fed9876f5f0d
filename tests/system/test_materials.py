"""Samples and lots on the command line."""

import json

FILE = """
name: films
space: {x: {kind: continuous, low: 1 mL, high: 2 mL}}
objectives: {y: {goal: minimize, unit: mL}}
procedure: [{use: lab.coat, with: {x: $x}, gives: {y: $y}, makes: film, takes: {ink: $x, vials: 1}}]
resources: {lab: {kind: function, call: "lab.py:coat", inputs: {x: {unit: mL, low: 0, high: 5}}, outputs: {y: mL}}}
budget: {trials: 2}
planner: {kind: sampling, seed: 1}
"""


def test_a_campaign_halts_with_4_and_goes_on_when_its_lots_are_filled(command_line, tmp_path):
    (tmp_path / "films.yaml").write_text(FILE)
    (tmp_path / "lab.py").write_text("def coat(x):\n    return {'y': x}\n")

    code, _, error = command_line("run", "films.yaml")
    assert (code, "Error: Lot ink is not on record, and this trial takes from it." in error) == (4, True)

    command_line("lots", "add", "ink", "--amount", "9 mL", "--expires", "2999-01-01", "--location", "shelf 3")
    command_line("lots", "add", "vials", "--amount", "1")
    code, _, error = command_line("run", "films.yaml")
    assert (code, "Lot vials has 0 left; this trial needs 1. Add to it: labwright lots add vials" in error) == (4, True)

    command_line("lots", "add", "vials", "--amount", "1", "--why", "found one")
    assert command_line("run", "films.yaml")[0] == 0

    assert "ink" in command_line("lots")[1]
    lots = {lot["name"]: lot for lot in json.loads(command_line("lots", "--json")[1])}
    assert (lots["vials"]["left"], lots["vials"]["reserved"], lots["ink"]["location"]) == (0, 0, "shelf 3")
    assert "taken by lab.coat of trial films/1 (run 1) -1" in command_line("lots", "show", "vials")[1]
    samples = json.loads(command_line("samples", "films", "--json")[1])
    assert [(s["id"], s["state"], s["place"]) for s in samples] == [
        ("films/1/film", "made", "lab"),
        ("films/2/film", "made", "lab"),
    ]
    assert "sample film: made, lab" in command_line("show", "films/1")[1]
    assert command_line("verify")[0] == 0


def test_check_says_what_is_needed_and_whether_it_is_there(command_line, tmp_path):
    (tmp_path / "films.yaml").write_text(FILE)
    (tmp_path / "lab.py").write_text("def coat(x):\n    return {'y': x}\n")

    code, out, _ = command_line("check", "films.yaml")
    assert code == 0
    assert "ink: each trial takes 1 to 2 mL; it is not on record\n" in out
    assert 'Put it on record: labwright lots add vials --amount "..."\n' in out
    assert not (tmp_path / "labwright.db").exists()

    command_line("lots", "add", "ink", "--amount", "3 mL")
    command_line("lots", "add", "vials", "--amount", "1")
    out = command_line("check", "films.yaml")[1]
    assert "3 mL free, and 2 trials take 2 to 4 mL: it may run out" in out
    assert "vials: each trial takes 1; 1 free, enough for 1 of 2 trials" in out

    assert command_line("run", "films.yaml")[0] == 4
    command_line("lots", "add", "vials", "--amount", "5")
    told = json.loads(command_line("check", "films.yaml", "--json")[1])["lots"]
    assert [(lot["name"], lot["trials"], lot["enough"]) for lot in told] == [("ink", 1, None), ("vials", 1, True)]

    command_line("lots", "add", "ink", "--amount", "5 mL")
    assert command_line("run", "films.yaml")[0] == 0
    assert "takes" not in command_line("check", "films.yaml")[1]


def test_a_check_without_its_database_says_that_nobody_knows_what_is_there(command_line, tmp_path, monkeypatch):
    (tmp_path / "films.yaml").write_text(FILE)
    (tmp_path / "lab.py").write_text("def coat(x):\n    return {'y': x}\n")
    monkeypatch.setenv("LABWRIGHT_DATABASE_URL", f"sqlite:///{tmp_path}/elsewhere.db")

    code, out, _ = command_line("check", "films.yaml")

    assert (code, "nobody knows what is there" in out) == (0, True)
    assert json.loads(command_line("check", "films.yaml", "--json")[1])["lots"] is None


def test_what_cannot_be_done_to_a_lot_is_said(command_line):
    command_line("lots", "add", "ink", "--amount", "9 mL")

    assert command_line("lots", "add", "ink", "--amount", "9 g")[0] == 2
    assert command_line("lots", "add", "ink", "--amount", "9 mL", "--expires", "tomorrow")[0] == 2
    assert command_line("lots", "correct", "water", "--amount", "9 mL", "--why", "?")[0] == 2
    code, out, _ = command_line("lots", "correct", "ink", "--amount", "8 mL", "--why", "spilt")
    assert (code, out) == (0, "ink has 8 mL left.\n")
