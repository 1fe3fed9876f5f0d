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
    assert "taken by run 1 -1" in command_line("lots", "show", "vials")[1]
    samples = json.loads(command_line("samples", "films", "--json")[1])
    assert [(s["id"], s["state"], s["place"]) for s in samples] == [
        ("films/1/film", "made", "lab"),
        ("films/2/film", "made", "lab"),
    ]
    assert "sample film: made, lab" in command_line("show", "films/1")[1]
    assert command_line("verify")[0] == 0


def test_what_cannot_be_done_to_a_lot_is_said(command_line):
    command_line("lots", "add", "ink", "--amount", "9 mL")

    assert command_line("lots", "add", "ink", "--amount", "9 g")[0] == 2
    assert command_line("lots", "add", "ink", "--amount", "9 mL", "--expires", "tomorrow")[0] == 2
    assert command_line("lots", "correct", "water", "--amount", "9 mL", "--why", "?")[0] == 2
    code, out, _ = command_line("lots", "correct", "ink", "--amount", "8 mL", "--why", "spilt")
    assert (code, out) == (0, "ink has 8 mL left.\n")
