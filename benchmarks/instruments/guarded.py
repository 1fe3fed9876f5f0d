"""What a guard before a real instrument lets pass, and how fast it stops it while it works, with its database gone.

The instrument is a heater behind an OPC UA server, in a process of its own; it writes down what it physically does, on
the clock that all processes of this machine share.
"""

import asyncio
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from labwright.app.guarding import sign_limits
from labwright.core.campaign import Guard as Guarded
from labwright.core.campaign import PlugIn
from labwright.core.command import Command
from labwright.core.errors import PlatformError
from labwright.core.person import Person
from labwright.core.recorder import Silent
from labwright.resources.opening import key_of, opened
from labwright.safety.monitor import Past
from labwright.safety.signature import public_key
from labwright.sites.duty import Duty
from labwright.sites.guard import Guard, Place, limits_of
from labwright.storage.database import Database
from labwright.storage.database.thread import StorageThread
from labwright.storage.guards import Guards
from labwright.testing.hostile import Hostile

ROOT = Path(__file__).parents[2]
HEATER = ROOT / "tests" / "system" / "guarded" / "heater.py"
STOPS, HOSTILE, RIGHT = 200, 1000, 20
KEY = bytes(range(32))
ADA = Person(name="Ada", secret="", added_at="")
LIMITS = """\
version: 1
instrument: heater
simulated: true
heartbeat_s: 2
safe_state: {heater: 20}
channels:
  capability: {levels: [heat]}
  heater: {unit: degC, units: [K], low: 0, high: 90, fresh_s: 2}
  hold: {unit: s, low: 0, high: 60}
modes:
  warm:
    channels: {capability: , heater: {high: 80}, hold: }
"""


