"""What resources say of themselves on the command line."""

import json
import subprocess
import sys

import pytest

LABWRIGHT = [sys.executable, "-m", "labwright"]
CAMPAIGN = """\
name: adding
space:
  x: {kind: continuous, low: 0, high: 1}
objectives:
  y: {goal: maximize, unit: g}
procedure:
  - use: bench.measure
    with: {x: $x}
    gives: {y: $y}
resources:
  bench:
    kind: function
    call: bench.py:measure
    inputs: {x: {low: 0, high: 1}}
    outputs: {y: g}
    about: {owner: Ada, serial: A-7, calibrated: 2020-05-02, valid_for: 365 days}
  oven:
    kind: opcua
    url: opc.tcp://127.0.0.1:1/
    reconnect_s: 0.1
    timeout_s: 1
    capabilities: {heat: {start: Oven/Heat, state: Oven/State, outputs: {y: Oven/Y}}}
budget: {trials: 1}
planner: {kind: sampling}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bench.py").write_text("def measure(x):\n    return {'y': x}\n")
    (tmp_path / "adding.yaml").write_text(CAMPAIGN)
    return tmp_path


def labwright(folder, *words):
    return subprocess.run([*LABWRIGHT, *words], cwd=folder, capture_output=True, text=True, timeout=120)


def test_a_probe_shows_what_each_can_do_and_one_out_of_reach_does_not_hide_the_others(folder):
    done = labwright(folder, "resources", "adding.yaml", "--probe")

    assert done.returncode == 3
    said = done.stdout.splitlines()
    assert said[0] == (
        "bench (function): of Ada, serial number A-7, calibrated on 2020-05-02, OVERDUE: it was due on 2021-05-02"
    )
    assert said[1].startswith("  reached in ")
    assert said[2:5] == ["  measure", "    takes x: 0 to 1", "    gives y: g"]
    assert any(line.startswith("  out of reach: oven: the OPC UA server") for line in said)


def test_without_a_probe_it_shows_what_was_said_when_the_campaign_began(folder):
    assert "nobody has said yet what it can do" in labwright(folder, "resources", "adding.yaml").stdout
    text = CAMPAIGN.partition("  oven:")
    (folder / "adding.yaml").write_text(text[0] + "budget: {trials: 1}\nplanner: {kind: sampling}\n")
    labwright(folder, "run", "adding.yaml")

    [bench] = json.loads(labwright(folder, "resources", "adding", "--json").stdout)

    assert bench["problem"] is None
    assert [c["name"] for c in bench["capabilities"]] == ["measure"]
    assert (bench["owner"], bench["due"]) == ("Ada", "2021-05-02")


def test_a_calibration_that_cannot_be_meant_is_refused_with_its_line(folder):
    (folder / "adding.yaml").write_text(CAMPAIGN.replace("calibrated: 2020-05-02, ", ""))

    done = labwright(folder, "check", "adding.yaml")

    assert "line 16: resources.bench.about: valid_for: expected a time" in done.stderr
