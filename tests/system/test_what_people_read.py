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
        self.heard[words[0]] = out.getvalue()
        return out.getvalue()

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
    house.call("decide", "1", *as_ada, "--why", "the film lies there", "--done", "seen.json")
    second = house.begin("run", "films.yaml")
    house.until(second, "tasks")
    house.call("status")
    house.call("tasks")
    house.call("worksheet", "films", "-o", "sheet.csv")
    sheet = house.folder / "sheet.csv"
    sheet.write_text(sheet.read_text().replace(",,,\n", ",white,,a little dust\n"))
    house.call("record", "films", "sheet.csv", "--by", "Grace H.")
    house.end(second)
    house.call("lots", "show", "silver_ink")
    house.call("people")
    house.call("show", "films/1")
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
