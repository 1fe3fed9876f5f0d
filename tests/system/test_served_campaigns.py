"""One campaign, unchanged but for its resources, on each kind of server, while Labwright is killed in the middle."""

import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from labwright.core.errors import NotFound
from labwright.testing import ServerProcess

CAMPAIGN = """
name: warm
space: {target: {kind: continuous, low: 50, high: 100, unit: degC}}
objectives: {reached: {goal: maximize, unit: degC}}
procedure: [{use: oven.heat, with: {target: $target}, gives: {reached: $reached}}]
budget: {trials: 4}
planner: {kind: sampling, seed: 1}
safety: {limits: from_resources}
resources:
  oven:
"""
LIMITS = {"target": {"low": 20, "high": 120, "unit": "degC"}}
HEAT = {"inputs": LIMITS, "fixed": {"seconds": 1}, "outputs": {"reached": {"unit": "degC"}}}
KINDS = {
    "blueapi": {"url": "http://127.0.0.1:{}", "instrument_session": "s", "capabilities": {"heat": {"plan": "heat"}}},
    "madsci": {"url": "http://127.0.0.1:{}", "capabilities": {"heat": {"action": "heat"}}},
    "queueserver": {
        "url": "tcp://127.0.0.1:{}",
        "capabilities": {"heat": {"plan": "heat", "results": "last_values"}},
    },
}


def labwright(folder, *words):
    return [sys.executable, "-m", "labwright", *words], {"cwd": folder, "stdin": subprocess.DEVNULL}


@pytest.mark.parametrize("kind", KINDS)
def test_a_campaign_that_is_killed_in_the_middle_of_each_trial_goes_on_and_repeats_none(kind, tmp_path):
    if kind == "queueserver" and find_spec("zmq") is None:
        pytest.skip("needs the extra 'bluesky'")
    try:
        server = ServerProcess(Path(__file__).parent / kind / "server.py", tmp_path)
    except NotFound as missing:
        pytest.skip(f"needs a server of {kind}: {missing}")
    options = json.loads(json.dumps({"kind": kind} | KINDS[kind]).replace("{}", str(server.port)))
    options["capabilities"]["heat"] |= HEAT
    (tmp_path / "campaign.yaml").write_text(f"{CAMPAIGN}    {json.dumps(options)}\n")

    with server:
        for trial in range(1, 4):
            call, how = labwright(tmp_path, "run", "campaign.yaml")
            with subprocess.Popen(call, **how, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
                while len(server.begun()) < trial and running.poll() is None:
                    time.sleep(0.01)
                running.send_signal(signal.SIGKILL)
        call, how = labwright(tmp_path, "run", "campaign.yaml")
        ended = subprocess.run(call, **how, capture_output=True, text=True)
        call, how = labwright(tmp_path, "trials", "warm", "--json")
        trials = json.loads(subprocess.run(call, **how, capture_output=True, text=True, check=True).stdout)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [trial["state"] for trial in trials] == ["observed"] * 4
    assert len(server.begun()) == 4
