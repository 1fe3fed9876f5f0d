"""Files that one step gives become numbers in a later one."""

import json
import subprocess
import sys

import pytest

from labwright.storage.database import Database
from labwright.storage.database.ledger import entries

LABWRIGHT = [sys.executable, "-m", "labwright"]
CAMPAIGN = """\
name: peaks
space:
  x: {kind: continuous, low: 0, high: 10}
objectives:
  height: {goal: maximize}
procedure:
  - use: INSTRUMENT
    with: {x: $x}
    gives: {scan: $scan}
  - use: ANALYSIS
    with: {scan: $scan}
    gives: {height: $height}
resources:
  detector: DETECTOR
  analysis:
    kind: function
    call: lab.py:peak
    inputs: {scan: {file: true}}
    outputs: {height: null}
    repeatable: true
  program:
    kind: command
    run: [PYTHON, peak.py]
    inputs: {scan: {file: true}}
    outputs: {height: null}
    repeatable: true
budget: {trials: 2}
planner: {kind: sampling}
"""
FUNCTION = '{kind: function, call: "lab.py:scan", inputs: {x: {low: 0, high: 10}}, outputs: {scan: file}}'
PROGRAM = "{kind: command, run: [PYTHON, scan.py], inputs: {x: {low: 0, high: 10}}, outputs: {scan: file}}"
LAB = """\
def scan(x):
    return b"\\n".join(f"{i},{x * i}".encode() for i in range(5))


def peak(scan):
    return {"height": max(float(line.split(",")[1]) for line in scan.read_text().splitlines())}


def wrapped(x):
    return {"scan": scan(x)}
"""
SCAN = """\
import json, pathlib, sys
said = json.load(sys.stdin)
x = said["inputs"]["x"]
pathlib.Path(said["folder"], "scan.csv").write_text("\\n".join(f"{i},{x * i}" for i in range(5)))
print(json.dumps({"scan": "scan.csv"}))
"""
PEAK = """\
import json, pathlib, sys
lines = pathlib.Path(json.load(sys.stdin)["inputs"]["scan"]).read_text().splitlines()
print(json.dumps({"height": max(float(line.split(",")[1]) for line in lines)}))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lab.py").write_text(LAB.replace("def wrapped", "def measured"))
    (tmp_path / "scan.py").write_text(SCAN)
    (tmp_path / "peak.py").write_text(PEAK)
    return tmp_path


def write(folder, instrument, analysis, detector, text=CAMPAIGN):
    text = text.replace("INSTRUMENT", instrument).replace("ANALYSIS", analysis).replace("DETECTOR", detector)
    (folder / "peaks.yaml").write_text(text.replace("PYTHON", sys.executable))


def labwright(folder, *words):
    return subprocess.run([*LABWRIGHT, *words], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("instrument", "detector"),
    [("detector.measured", FUNCTION.replace(":scan", ":measured")), ("detector.run", PROGRAM)],
)
@pytest.mark.parametrize("analysis", ["analysis.peak", "program.run"])
def test_a_file_of_an_instrument_becomes_an_outcome_by_a_function_or_a_program(folder, instrument, detector, analysis):
    write(folder, instrument, analysis, detector)

    done = labwright(folder, "run", "peaks.yaml")

    assert done.returncode == 0, done.stderr
    trials = json.loads(labwright(folder, "trials", "peaks", "--json").stdout)
    assert [t["outcomes"]["height"] for t in trials] == [4 * t["proposal"]["point"]["x"] for t in trials]
    shown = labwright(folder, "show", "peaks/1").stdout
    assert "scan" in shown


def test_the_ledger_names_the_file_by_its_content(folder):
    write(folder, "detector.run", "analysis.peak", PROGRAM)
    labwright(folder, "run", "peaks.yaml")

    database = Database.open(f"sqlite:///{folder / 'labwright.db'}")
    with database.read() as connection:
        done = [json.loads(e.body) for e in entries(connection) if e.kind == "run.done"]
    database.close()

    reference = done[0]["outcome"]["values"]["scan"]["value"]
    digits = reference.removeprefix("sha256:")
    assert (folder / "objects" / digits[:2] / digits[2:]).read_text().startswith("0,0")
    assert reference in done[0]["outcome"]["objects"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "with: {scan: $scan}",
            "with: {scan: $x}",
            "analysis.peak.scan takes a file; bind it to one that a step gives",
        ),
        ("with: {scan: $scan}", "with: {scan: sha256}", "takes a file; bind it to one"),
        ("    inputs: {scan: {file: true}}\n", "", "$scan is a file, and analysis.peak.scan takes none"),
    ],
)
def test_a_file_is_bound_to_a_file_and_to_nothing_else(folder, old, new, words):
    write(folder, "detector.run", "analysis.peak", PROGRAM, CAMPAIGN.replace(old, new, 1))

    done = labwright(folder, "check", "peaks.yaml")

    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize("returned", ["3", "'no such file'", "None"])
def test_what_a_function_returns_as_a_file_must_be_one(folder, returned):
    (folder / "lab.py").write_text(LAB.replace('{"scan": scan(x)}', f'{{"scan": {returned}}}'))
    write(folder, "detector.wrapped", "analysis.peak", FUNCTION.replace(":scan", ":wrapped"))

    labwright(folder, "run", "peaks.yaml")

    trials = json.loads(labwright(folder, "trials", "peaks", "--json").stdout)
    assert {t["state"] for t in trials} == {"failed"}
    assert "a path or bytes were expected" in trials[0]["why"]
