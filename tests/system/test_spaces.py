"""A campaign over mixtures, with rules and context, from the command line."""

import csv
import io
import json

CAMPAIGN = """\
name: alloy
space:
  mix: {kind: composition, parts: {Ni: {}, Co: {}, Mn: {}, Fe: {high: 0.5}}, at_most_parts: 3}
  heat: {kind: continuous, low: 300 degC, high: 900 degC}
  gas: {kind: categorical, levels: {argon: {mass: 40}, helium: {mass: 4}, nitrogen: {mass: 28}}}
objectives: {y: {goal: maximize}}
rules: ["heat + 500*Mn <= 900", "furnace.py:allowed"]
context: {humidity: {unit: "%"}}
procedure:
  - use: furnace.anneal
    with: {Ni: $Ni, Co: $Co, Mn: $Mn, Fe: $Fe, heat: $heat, gas: $gas}
    gives: {y: $y, humidity: $humidity}
resources:
  furnace: {kind: function, call: "furnace.py:anneal", outputs: {y: null, humidity: "1"}, repeatable: true}
budget: {trials: 12}
"""
FURNACE = """\
def allowed(point):
    return point["gas"] != "nitrogen" or point["heat"] < 600


def anneal(Ni, Co, Mn, Fe, heat, gas):
    return {"y": Ni * Co + Mn / 4 - ((heat - 700) / 600) ** 2 + len(gas) / 50, "humidity": 0.4}
"""


def begin(folder):
    (folder / "alloy.yaml").write_text(CAMPAIGN)
    (folder / "furnace.py").write_text(FURNACE)


def test_every_trial_keeps_the_mixture_and_the_rules_and_the_context_stands_apart(tmp_path, command_line):
    begin(tmp_path)

    assert command_line("run", "alloy.yaml")[0] == 0
    trials = json.loads(command_line("trials", "alloy", "--json")[1])

    assert [t["state"] for t in trials] == ["observed"] * 12
    for trial in trials:
        point, (x, gas) = trial["proposal"]["point"], (lambda p: (p["heat"], p["gas"]))(trial["proposal"]["point"])
        parts = [point[name] for name in ("Ni", "Co", "Mn", "Fe")]
        assert abs(sum(parts) - 1) < 1e-9
        assert 1 <= sum(part > 0 for part in parts) <= 3
        assert x + 500 * point["Mn"] <= 900.000001
        assert gas != "nitrogen" or x < 600
        assert trial["context"] == {"humidity": 40.0}
        assert set(trial["outcomes"]) == {"y"}


def test_people_see_what_must_hold_and_what_was_recorded(tmp_path, command_line):
    begin(tmp_path)

    checked = command_line("check", "alloy.yaml")[1]
    assert "where Ni + Co + Mn + Fe = 1, at most 3 of them above 0" in checked
    assert "where heat + 500 Mn is at most 900" in checked
    assert "where the rule furnace.py:allowed holds" in checked
    assert "It records beside: humidity [%]" in checked

    command_line("run", "alloy.yaml")
    rows = list(csv.DictReader(io.StringIO(command_line("trials", "alloy", "--csv")[1])))
    assert [row["humidity"] for row in rows] == ["40.0"] * 12
    assert "humidity [%], context" in command_line("trials", "alloy")[1].replace("\n", " ")
    shown = command_line("show", "alloy/3")[1]
    assert "context: humidity = 40 %" in shown
    assert "humidity" not in shown.splitlines()[0]
    command_line("report", "alloy")
    page = next(tmp_path.glob("*.html")).read_text()
    assert "humidity [%], context" in page
    assert "Kept by every point: Ni + Co + Mn + Fe = 1" in page


def test_a_point_of_ones_own_that_breaks_what_must_hold_is_refused_in_words(tmp_path, command_line):
    begin(tmp_path)
    command_line("run", "alloy.yaml")
    command_line("extend", "alloy", "--trials", "1")

    def add(**point):
        texts = [word for name, value in point.items() for word in ("--set", f"{name}={value}")]
        return command_line("add", "alloy", *texts)

    fine = {"Ni": 0.5, "Co": 0.5, "Mn": 0, "Fe": 0, "heat": 500, "gas": "argon"}
    code, _, error = add(**fine | {"Ni": 0.6})
    assert code == 2
    assert "Ni + Co + Mn + Fe = 1.1 is not the total of 1" in error
    assert "4 of the parts" in add(**fine | {"Ni": 0.2, "Co": 0.2, "Mn": 0.3, "Fe": 0.3})[2]
    assert "heat + 500 Mn = 1000 is not at most 900" in add(**fine | {"Ni": 0, "Mn": 0.5, "heat": 750})[2]
    assert "the rule furnace.py:allowed forbids it" in add(**fine | {"gas": "nitrogen", "heat": 700})[2]
    assert add(**fine)[0] == 0


def test_rules_that_nothing_keeps_are_refused_before_anything_moves(tmp_path, command_line):
    (tmp_path / "alloy.yaml").write_text(CAMPAIGN.replace('"furnace.py:allowed"', "Ni + Co <= 0.2, Mn <= 0.2"))
    (tmp_path / "furnace.py").write_text(FURNACE)

    code, _, error = command_line("run", "alloy.yaml")

    assert code == 2
    assert "No point of the space keeps all of these: Ni + Co + Mn + Fe = 1" in " ".join(error.split())
