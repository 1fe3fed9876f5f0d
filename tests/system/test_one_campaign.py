"""One campaign, unchanged but for its `resources`, on every kind of instrument there is a simulated one of."""

import json
import os
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
question: Which set point leads highest?
space: {target: {kind: continuous, low: 50, high: 80, unit: UNIT}}
objectives: {reached: {goal: maximize, unit: UNIT}}
procedure: [{use: station.work, with: {target: $target}, gives: {reached: $reached}}]
budget: {trials: 3}
planner: {kind: sampling, seed: 1}
resources:
  station:
"""
LIMITS = {"low": 20, "high": 120}


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
def function(folder, unit):
    (folder / "lab.py").write_text("def work(target):\n    return {'reached': target}\n")
    inputs = {"target": {**LIMITS, "unit": unit}}
    yield {"kind": "function", "call": "lab.py:work", "inputs": inputs, "outputs": {"reached": unit}}


@contextmanager
def opcua(folder, unit):
    url = f"opc.tcp://127.0.0.1:{free_port()}/"
    heat = {
        "start": "Heater/Heat",
        "command_id": "Heater/Id",
        "state": "Heater/State",
        "inputs": {"target": {"argument": "temperature", "unit": unit, **LIMITS}},
        "fixed": {"seconds": 0.1},
        "outputs": {"reached": "Heater/Temperature"},
    }
    with program(HERE / "guarded" / "heater.py", url, folder / "journal"):
        yield {"kind": "opcua", "url": url, "stop": "Heater/Stop", "capabilities": {"work": heat}}


@contextmanager
def sila(folder, unit):
    port = free_port()
    heat = {
        "command": "Oven/Heat",
        "inputs": {"target": {"parameter": "Target"}},
        "fixed": {"Duration": 0.1},
        "outputs": {"reached": {"response": "Reached"}},
    }
    with program(HERE / "sila" / "server.py", folder, port):
        url = f"sila://127.0.0.1:{port}"
        yield {"kind": "sila", "url": url, "insecure": True, "capabilities": {"work": heat}}


@contextmanager
def served(folder, unit, kind, scheme, **more):
    heat = {"inputs": {"target": {**LIMITS, "unit": unit}}, "fixed": {"seconds": 0.1}} | more.pop("heat")
    heat["outputs"] = {"reached": {"unit": unit}}
    try:
        server = ServerProcess(HERE / kind / "server.py", folder)
    except NotFound as missing:
        pytest.skip(f"needs a server of {kind}: {missing}")
    with server:
        yield {"kind": kind, "url": f"{scheme}://127.0.0.1:{server.port}", "capabilities": {"work": heat}, **more}


def madsci(folder, unit):
    return served(folder, unit, "madsci", "http", heat={"action": "heat"})


def blueapi(folder, unit):
    return served(folder, unit, "blueapi", "http", heat={"plan": "heat"}, instrument_session="s")


def queueserver(folder, unit):
    if find_spec("zmq") is None:
        pytest.skip("needs the extra 'bluesky'")
    return served(folder, unit, "queueserver", "tcp", heat={"plan": "heat", "results": "last_values"})


@contextmanager
def person(folder, unit):
    outputs = {"reached": {"unit": unit, "low": 0, "high": 120}}
    heat = {"instructions": "Set it.", "inputs": {"target": {**LIMITS, "unit": unit}}, "outputs": outputs}
    yield {"kind": "person", "capabilities": {"work": heat}}


@contextmanager
def ioc(folder):
    ports = [os.environ[f"EPICS_{name}_ADDR_LIST"].split()[1].rpartition(":")[2] for name in ("CA", "PVA")]
    call = [sys.executable, str(HERE / "epics" / "ioc.py"), str(folder), "ONE", *ports]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert b"ready\n" in iter(process.stdout.readline, b"")
        yield


@contextmanager
def epics(folder, unit):
    target = {"pv": "SP", "readback": "RBV", "tolerance": 1e-4, "unit": unit, **LIMITS}
    work = {"inputs": {"target": target}, "outputs": {"reached": {"pv": "RBV", "unit": unit}}}
    with ioc(folder):
        yield {"kind": "epics", "prefix": "ONE:", "capabilities": {"work": work}}


@contextmanager
def bluesky(folder, unit):
    (folder / "beam.py").write_text(
        "import bluesky.plan_stubs as bps\n"
        "from ophyd_async.epics.core import epics_signal_r, epics_signal_rw\n"
        "set_point = epics_signal_rw(float, 'ca://ONE:SP')\n"
        "temperature = epics_signal_r(float, 'ca://ONE:RBV')\n"
        "def work(target):\n"
        "    yield from bps.abs_set(set_point, target)\n"
        "    while abs((yield from bps.rd(temperature)) - target) > 1e-4:\n"
        "        yield from bps.sleep(0.01)\n"
        "    return {'reached': (yield from bps.rd(temperature))}\n"
    )
    part = {"plan": "beam.py:work", "args": ["target"], "inputs": {"target": {**LIMITS, "unit": unit}}}
    part["outputs"] = {"reached": {"returned": "reached", "unit": unit}}
    with ioc(folder):
        yield {"kind": "bluesky", "devices": "beam.py", "capabilities": {"work": part}}


@contextmanager
def pylabrobot(folder, unit):
    labware = {
        "tips": {"kind": "hamilton_96_tiprack_300uL", "at": [0, 0, 0]},
        "plate": {"kind": "cor_96_wellplate_360uL_Fb", "at": [150, 0, 0]},
        "trash": {"kind": "Trash", "options": {"size_x": 50, "size_y": 50, "size_z": 50}, "at": [300, 0, 0]},
    }
    dose = {"do": "transfer", "source": "plate/A1", "target": {"first_empty": "plate"}}
    dose |= {"volume": {"input": "target", "unit": unit, **LIMITS}, "outputs": {"reached": "target_volume"}}
    yield {
        "kind": "pylabrobot",
        "backend": f"{HERE / 'pylabrobot' / 'backend.py'}:Counting",
        "backend_options": {"file": str(folder / "acts")},
        "deck": {"kind": "Deck", "options": {"size_x": 600, "size_y": 400, "size_z": 300}, "labware": labware},
        "volumes": {"plate": "0 uL", "plate/A1": "300 uL"},
        "tips": ["tips"],
        "state": "deck.jsonl",
        "capabilities": {"work": dose},
    }


OVENS = (function, opcua, epics, bluesky, sila, madsci, blueapi, queueserver, person)
DOSERS = (function, madsci, pylabrobot)  # the devices that say themselves that they take degC cannot dose
KINDS = [(kind, "degC") for kind in OVENS] + [(kind, "uL") for kind in DOSERS]


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
    """Report on each task as somebody would: it came to what it was set to."""
    while running.poll() is None:
        for task in asked(folder, "tasks") if (folder / "labwright.db").exists() else []:
            target = task["given"]["target"]["value"]
            with labwright(folder, "done", str(task["task"]), "--set", f"reached={target}") as done:
                assert done.wait(60) == 0, done.stdout.read()
        time.sleep(0.2)


@pytest.mark.parametrize(("kind", "unit"), KINDS, ids=[f"{kind.__name__} in {unit}" for kind, unit in KINDS])
def test_the_same_campaign_runs_on_it_to_the_same_answer(kind, unit, tmp_path):
    with kind(tmp_path, unit) as options:
        (tmp_path / "campaign.yaml").write_text(f"{CAMPAIGN.replace('UNIT', unit)}    {json.dumps(options)}\n")
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
