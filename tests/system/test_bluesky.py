"""Plans of bluesky as capabilities, over devices of a user's own and over the PVs of a real IOC."""

import asyncio
import json
import math
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from labwright.core.command import CannotTell, Command, Failure, Observation, Running
from labwright.core.errors import InvalidInput, MissingExtra, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.bluesky import BlueskyResource

pytestmark = pytest.mark.timeout(60)

SCRIPT = Path(__file__).parent / "epics" / "ioc.py"
BEAMLINE = '''
import asyncio
from pathlib import Path

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import bluesky.preprocessors as bpp
import numpy as np
from ophyd_async.core import AsyncStatus, StandardReadable, soft_signal_rw

LOG = Path(__file__).parent / "log"


def note(what):
    with LOG.open("a") as file:
        file.write(f"{what}\\n")


class Motor(StandardReadable):
    def __init__(self, name=""):
        with self.add_children_as_readables():
            self.position = soft_signal_rw(float, units="mm")
        self.halt = asyncio.Event()
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def set(self, value):
        note(f"move {value:g}")
        if value > 50:
            raise ValueError("beyond the end of the rail")
        if value > 10:
            self.halt.clear()
            await self.halt.wait()
            raise RuntimeError("halted")
        await self.position.set(value)

    async def stop(self, success=True):
        note("stop")
        self.halt.set()


class Detector(StandardReadable):
    def __init__(self, motor, name=""):
        self._where = motor.position.get_value
        with self.add_children_as_readables():
            self.counts = soft_signal_rw(float)
            self.spectrum = soft_signal_rw(np.ndarray, np.arange(3.0))
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def trigger(self):
        await self.counts.set(10.0 - (await self._where() - 3.0) ** 2)


motor = Motor()
detector = Detector(motor)
_hidden = Motor()


def peak(detector, motor, low, high, points):
    """Scan, and say where it was highest."""
    best = {}
    @bpp.run_decorator(md={"num_points": int(points)})
    def inner():
        for x in np.linspace(low, high, int(points)):
            yield from bps.mv(motor, x)
            reading = yield from bps.trigger_and_read([detector, motor])
            counts = reading["detector-counts"]["value"]
            if counts > best.get("counts", -np.inf):
                best.update(counts=counts, at=np.float64(x))
    yield from inner()
    return best


def park():
    yield from bps.mv(motor, 0)
    note("parked")


def pauses():
    yield from bps.checkpoint()
    yield from bps.pause()


def leaves():
    yield from bps.null()
    raise SystemExit(3)


def stubborn(duration):
    while True:
        try:
            yield from bps.sleep(duration)
        except Exception:
            note("no")
'''
SCAN = {
    "plan": "bluesky.plans:scan",
    "args": [["detector"], "motor", "low", "high", "points"],
    "inputs": {
        "low": {"low": 0, "high": 100, "unit": "mm"},
        "high": {"low": 0, "high": 100, "unit": "mm"},
        "points": {"levels": [1, 5, 7]},
    },
    "outputs": {
        "most": {"field": "detector-counts", "take": "max"},
        "mean": {"field": "detector-counts", "take": "mean"},
        "end": {"field": "motor-position", "unit": "mm"},
    },
}
PEAK = {
    "plan": "beamline.py:peak",
    "kwargs": {"detector": "detector", "motor": "motor", "low": "low", "high": "high", "points": 7},
    "inputs": {name: {"low": 0, "high": 100} for name in ("low", "high")},
    "outputs": {"where": {"returned": "at", "unit": "mm"}, "counts": {"returned": "counts"}},
}


class Keeping(Silent):
    def __init__(self):
        super().__init__()
        self.kept, self.seen = [], []

    def progress(self, fraction, text=""):
        self.seen.append((round(fraction, 2), text))

    async def keep(self, name, data):
        self.kept.append((name, [json.loads(line) for line in data.splitlines()]))
        return await super().keep(name, data)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "beamline.py").write_text(BEAMLINE)
    return tmp_path


@asynccontextmanager
async def opened(folder, capabilities, **options):
    options = {"kind": "bluesky", "devices": "beamline.py", "capabilities": capabilities} | options
    async with BlueskyResource.open("beam", BlueskyResource.Options.model_validate(options), folder) as resource:
        yield resource


