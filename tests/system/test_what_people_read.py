"""What a laboratory tells people: names that people gave, units, one way to write a time, and who said what."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from labwright.cli.main import main

CAMPAIGN = """\
name: films
question: How much ink gives the strongest film?
space:
  volume: {kind: continuous, low: 1 mL, high: 3 mL}
objectives:
  strength: {goal: maximize, unit: MPa}
procedure:
  - use: coater.coat
    with: {ink: $volume}
    gives: {thickness: $thickness}
    makes: film
    takes: {silver_ink: $volume}
  - name: melt
    use: furnace.run
    with: {thickness: $thickness}
    gives: {strength: $strength}
  - use: bench.look
    with: {volume: $volume}
    gives: {colour: $colour}
resources:
  coater: {kind: function, call: "lab.py:coat", inputs: {ink: {unit: mL, low: 0, high: 5}}, outputs: {thickness: nm}}
  furnace: {kind: command, run: [python, melt.py], inputs: {thickness: {unit: nm, low: 0, high: 500}},
            outputs: {strength: null}}
  bench: {kind: person, due: 2 h, capabilities: {look: {instructions: Look at it.,
          inputs: {volume: {unit: mL, low: 0, high: 5}}, outputs: {colour: {levels: [white, yellow]}}}}}
budget: {trials: 1}
planner: {kind: sampling, seed: 1}
safety: {approval: [{by: [ada]}]}
"""
COATER = """\
import os
import pathlib
import signal


def coat(ink):
    if pathlib.Path("powerless").exists():
        pathlib.Path("powerless").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"thickness": 40 * ink}
"""
MELT = """\
import json
import pathlib
import sys

order = json.load(sys.stdin)
pathlib.Path(order["folder"], "curve.csv").write_text("t,s\\n1,2\\n")
print(json.dumps({"strength": 300 - order["inputs"]["thickness"], "files": ["curve.csv"]}))
"""
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"


class House:
    """A laboratory in a folder, as people use it from terminals."""

    def __init__(self, folder):
        self.folder = folder
        self.heard = {}
        for name, text in {
            "films.yaml": CAMPAIGN,
            "lab.py": COATER,
            "melt.py": MELT,
            "ada.txt": "a secret of hers",
        }.items():
            (folder / name).write_text(text)

    def begin(self, *words):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(
            [sys.executable, "-m", "labwright", *words],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PATH": path},
        )

    def end(self, process, code=0):
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        return out

    def call(self, *words):
        """Give a command in this process."""
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), pytest.raises(SystemExit) as ended:
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["labwright", *words])
            main()
        assert not ended.value.code
        return out.getvalue()

    def hear(self, *words):
        """Give a command, and keep what it said."""
        self.heard[words[0]] = self.call(*words)

    def until(self, process, *words):
        """Wait until a list that a command gives is not empty."""
        while json.loads(self.call(*words, "--json")) == []:
            assert process.poll() is None
            time.sleep(0.2)

    def serve(self):
        """Start a worker, wait until it serves all that the campaign names, and end it."""
        process, said = self.begin("worker"), []
        while sum(line.startswith("Serving") for line in said) < 3:
            said.append(process.stderr.readline())
        process.send_signal(signal.SIGINT)
        self.end(process)
        self.heard["worker"] = "".join(said)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A trial that a person approved, that lost power, that a person decided, and in which a person did a step."""
    house = House(tmp_path_factory.mktemp("house"))
    as_ada = ("--as", "ada", "--secret-file", "ada.txt")
    house.call("people", "add", "ada", "--new-secret-file", "ada.txt")
    house.call("lots", "add", "silver_ink", "--amount", "6 mL")
    (house.folder / "powerless").touch()
    first = house.begin("run", "films.yaml")
    house.until(first, "approvals")
    house.call("approve", "films/1", *as_ada)
    house.end(first, -signal.SIGKILL)
    house.end(house.begin("run", "films.yaml"), 4)
    house.serve()
    (house.folder / "seen.json").write_text('{"thickness": 80}')
    house.hear("decide", "1", *as_ada, "--why", "the film lies there", "--done", "seen.json")
    second = house.begin("run", "films.yaml")
    house.until(second, "tasks")
    house.hear("status")
    house.hear("tasks")
    house.call("worksheet", "films", "-o", "sheet.csv")
    sheet = house.folder / "sheet.csv"
    sheet.write_text(sheet.read_text().replace(",,,\n", ",white,,a little dust\n"))
    house.call("record", "films", "sheet.csv", "--by", "Grace H.")
    house.end(second)
    house.hear("lots", "show", "silver_ink")
    house.hear("people")
    house.hear("show", "films/1")
    house.call("report", "films", "--out", "films.html")
    return house


