"""What resources told while they worked, as people see it."""

import csv
import json
import math
import subprocess
import sys

import pytest

from labwright.core.telemetry import Channel, Gap, Kind, Quality
from labwright.storage.database import Database
from labwright.storage.objects import Objects
from labwright.storage.telemetry import Batch, Telemetry

LABWRIGHT = [sys.executable, "-m", "labwright"]
CAMPAIGN = """\
name: adding
space: {x: {kind: continuous, low: 0, high: 1}}
objectives: {y: {goal: maximize, unit: g}}
procedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]
resources:
  bench: {kind: function, call: "bench.py:measure", inputs: {x: {low: 0, high: 1}}, outputs: {y: g}}
budget: {trials: 2}
planner: {kind: sampling}
"""
T = 1_700_000_000.0
TEMPERATURE = Channel(id="temperature", unit="degC", low=0, high=90)
DOOR = Channel(id="door", kind=Kind.WORD)
BATCH = Batch(
    channels=(TEMPERATURE, DOOR),
    samples=[
        *(("temperature", T + i, 20.0 + i, Quality.GOOD) for i in range(5)),
        ("temperature", T + 9, 95.0, Quality.SUSPECT),
        ("temperature", T + 10, math.nan, Quality.BAD),
        ("door", T, "open", Quality.GOOD),
        ("door", T + 4, "closed", Quality.GOOD),
    ],
    gaps=(Gap(channel=None, start=T + 4.5, end=T + 8.5, why="the connection broke"),),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    (folder / "bench.py").write_text("def measure(x):\n    return {'y': x}\n")
    (folder / "adding.yaml").write_text(CAMPAIGN)
    assert labwright(folder, "run", "adding.yaml").returncode == 0
    database = Database.open(f"sqlite:///{folder / 'labwright.db'}")
    Telemetry(database, Objects(database.objects)).put(1, "adding", "bench", BATCH)
    database.close()
    return folder


def labwright(folder, *words):
    return subprocess.run([*LABWRIGHT, *words], cwd=folder, capture_output=True, text=True, timeout=120)


def test_each_channel_is_a_line_with_its_range_and_each_gap_says_why(folder):
    said = labwright(folder, "telemetry", "adding/1").stdout.splitlines()

    assert said == [
        "bench.door: 2 samples, 1 gaps",
        "  gap of 4 s: the connection broke",
        "bench.temperature: 7 samples, 20 to 95 degC, 2 not good, 1 gaps",
        "  gap of 4 s: the connection broke",
    ]


def test_a_campaign_shows_all_its_trials_and_a_trial_only_its_own(folder):
    assert len(json.loads(labwright(folder, "telemetry", "adding", "--json").stdout)) == 2
    assert labwright(folder, "telemetry", "adding/2").stdout == "Nothing was told during adding/2.\n"


def test_every_sample_is_a_row_that_reads_back_exactly(folder):
    labwright(folder, "telemetry", "adding/1", "--csv", "told.csv", "--channel", "temperature")

    with (folder / "told.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = [(float(r["seconds since 1970"]), float(r["value"]), r["quality"]) for r in rows]
    expected = [(at, value, quality.value) for name, at, value, quality in BATCH.samples if name == "temperature"]
    assert found[:-1] == expected[:-1]
    assert math.isnan(found[-1][1])
    assert {r["unit"] for r in rows} == {"degC"}


@pytest.mark.parametrize("name", ["told.png", "told.svg"])
def test_it_is_drawn(folder, name):
    said = labwright(folder, "telemetry", "adding/1", "--plot", name)

    assert said.returncode == 0, said.stderr
    assert (folder / name).stat().st_size > 2000


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("adding/1", "--channel", "pressure"), "has no channel 'pressure'; it has door, temperature."),
        (("adding/7",), "7"),
        (("nothing",), "No campaign named 'nothing'"),
        (("adding/1", "--plot", "told.xyz"), "Name it .png, .svg or .pdf."),
    ],
)
def test_what_is_not_there_is_said(folder, words, expected):
    done = labwright(folder, "telemetry", *words)

    assert done.returncode != 0
    assert expected in done.stderr