async def run(resource, capability, command_id="c1", recorder=None, timeout_s=None, **inputs):
    command = Command(command_id=command_id, epoch=1, capability=capability, inputs=inputs, timeout_s=timeout_s)
    return await resource.run(command, recorder or Silent())


async def ask(resource, capability, command_id="c1"):
    return await resource.ask(Command(command_id=command_id, epoch=1, capability=capability, inputs={}))


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def log(folder):
    file = folder / "log"
    return file.read_text().splitlines() if file.exists() else []


async def refusal(folder, capabilities, kind=InvalidInput, **options):
    with pytest.raises(kind) as refused:
        async with opened(folder, capabilities, **options):
            pass
    return str(refused.value)


async def test_a_scan_gives_its_outputs_and_its_documents_are_kept(folder):
    recorder = Keeping()
    async with opened(folder, {"scan": SCAN}) as resource:
        outcome = await run(resource, "scan", recorder=recorder, low=0, high=6, points=7)

    assert {name: (m.value, m.unit) for name, m in outcome.values.items()} == {
        "most": (10, None),
        "mean": (pytest.approx(6), None),
        "end": (6, "mm"),
        "documents": (outcome.objects[0], None),
    }
    [(name, documents)] = recorder.kept
    assert name == "documents.jsonl"
    assert len(outcome.objects) == 1
    assert [d["name"] for d in documents] == ["start", "descriptor", *["event"] * 7, "stop"]
    start = documents[0]["doc"]
    assert (start["command_id"], start["inputs"]) == ("c1", {"low": 0, "high": 6, "points": 7})
    assert documents[2]["doc"]["data"]["detector-spectrum"] == [0, 1, 2]
    assert (0.43, "3 events") in recorder.seen


async def test_a_plan_of_ones_own_may_return_what_it_found(folder):
    async with opened(folder, {"peak": PEAK}) as resource:
        outcome = await run(resource, "peak", low=0, high=6)

    assert {name: m.value for name, m in outcome.values.items()}.items() >= {"where": 3, "counts": 10}.items()
    assert outcome.values["where"].unit == "mm"


async def test_a_known_command_is_never_run_twice(folder):
    async with opened(folder, {"peak": PEAK}) as resource:
        both = await asyncio.gather(*(run(resource, "peak", low=0, high=6) for _ in range(2)))
        again = await run(resource, "peak", low=0, high=6)
        answer = await ask(resource, "peak")

    assert both == [again, again]
    assert len(log(folder)) == 7 + log(folder).count("stop")
    assert isinstance(answer, CannotTell)


async def test_a_plan_that_fails_is_a_failure_and_its_documents_are_kept(folder):
    recorder = Keeping()
    async with opened(folder, {"scan": SCAN}) as resource:
        outcome = await run(resource, "scan", recorder=recorder, low=60, high=60, points=1)
        after = await run(resource, "scan", "c2", low=0, high=6, points=7)

    said = "bluesky.plans:scan raised ValueError: beyond the end of the rail; its documents are kept as sha256:"
    assert outcome.reason.startswith(said)
    assert recorder.kept[0][1][-1]["doc"]["exit_status"] == "fail"
    assert isinstance(after, Observation)


@pytest.mark.parametrize(("plan", "words"), [("pauses", "RunEngineInterrupted"), ("leaves", "SystemExit")])
async def test_a_plan_that_pauses_or_leaves_ends_its_own_command_only(folder, plan, words):
    capabilities = {"odd": {"plan": f"beamline.py:{plan}"}, "peak": PEAK}
    async with opened(folder, capabilities) as resource:
        outcome = await run(resource, "odd")
        after = await run(resource, "peak", "c2", low=0, high=6)

    assert words in outcome.reason
    assert isinstance(after, Observation)


async def test_stop_stops_the_devices_aborts_the_plan_and_parks(folder):
    async with opened(folder, {"scan": SCAN}, stop="beamline.py:park") as resource:
        running = asyncio.create_task(run(resource, "scan", low=0, high=40, points=5))
        waiting = asyncio.create_task(run(resource, "scan", "c2", low=0, high=1, points=1))
        await until(lambda: "move 20" in log(folder))
        running_answer = await ask(resource, "scan")
        await resource.stop()
        outcome, second = await asyncio.gather(running, waiting)
        after = await run(resource, "scan", "c3", low=0, high=6, points=7)

    assert running_answer == Running()
    assert outcome.reason.startswith("it was stopped; its documents are kept")
    assert second == Failure(reason="it was stopped before it began")
    moves = log(folder)
    assert moves[moves.index("move 20") + 1] == "stop"
    assert moves.index("parked") > moves.index("stop")
    assert isinstance(after, Observation)


