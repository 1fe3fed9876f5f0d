"""The scientist's hand, from the command line: on a function, and on a table of measured rows."""

import csv
import io
import json
import os
import subprocess
import sys
import time

import pytest

CAMPAIGN = """\
# how the pressure is found
name: press   # its name
question: How hard?
space:
  x: {kind: continuous, low: 0, high: 5, unit: mm}
  t: {kind: continuous, low: 10, high: 40, unit: degC}
objectives: {y: {goal: minimize, unit: J}}
procedure: [{use: bench.measure, with: {x: $x, t: $t}, gives: {y: $y}}]
resources: {bench: {kind: function, call: "bench.py:measure", outputs: {y: J}, repeatable: true}}
budget: {trials: 3}
"""
BENCH = """\
def measure(x, t):
    if x == 5:
        raise ValueError("it burst")
    return {"y": (x - 2) ** 2 + (t - 20) ** 2 + 1}
"""
POOL = """\
name: pool
space: {a: {kind: continuous, low: 0, high: 9}}
objectives: {y: {goal: maximize}}
procedure: [{use: rows.measure, with: {a: $a}, gives: {y: $y}}]
resources: {rows: {kind: table, file: rows.csv}}
budget: {trials: 3}
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    (tmp_path / "bench.py").write_text(BENCH)
    return tmp_path


def told(command_line, *words):
    code, out, err = command_line(*words)
    assert (code, err) == (0, "")
    return " ".join(out.split())


def trials(command_line, name):
    return json.loads(command_line("trials", name, "--json")[1])


def whole(command_line):
    return command_line("verify")[0] == 0


def test_a_scientist_has_a_hand_on_a_campaign_from_before_it_begins_to_after_its_end(study, command_line):
    (study / "old.csv").write_text("x (cm);t (degC);y (J);who\n0,1;25;27;ann\n0,3;20;failed;bob\n")

    assert "press/1 to press/2. They use no budget" in told(command_line, "import", "campaign.yaml", "old.csv")
    assert "draft" in told(command_line, "status")
    assert "was imported into press before" in told(command_line, "import", "press", "old.csv")
    assert command_line("run", "campaign.yaml")[0] == 0
    assert command_line("add", "press", "--set", "x=1", "--set", "t=25")[0] == 2

    assert "paused, with a budget of 6 trials" in told(command_line, "extend", "press", "--trials", "3")
    added = told(command_line, "add", "press", "--set", "x=0.2 cm", "--set", "t=68 degF", "--why", "a hunch")
    assert "press/6 is proposed: x = 2 mm, t = 20 degC. No process conducts it now" in added
    assert "To go on: labwright run campaign.yaml" in added
    told(command_line, "add", "press", "--set", "x=5", "--set", "t=20")
    assert command_line("run", "campaign.yaml")[0] == 5

    found = trials(command_line, "press")
    assert [(t["proposal"]["source"], t["state"]) for t in found[:2]] == [
        ("imported from old.csv", "observed"), ("imported from old.csv", "failed"),
    ]  # fmt: skip
    assert [(t["state"], t["outcomes"]) for t in found[5:7]] == [("observed", {"y": 1.0}), ("failed", {})]

    assert "y = 0.5 J (corrected: read off the chart; failed before" in told(
        command_line, "correct", "press/7", "--set", "y=500 mJ", "--why", "read off the chart"
    )
    assert "Now: best y 1 J" in told(command_line, "exclude", "press/7", "--why", "it burst after all")
    assert "7 observed: excluded: it burst after all; corrected" in told(command_line, "trials", "press")
    shown = told(command_line, "show", "press/7")
    assert "what came back before it was corrected: nothing" in shown
    assert "exclude: it burst after all" in shown
    rows = list(csv.DictReader(io.StringIO(command_line("trials", "press", "--csv")[1])))
    assert (rows[6]["excluded"], rows[6]["corrected"]) == ("it burst after all", "read off the chart")
    standing = json.loads(command_line("status", "--json")[1])["campaigns"][0]
    assert (standing["budget"], standing["best"]["number"]) == (6, 6)
    assert "6/6" in told(command_line, "status")
    assert "1 excluded" in told(command_line, "status")
    assert "Now: best y 0.5 J" in told(command_line, "include", "press/7", "--why", "the chart is right")
    assert whole(command_line)


def test_a_report_shows_what_a_person_did(study, command_line):
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    (study / "old.csv").write_text("x,t,y\n7,25,0.1\n")
    told(command_line, "import", "campaign.yaml", "old.csv", "--outside")
    command_line("run", "campaign.yaml")
    told(command_line, "extend", "press", "--trials", "1")
    told(command_line, "exclude", "press/2", "--why", "a dirty cell")
    told(command_line, "report", "press")

    page = (study / "press.html").read_text()
    assert "1 trial was excluded by a person" in page
    assert "excluded: a dirty cell" in page
    assert "3 of 4" in page
    assert "the best found" in page


def test_a_clone_with_history_knows_what_the_other_found_and_spends_its_own_budget(study, command_line):
    command_line("run", "campaign.yaml")
    told(command_line, "correct", "press/1", "--set", "y=0.25", "--why", "a typo")
    told(command_line, "exclude", "press/2", "--why", "dirty")

    said = told(command_line, "clone", "press", "--new", "press-2", "--with-history", "-o", "second.yaml")

    assert "2 results of press as history, with a budget of 3 trials" in said
    text = (study / "second.yaml").read_text()
    assert text == CAMPAIGN.replace("name: press ", "name: press-2 ")
    assert command_line("run", "second.yaml")[0] == 0
    found = trials(command_line, "press-2")
    assert found[0]["outcomes"] == {"y": 0.25}
    assert [t["imported"] is None for t in found] == [False, False, True, True, True]
    assert whole(command_line)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["clone", "press", "--new", "press"], "A campaign named 'press' is on record"),
        (["clone", "press", "--new", "a b"], "cannot name a campaign"),
        (["clone", "press", "--new", "other", "-o", "campaign.yaml"], "exists; nothing was written"),
        (["clone", "nobody", "--new", "other"], "No campaign named 'nobody'"),
        (["correct", "press/1", "--why", "x"], "give at least one outcome"),
        (["correct", "press/99", "--set", "y=1", "--why", "x"], "no trial 99"),
        (["exclude", "press/1", "--why", " "], "--why is empty"),
        (["import", "press", "bench.py"], "nothing was imported"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(study, command_line, words, found):
    command_line("run", "campaign.yaml")
    before = command_line("verify", "--json")[1]
    files = sorted(p.name for p in study.iterdir())

    code, _, err = command_line(*words)

    assert code == 2
    assert found in err
    assert command_line("verify", "--json")[1] == before
    assert sorted(p.name for p in study.iterdir()) == files


def test_a_point_that_is_not_in_the_table_is_refused_and_one_that_is_gives_its_row(tmp_path, command_line):
    (tmp_path / "pool.yaml").write_text(POOL)
    (tmp_path / "rows.csv").write_text("a,y\n1,10\n2,20\n3,30\n4,40\n5,50\n")
    (tmp_path / "old.csv").write_text("a,y\n1,10\n5,50\n")
    told(command_line, "import", "pool.yaml", "old.csv")
    told(command_line, "add", "pool", "--set", "a=4")
    told(command_line, "add", "pool", "--set", "a=4.5")

    command_line("run", "pool.yaml")

    found = trials(command_line, "pool")
    assert [t["outcomes"] for t in found[:3]] == [{"y": 10.0}, {"y": 50.0}, {"y": 40.0}]
    assert (found[3]["state"], found[3]["why"]) == ("refused", "a = 4.5 is none of the 5 candidates")
    assert {t["proposal"]["point"]["a"] for t in found[4:]} == {2.0, 3.0}
    assert whole(command_line)


def test_a_running_campaign_is_paused_resumed_and_given_points_from_another_process(study, command_line):
    (study / "bench.py").write_text(
        "import time, pathlib\n\ndef measure(x, t):\n    time.sleep(0.3)\n    return {'y': x}\n"
    )
    (study / "campaign.yaml").write_text(CAMPAIGN.replace("trials: 3", "trials: 6"))
    quiet, environment = subprocess.DEVNULL, dict(os.environ)
    command = [sys.executable, "-m", "labwright", "run", "campaign.yaml"]
    running = subprocess.Popen(command, cwd=study, stdin=quiet, stdout=quiet, stderr=quiet, env=environment)
    while not (study / "labwright.db").exists() or command_line("trials", "press", "--json")[1] in ("", "[]\n"):
        assert running.poll() is None
        time.sleep(0.1)

    added = told(command_line, "add", "press", "--set", "x=4", "--set", "t=30")
    assert "The process that conducts it takes it up" in added
    number = int(added.split()[0].partition("/")[2])
    while trials(command_line, "press")[number - 1]["state"] != "observed":
        assert running.poll() is None
        time.sleep(0.1)
    assert "press is paused" in told(command_line, "pause", "press")
    assert running.wait(timeout=30) == 130
    assert "To go on: labwright run campaign.yaml" in told(command_line, "resume", "press")

    assert command_line("run", "campaign.yaml")[0] == 0

    found = trials(command_line, "press")
    assert len(found) == 6
    assert all(t["state"] == "observed" for t in found)
    assert found[number]["proposal"]["source"] != "person"
    assert whole(command_line)