def test_things_are_called_what_people_call_them(house):
    assert "holds campaign films, coater, bench." in house.heard["status"]
    assert "Serving coater of films." in house.heard["worker"]
    assert "Serving bench of films." in house.heard["worker"]


def test_each_time_is_written_in_the_same_way(house):
    for name in ("status", "tasks", "lots", "people", "show"):
        times = re.findall(r"\d{4}-\d\d-\d\d.{10}", house.heard[name])
        assert [t for t in times if not re.fullmatch(MOMENT, t)] == []
        assert times or name == "status"


def test_a_trial_says_who_approved_decided_and_recorded_it_when_and_why(house):
    lines = house.heard["show"].splitlines()

    assert re.fullmatch(f"  approved by ada, {MOMENT}", lines[4])
    of_run = {line.split(",")[0]: i for i, line in enumerate(lines) if line.startswith("  run ")}
    decided = lines[of_run["  run 2"] - 1]
    assert re.fullmatch(f"    decided as done by ada, {MOMENT}: the film lies there", decided)
    recorded = next(line for line in lines[of_run["  run 3"] :] if line.startswith("    recorded"))
    assert re.fullmatch(f"    recorded by Grace H., {MOMENT}: a little dust", recorded)


def test_the_same_is_told_to_machines(house):
    told = json.loads(house.call("show", "films/1", "--json"))

    assert [(s["what"], s["by"], s["why"], s["run"]) for s in told["statements"]] == [
        ("approved", "ada", None, None),
        ("decided as done", "ada", "the film lies there", 1),
        ("recorded", "Grace H.", "a little dust", 3),
    ]
    assert [run["units"] for run in told["runs"]] == [{"ink": "mL"}, {"thickness": "nm"}, {"volume": "mL"}]


def test_the_report_says_it_too(house):
    page = (house.folder / "films.html").read_text()

    assert "Who said what" in page
    for words in ("approved by ada, ", "decided as done by ada, ", ": the film lies there", "recorded by Grace H., "):
        assert words in page


def test_every_value_of_a_trial_has_its_unit_also_one_that_only_the_campaign_knows(house):
    shown = house.heard["show"]

    assert "point: volume = 2 mL" in shown
    assert "sent ink = 2 mL\n    came back thickness = 80 nm" in shown
    assert "run 2, melt (furnace.run): done" in shown
    assert "sent thickness = 80 nm\n    came back strength = 220 MPa" in shown
    assert "sent ink = 2 mL" in house.heard["decide"]


def test_a_trial_names_the_files_that_were_kept(house):
    lines = (line for line in house.heard["show"].splitlines() if line.startswith("    kept "))
    kept = [house.folder / line.split()[1] for line in lines]
    assert "t,s\n1,2\n" in [path.read_text() for path in kept]

    for path in kept:
        path.unlink()

    assert house.call("show", "films/1").count(", which is not here") == len(kept)


def test_a_step_that_was_skipped_has_not_failed(command_line, tmp_path):
    (tmp_path / "lab.py").write_text("def look(x):\n    return {'y': x}\n\n\ndef heat(x):\n    raise ValueError\n")
    given = "inputs: {x: {low: 0, high: 9}}"
    (tmp_path / "skip.yaml").write_text(
        "name: skip\nspace: {x: {kind: continuous, low: 1, high: 3}}\nobjectives: {y: {goal: minimize}}\n"
        "procedure:\n  - {use: a.look, with: {x: $x}, gives: {y: $y}}\n"
        "  - {use: b.heat, with: {x: $x}, when: $x > 5}\nresources:\n"
        f"  a: {{kind: function, call: 'lab.py:look', {given}, outputs: {{y: null}}}}\n"
        f"  b: {{kind: function, call: 'lab.py:heat', {given}, outputs: {{}}}}\n"
        "budget: {trials: 1}\nplanner: {kind: sampling}\n"
    )
    assert command_line("run", "skip.yaml")[0] == 0

    told = command_line("show", "skip/1")[1]
    assert "b.heat: skipped\n" in told
    assert "    why: x > 5 does not hold: x is 2\n" in told
    assert "failed" not in told