async def test_stop_at_any_time_is_accepted(folder):
    async with opened(folder, {"scan": SCAN}) as resource:
        for number in range(12):
            running = asyncio.create_task(run(resource, "scan", f"c{number}", low=0, high=40, points=5))
            await asyncio.sleep(0.01 * number)
            await resource.stop()
            assert "it was stopped" in (await asyncio.wait_for(running, 5)).reason
        await resource.stop()


async def test_a_command_that_comes_during_a_stop_is_not_begun(folder):
    async with opened(folder, {"scan": SCAN}, stop="beamline.py:park") as resource:
        stopping = asyncio.create_task(resource.stop())
        await asyncio.sleep(0)
        outcome = await run(resource, "scan", low=0, high=6, points=7)
        await stopping

    assert outcome == Failure(reason="it was stopped before it began")
    assert log(folder)[-2:] == ["parked", "stop"]  # the RunEngine stops what a plan has moved, at its end


async def test_a_stop_whose_plan_fails_says_so(folder):
    async with opened(folder, {"scan": SCAN}, stop="beamline.py:leaves") as resource:
        with pytest.raises(ResourceUnavailable, match=r"beamline\.py:leaves raised SystemExit: 3\. Stop it"):
            await resource.stop()


async def test_a_plan_beyond_its_time_limit_is_aborted_and_one_that_waits_was_not_begun(folder):
    async with opened(folder, {"scan": SCAN}) as resource:
        running = asyncio.create_task(run(resource, "scan", timeout_s=0.6, low=0, high=40, points=5))
        await until(lambda: "move 20" in log(folder))
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0.2 s; it is not begun"):
            await run(resource, "scan", "c2", timeout_s=0.2, low=0, high=6, points=7)
        outcome = await running
        second = await run(resource, "scan", "c2", low=0, high=6, points=7)

    assert outcome.reason.startswith("it has not ended within 0.6 s, and was aborted")
    assert isinstance(second, Observation)


async def test_a_plan_that_does_not_end_when_aborted_is_said_to_go_on_and_no_other_begins(folder):
    capabilities = {"stubborn": {"plan": "beamline.py:stubborn", "args": [1000]}, "scan": SCAN}
    async with opened(folder, capabilities, abort_s=0.5) as resource:
        running = asyncio.create_task(run(resource, "stubborn"))
        await asyncio.sleep(0.2)
        with pytest.raises(ResourceUnavailable, match="the plan does not end"):
            await resource.stop()
        answer = await ask(resource, "stubborn")
        with pytest.raises(ResourceUnavailable, match="it is not begun"):
            await run(resource, "scan", "c2", timeout_s=0.2, low=0, high=6, points=7)
        running.cancel()

    assert answer == Running()
    assert not any(line.startswith("move") for line in log(folder))


async def test_an_output_that_is_not_there_or_has_another_unit_is_a_failure(folder):
    wrong = {"field": {"field": "detector-count"}, "returned": {"returned": "at"}}
    unit = {"end": {"field": "motor-position", "unit": "K"}}
    capabilities = {n: SCAN | {"outputs": {"y": o}} for n, o in wrong.items()} | {"unit": SCAN | {"outputs": unit}}
    async with opened(folder, capabilities) as resource:
        said = {n: (await run(resource, n, n, low=0, high=6, points=7)).reason for n in capabilities}

    assert "no event of the stream 'primary' has 'detector-count'; it has detector-counts" in said["field"]
    assert "and no 'at'" in said["returned"]
    assert "the file says 'K', but the device says 'mm'" in said["unit"]
    assert all("are kept as sha256:" in reason for reason in said.values())


HOSTILE = [{"low": v} for v in (math.nan, math.inf, -1, 101, "1", None, True, [1], 10**400, 2j)]
HOSTILE += [{"points": v} for v in (2, 5.5, "5", None, True, math.nan)]


