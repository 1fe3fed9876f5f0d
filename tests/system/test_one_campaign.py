"""One campaign, unchanged but for its `resources`, on every kind of instrument there is a simulated one of."""

import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from labwright.core.errors import NotFound
from labwright.testing import ServerProcess

HERE = Path(__file__).parent
CAMPAIGN = """\
name: warm
question: Which set point is the warmest?
space: {target: {kind: continuous, low: 50, high: 80, unit: degC}}
objectives: {reached: {goal: maximize, unit: degC}}
procedure: [{use: oven.heat, with: {target: $target}, gives: {reached: $reached}}]
budget: {trials: 3}
planner: {kind: sampling, seed: 1}
resources:
  oven:
"""
LIMITS = {"low": 20, "high": 120, "unit": "degC"}
SERVED = {"inputs": {"target": LIMITS}, "fixed": {"seconds": 0.1}, "outputs": {"reached": {"unit": "degC"}}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def program(*words):
    """Run a server that says that it is ready, and ends when its input does."""
    with subprocess.Popen([sys.executable, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout.readline() == b"ready\n"
        yield


@contextmanager
def function(folder):
    (folder / "lab.py").write_text("def heat(target):\n    return {'reached': target}\n")
    yield {"kind": "function", "call": "lab.py:heat", "inputs": {"target": LIMITS}, "outputs": {"reached": "degC"}}


@contextmanager
def opcua(folder):
    url = f"opc.tcp://127.0.0.1:{free_port()}/"
    heat = {
        "start": "Heater/Heat",
        "command_id": "Heater/Id",
        "state": "Heater/State",
        "inputs": {"target": {"argument": "temperature", **LIMITS}},
        "fixed": {"seconds": 0.1},
        "outputs": {"reached": "Heater/Temperature"},
    }
    with program(HERE / "guarded" / "heater.py", url, folder / "journal"):
        yield {"kind": "opcua", "url": url, "stop": "Heater/Stop", "capabilities": {"heat": heat}}


@contextmanager
def sila(folder):
    port = free_port()
    heat = {
        "command": "Oven/Heat",
        "inputs": {"target": {"parameter": "Target"}},
        "fixed": {"Duration": 0.1},
        "outputs": {"reached": {"response": "Reached"}},
    }
    with program(HERE / "sila" / "server.py", folder, port):
        url = f"sila://127.0.0.1:{port}"
        yield {"kind": "sila", "url": url, "insecure": True, "capabilities": {"heat": heat}}


@contextmanager
def served(folder, kind, scheme, **more):
    heat = SERVED | more.pop("heat")
    try:
        server = ServerProcess(HERE / kind / "server.py", folder)
    except NotFound as missing:
        pytest.skip(f"needs a server of {kind}: {missing}")
    with server:
        yield {"kind": kind, "url": f"{scheme}://127.0.0.1:{server.port}", "capabilities": {"heat": heat}, **more}


def madsci(folder):
    return served(folder, "madsci", "http", heat={"action": "heat"})


def blueapi(folder):
    return served(folder, "blueapi", "http", heat={"plan": "heat"}, instrument_session="s")


def queueserver(folder):
    if find_spec("zmq") is None:
        pytest.skip("needs the extra 'bluesky'")
    return served(folder, "queueserver", "tcp", heat={"plan": "heat", "results": "last_values"})


@contextmanager
def person(folder):
    outputs = {"reached": {"unit": "degC", "low": 0, "high": 120}}
    heat = {"instructions": "Heat the oven.", "inputs": {"target": LIMITS}, "outputs": outputs}
    yield {"kind": "person", "capabilities": {"heat": heat}}


KINDS = (function, opcua, sila, madsci, blueapi, queueserver, person)


def labwright(folder, *words, **how):
    return subprocess.Popen(
        [sys.executable, "-m", "labwright", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **how,
    )


def asked(folder, *words):
    with labwright(folder, *words, "--json") as process:
        return json.loads(process.communicate(timeout=60)[0] or "[]")


def report_what_is_asked(folder, running):
    """Report on each task as somebody would: the oven got as warm as it was set."""
    while running.poll() is None:
        for task in asked(folder, "tasks") if (folder / "labwright.db").exists() else []:
            target = task["given"]["target"]["value"]
            with labwright(folder, "done", str(task["task"]), "--set", f"reached={target}") as done:
                assert done.wait(60) == 0, done.stdout.read()
        time.sleep(0.2)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_same_campaign_runs_on_it_to_the_same_answer(kind, tmp_path):
    with kind(tmp_path) as options:
        (tmp_path / "campaign.yaml").write_text(f"{CAMPAIGN}    {json.dumps(options)}\n")
        with labwright(tmp_path, "run", "campaign.yaml") as running:
            if kind is person:
                report_what_is_asked(tmp_path, running)
            said = running.communicate(timeout=120)[0]
        assert running.returncode == 0, said
        trials = asked(tmp_path, "trials", "warm")

    assert [trial["state"] for trial in trials] == ["observed"] * 3
    targets = [trial["proposal"]["point"]["target"] for trial in trials]
    assert [trial["outcomes"]["reached"] for trial in trials] == pytest.approx(targets)
    assert targets == pytest.approx([65.0, 57.5, 72.5], abs=15)