def measure() -> tuple[dict[str, float], list[tuple[str, str]]]:
    """Return the figures, and lines of a table."""
    with tempfile.TemporaryDirectory() as folder:
        stops, acted_on, refused, carried_out = asyncio.run(_measure(Path(folder)))
    stops.sort()
    figures = {
        "stop_ms_p50": stops[len(stops) // 2],
        "stop_ms_p99": stops[min(len(stops) - 1, int(len(stops) * 0.99))],
        "hostile_commands": HOSTILE,
        "hostile_refused": refused,
        "hostile_acted_on": acted_on,
    }
    lines = [
        (f"stop to the safe state, {STOPS} times at work", f"{figures['stop_ms_p50']:.2f} ms"),
        ("the same, 99 of 100 within; the database is gone in the second half", f"{figures['stop_ms_p99']:.2f} ms"),
        (f"right commands carried out, of {RIGHT}", f"{carried_out}"),
        (f"hostile commands refused, of {HOSTILE}", f"{refused}"),
        ("hostile commands acted on, by the instrument's own count", f"{acted_on}"),
    ]
    return figures, lines


async def _measure(folder: Path) -> tuple[list[float], int, int, int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"opc.tcp://127.0.0.1:{probe.getsockname()[1]}/"
    journal = folder / "journal.jsonl"
    journal.touch()
    words = [sys.executable, HEATER, url, journal]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as heater:
        assert heater.stdout is not None
        assert heater.stdout.readline() == "ready\n"
        place = _place(folder, url)
        limits = limits_of(place, [public_key(KEY).hex()])
        async with opened(place.name, place.plug_in, folder) as resource:
            guard = Guard(resource, place)
            stops = await _stops(guard, limits, folder, journal)
            acted_on, refused, carried_out = await _hostile(guard, limits, journal)
        assert heater.stdin is not None
        heater.stdin.close()
    return stops, acted_on, refused, carried_out


def _place(folder: Path, url: str) -> Place:
    (folder / "oven.limits.yaml").write_text(LIMITS)
    sign_limits(folder / "oven.limits.yaml", KEY)
    options = {
        "url": url,
        "stop": "Heater/Stop",
        "telemetry": {"channels": {"heater": "Heater/Temperature"}},
        "setpoints": {"heater": "Heater/Setpoint"},
        "capabilities": {
            "heat": {
                "start": "Heater/Heat",
                "command_id": "Heater/Id",
                "state": "Heater/State",
                "inputs": {"temperature": {"node": "Heater/Setpoint"}, "seconds": {"unit": "s"}},
                "outputs": {"yield": {"node": "Heater/Yield", "unit": "%"}},
            }
        },
    }
    channels = {"temperature": "heater", "seconds": "hold"}
    guard = Guarded(limits="oven.limits.yaml", mode="warm", channels=channels, instrument="heater", simulated=True)
    plug_in = PlugIn(kind="opcua", options=options, guard=guard)
    return Place(name="oven", plug_in=plug_in, folder=folder, thing=key_of("oven", plug_in, folder))


async def _stops(guard: Guard, limits: object, folder: Path, journal: Path) -> list[float]:
    """Return what it took from stop to the safe state, in ms; in the second half the database is gone."""
    database = Database.open(f"sqlite:///{folder / 'labwright.db'}", create=True)
    thread, found, dice = StorageThread(database), [], random.Random(1)
    duty = Duty(guard, Guards(database), thread, "worker")
    await duty.begin()
    for i in range(STOPS):
        if i == STOPS // 2:
            for path in folder.glob("labwright.db*"):
                if path.is_file():
                    path.rename(path.with_name(f"gone-{path.name}"))
        guard.arm(limits, digest=limits.digest, mode="warm", motion=False, by=ADA)
        work = asyncio.create_task(guard.run(_command(f"stop-{i}", 60.0, seconds=10.0), Silent()))
        while not any(a["what"] == "heat" and a["id"] == f"stop-{i}" for a in _acts(journal)):
            await asyncio.sleep(0.01)
        await asyncio.sleep(dice.uniform(0.0, 0.03))
        begun = time.monotonic()
        await guard.stop()
        found.append(1000 * (await _is_safe(journal, begun) - begun))
        with suppress(PlatformError):
            await work
    await duty.end()
    thread.close()
    with suppress(PlatformError):
        database.close()
    return found


async def _is_safe(journal: Path, begun: float) -> float:
    """Return when the instrument had stopped, and its setpoint was that of the safe state."""
    while True:
        acts = [act for act in _acts(journal) if act["at"] >= begun]
        stopped = [act["at"] for act in acts if act["what"] == "stop"]
        safe = [act["at"] for act in acts if act["what"] == "set" and act["value"] == 20.0]
        if stopped and safe:
            return max(stopped[0], safe[0])
        await asyncio.sleep(0.005)


async def _hostile(guard: Guard, limits: object, journal: Path) -> tuple[int, int, int]:
    """Return how many hostile commands the instrument acted on, how many were refused, and how many right ones done."""
    await guard.begin(Past())
    guard.arm(limits, digest=limits.digest, mode="warm", motion=False, by=ADA)
    right = [_command(f"right-{i}", 40.0 + i) for i in range(RIGHT)]
    for command in right:
        await guard.run(command, Silent())
    known = tuple(command.command_id for command in right)
    before, refused = len(_heats(journal)), 0
    for command in Hostile(right=_command("right", 60.0), known=known).commands(HOSTILE, seed=7):
        try:
            await guard.run(command, Silent())
        except PlatformError:
            refused += 1
    acted_on = len(_heats(journal)) - before
    carried_out = sum(act["id"].startswith("right-") for act in _heats(journal)[:before])
    await guard.end()
    return acted_on, refused, carried_out


def _command(command_id: str, temperature: float, seconds: float = 0.05) -> Command:
    inputs = {"temperature": temperature, "seconds": seconds}
    return Command(command_id=command_id, epoch=1, capability="heat", inputs=inputs)


def _acts(journal: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _heats(journal: Path) -> list[dict[str, object]]:
    return [act for act in _acts(journal) if act["what"] == "heat"]