async def test_no_plan_is_begun_with_a_hostile_value(folder):
    good = {"low": 0, "high": 1, "points": 1}
    cases = [*(good | bad for bad in HOSTILE), {}, {"low": 1}, good | {"more": 1}]
    async with opened(folder, {"scan": SCAN}) as resource:
        outcomes = [await run(resource, "scan", f"h{i}", **inputs) for i, inputs in enumerate(cases)]

    assert [outcome for outcome in outcomes if not isinstance(outcome, Failure)] == []
    assert log(folder) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"args": [["detektor"]]},
            "beam.scan.args: 'detektor' is no input (low, high, points) and no device (motor, detector)",
        ),
        ({"args": ["_hidden"]}, "'_hidden' is no input"),
        ({"args": [{"text": 1}]}, "expected a name, a number, a list, or {value: text}"),
        ({"inputs": {"motor": {}}, "args": ["motor"]}, "'motor' is an input and a device"),
        ({"inputs": {"low": {"file": True}}}, "beam.scan.low: a plan takes no files"),
        ({"outputs": {"documents": "motor-position"}}, "the output 'documents' is the file of its documents"),
        ({"plan": "beamline.py:nothing"}, "plan: beamline.py has no function 'nothing'"),
        ({"plan": "nowhere.py:nothing"}, "plan: 'nowhere.py:nothing' cannot be imported"),
    ],
)
async def test_what_makes_no_sense_is_refused_at_the_start(folder, changed, words):
    assert words in await refusal(folder, {"scan": SCAN | changed})


async def test_devices_that_cannot_be_imported_are_named(folder):
    (folder / "beamline.py").write_text("raise SystemExit(2)")

    assert "beam.devices: 'beamline.py' cannot be imported: SystemExit: 2" in await refusal(folder, {"scan": SCAN})


async def test_a_device_that_cannot_be_connected_is_named(folder):
    told = await refusal(folder, {"scan": SCAN}, ResourceUnavailable, pvs={"gone": "ca://NOPE"}, connect_s=0.5)

    assert "the device 'gone' cannot be connected within 0.5 s" in told


async def test_a_missing_extra_is_an_error_that_names_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "bluesky", None)

    assert "pip install '.[bluesky]'" in await refusal(folder, {"scan": SCAN}, MissingExtra)


async def test_the_users_own_run_engine_runs_the_plans(folder):
    own = "\nfrom bluesky.run_engine import RunEngine\nRE = RunEngine({'beamline': 'I99'})\n"
    (folder / "beamline.py").write_text(own + BEAMLINE)
    recorder = Keeping()
    async with opened(folder, {"scan": SCAN}) as resource:
        await run(resource, "scan", recorder=recorder, low=0, high=6, points=7)

    assert recorder.kept[0][1][0]["doc"]["beamline"] == "I99"


@pytest.mark.parametrize("protocol", ["ca", "pva"])
async def test_single_pvs_are_devices_that_are_there_when_the_readback_says_so(tmp_path, protocol):
    ports = [os.environ[f"EPICS_{name}_ADDR_LIST"].split()[1].rpartition(":")[2] for name in ("CA", "PVA")]
    call = [sys.executable, str(SCRIPT), str(tmp_path), "SCAN", *ports]
    pvs = {"sample": {"pv": f"{protocol}://SCAN:SP", "readback": f"{protocol}://SCAN:RBV", "tolerance": 0.1}}
    scan = {
        "plan": "bluesky.plans:scan",
        "args": [["sample"], "sample", 20, "high", 3],
        "inputs": {"high": {"low": 20, "high": 200, "unit": "degC"}},
        "outputs": {"end": {"field": "sample", "unit": "degC"}},
    }
    move = {"plan": "bluesky.plan_stubs:mv", "args": ["sample", "to"], "inputs": {"to": {"low": 0, "high": 200}}}
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as ioc:
        assert b"ready\n" in iter(ioc.stdout.readline, b"")
        async with opened(tmp_path, {"scan": scan, "move": move}, devices=None, pvs=pvs, settle_s=1) as resource:
            outcome = await run(resource, "scan", high=40)
            never = await run(resource, "move", "c2", to=13)

    assert outcome.values["end"].value == pytest.approx(40, abs=0.1)
    assert "bluesky.plan_stubs:mv raised TimeoutError" in never.reason
    assert (tmp_path / "begun").read_text().splitlines()[:3] == ["SP 20.0", "SP 30.0", "SP 40.0"]
