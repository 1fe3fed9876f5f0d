"""The simulated cell of the example: a process of its own, known through OPC UA only."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from labwright.core.command import Command, Done, Failure, NeverStarted, Observation, Running
from labwright.core.recorder import Silent
from labwright.resources.opcua import OpcUaResource

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fast_charge"
GOOD = {"current_1": 9.0, "current_2": 6.0, "current_3": 3.5, "chamber": 25.0}  # 1.8C, 1.2C, 0.7C
pytest.importorskip("pybamm", reason="needs pybamm")


@dataclass
class Bench:
    """A folder with a cell in it, which can be started, killed and started again."""

    folder: Path
    process: subprocess.Popen | None = None

    def start(self, *options: str) -> str:
        """Start the cell and return its url when it listens."""
        with (self.folder / "out.log").open("ab") as log:
            command = [sys.executable, str(EXAMPLE / "cell.py"), f"--folder={self.folder}", "--port=0", *options]
            self.process = subprocess.Popen([*command, "--idle-exit=120"], stdout=log, stderr=log)
        while not (self.folder / "cell.json").exists():
            assert self.process.poll() is None, (self.folder / "out.log").read_text()
            time.sleep(0.02)
        return json.loads((self.folder / "cell.json").read_text())["url"]

    def end(self, number: int) -> int:
        """Send the signal and wait for the end."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=20)

    def journal(self) -> list[dict]:
        return [json.loads(line) for line in (self.folder / "journal.jsonl").read_text().splitlines()]

    def charges(self) -> int:
        return sum(entry["event"] == "started" for entry in self.journal())


@contextlib.contextmanager
def bench_in(folder: Path) -> Iterator[Bench]:
    bench = Bench(folder)
    try:
        yield bench
    finally:
        if bench.process and bench.process.poll() is None:
            bench.end(signal.SIGKILL)


@pytest.fixture
def bench(tmp_path) -> Iterator[Bench]:
    with bench_in(tmp_path) as bench:
        yield bench


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[tuple[Bench, str]]:
    """One unpaced cell for all tests that only charge it."""
    with bench_in(tmp_path_factory.mktemp("cell")) as bench:
        yield bench, bench.start("--seed=7")


def opened(url: str):
    options = yaml.safe_load((EXAMPLE / "campaign.yaml").read_text())["resources"]["cell"] | {"url": url}
    return OpcUaResource.open("cell", OpcUaResource.Options.model_validate(options), EXAMPLE)


def charge(command_id: str, **changes: float) -> Command:
    return Command(command_id=command_id, epoch=1, capability="charge", inputs=GOOD | changes)


def values(outcome) -> dict[str, float]:
    assert isinstance(outcome, Observation), outcome
    return {name: measurement.value for name, measurement in outcome.values.items()}


async def test_a_good_protocol_reaches_80_percent_within_its_limits(running):
    async with opened(running[1]) as cell:
        outcome = await cell.run(charge("good"), Silent())

    found = values(outcome)
    assert found["charge"] == 80.0
    assert found["minutes"] == pytest.approx(39.44, abs=0.01)
    assert found["max_temperature"] == pytest.approx(42.7, abs=0.5)
    assert found["min_anode_potential"] == pytest.approx(0.0004, abs=0.0025)
    assert outcome.values["min_anode_potential"].unit == "V"


async def test_a_charge_that_meets_the_voltage_limit_is_an_observation_of_what_was_reached(running):
    async with opened(running[1]) as cell:
        found = values(await cell.run(charge("early", current_1=4.0, current_2=4.0, current_3=4.0), Silent()))

    assert found["charge"] == pytest.approx(77.5, abs=0.2)
    assert found["max_voltage"] == pytest.approx(4.2, abs=0.005)


async def test_a_charge_that_becomes_too_hot_ends_at_60_degrees(running):
    hot = charge("hot", current_1=15.0, current_2=5.0, current_3=2.5, chamber=40.0)

    async with opened(running[1]) as cell:
        found = values(await cell.run(hot, Silent()))

    assert found["max_temperature"] == pytest.approx(60, abs=0.5)
    assert found["charge"] < 40


async def test_a_known_command_is_not_charged_twice(running):
    bench, url = running
    async with opened(url) as cell:
        first = await cell.run(charge("once"), Silent())
        before = bench.charges()
        again = await cell.run(charge("once"), Silent())
        answer = await cell.ask(charge("once"))

    assert first == again
    assert answer == Done(outcome=first)
    assert bench.charges() == before


async def test_noise_belongs_to_the_inputs_and_not_to_the_command(running):
    async with opened(running[1]) as cell:
        one = values(await cell.run(charge("one"), Silent()))
        two = values(await cell.run(charge("two"), Silent()))
        other = values(await cell.run(charge("other", chamber=25.01), Silent()))

    assert one == two
    assert abs(one["max_temperature"] - other["max_temperature"]) > 0.01


async def test_it_refuses_what_is_out_of_its_limits(running):
    async with opened(running[1]) as cell:
        too_much = await cell.run(charge("much", current_2=15.1), Silent())
        nonsense = await cell.run(charge("nan", chamber=float("nan")), Silent())
        assert isinstance(await cell.ask(charge("much")), NeverStarted)

    assert isinstance(too_much, Failure)
    assert "current_2 = 15.1: BadOutOfRange" in too_much.reason
    assert isinstance(nonsense, Failure)


async def test_it_never_heard_of_other_commands(running):
    async with opened(running[1]) as cell:
        assert isinstance(await cell.ask(charge("nobody")), NeverStarted)


async def test_a_second_process_may_not_own_the_same_folder(running):
    bench, _ = running
    second = subprocess.run(
        [sys.executable, str(EXAMPLE / "cell.py"), f"--folder={bench.folder}", "--port=0"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert second.returncode == 3
    assert "Another cell owns" in second.stderr


async def test_a_paced_cell_is_busy_shows_its_readings_and_stops_when_told(bench):
    async with opened(bench.start("--pace=400")) as cell:  # 39 minutes take 6 seconds
        recorder = Silent()
        waiting = asyncio.create_task(cell.run(charge("slow"), recorder))
        readings = []
        async with asyncio.timeout(30):
            while len(set(readings)) < 4:
                readings.append(await reading(cell))
        assert isinstance(await cell.ask(charge("slow")), Running)
        refused = await order_directly(cell, "second")
        await cell.stop()
        found = values(await waiting)

    assert "BadInvalidState" in refused
    assert sorted(readings) == readings
    assert 0 < recorder.fraction < 1
    assert 10 < found["charge"] < 80
    assert bench.charges() == 1


async def reading(cell: OpcUaResource) -> float:
    """Return the charge that the cell shows, a moment later."""
    await asyncio.sleep(0.12)
    [found] = await cell._connection.read(["Cell/Telemetry/Charge"])
    return found.value


async def order_directly(cell: OpcUaResource, command_id: str) -> str:
    """Order a charge without waiting for the cell to be free, as another client might; return the refusal."""
    try:
        await cell._skills["charge"].order(charge(command_id))
    except Exception as error:
        return str(error)
    return "taken"


async def test_a_charge_cut_by_a_loss_of_power_has_failed_and_the_journal_goes_on(bench):
    async with opened(bench.start("--pace=100")) as cell:
        waiting = asyncio.create_task(cell.run(charge("cut"), Silent()))
        while bench.charges() == 0:
            await asyncio.sleep(0.02)
        bench.end(signal.SIGKILL)
        waiting.cancel()
        await asyncio.wait([waiting])
    with (bench.folder / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"event": "ended", "comm')  # what the loss of power left of a line
    (bench.folder / "cell.json").unlink()

    async with opened(bench.start()) as cell:
        answer = await cell.ask(charge("cut"))
        assert isinstance(await cell.run(charge("cut"), Silent()), Failure)
        assert values(await cell.run(charge("next"), Silent()))["charge"] == 80.0

    assert answer == Done(outcome=Failure(reason="the cell lost power during the charge"))
    assert [(e["event"], e["command_id"]) for e in bench.journal()] == [
        ("started", "cut"), ("ended", "cut"), ("started", "next"), ("ended", "next")
    ]  # fmt: skip
    assert bench.end(signal.SIGTERM) == 0
    assert not (bench.folder / "cell.json").exists()


async def test_a_detached_cell_is_found_again_and_pace_does_not_change_what_it_measures(tmp_path, running):
    command = [sys.executable, str(EXAMPLE / "cell.py"), f"--folder={tmp_path}", "--port=0", "--detach"]
    command += ["--pace=6000", "--idle-exit=60"]
    subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
    endpoint = json.loads((tmp_path / "cell.json").read_text())
    try:
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL)
        assert json.loads((tmp_path / "cell.json").read_text()) == endpoint
        async with opened(endpoint["url"]) as paced, opened(running[1]) as unpaced:
            assert await paced.run(charge("p"), Silent()) == await unpaced.run(charge("u"), Silent())
    finally:
        os.kill(endpoint["pid"], signal.SIGTERM)


BROKEN_MODEL = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from charger import Charger
from journal import Journal
from model import ChargeFailed

class Model:
    def charge(self, currents, chamber, *, go_on):
        raise ChargeFailed("the solver gave up")

class Display:
    async def job(self, job): print(job.command_id, job.state, job.reason)
    async def reading(self, reading): pass

async def main():
    charger = Charger(Model(), Journal(Path(sys.argv[2])), Display(), seed=1, pace=0)
    for command_id in ("a", "b"):
        await charger.start(command_id, {f"current_{i}": 5.0 for i in (1, 2, 3)} | {"chamber": 25.0})
        while charger.running:
            await asyncio.sleep(0.01)

asyncio.run(main())
"""


def test_a_solver_that_gives_up_is_a_failed_charge_and_the_cell_goes_on(tmp_path):
    command = [sys.executable, "-c", BROKEN_MODEL, str(EXAMPLE), str(tmp_path / "journal.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.splitlines() == [
        "a running ", "a failed the solver gave up", "b running ", "b failed the solver gave up"
    ]  # fmt: skip
