"""What OPC UA costs through Labwright, beside the same calls of asyncua itself."""

import asyncio
import contextlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from instruments.server import TAGS
from labwright.core.command import Command, Observation
from labwright.core.recorder import Recorder, Silent
from labwright.core.run import Member, Run
from labwright.core.states import RunState
from labwright.resources.opcua import OpcUaResource
from labwright.resources.opcua.connection import Connection
from labwright.resources.opcua.wire import variant
from labwright.sites.recorder import RunRecorder
from labwright.storage.campaigns import Campaigns
from labwright.storage.database import Database
from labwright.storage.database.schema import runs
from labwright.storage.database.thread import StorageThread
from labwright.storage.objects import Objects
from labwright.storage.tasks import Tasks
from labwright.storage.telemetry import Telemetry

HERE = Path(__file__).resolve().parents[1]
ROUNDS = 400
WARM = 20
Times = dict[str, list[float]]


@contextlib.contextmanager
def served() -> Iterator[tuple[str, Path]]:
    """Start the server in a process of its own; yields its url, and a folder that trusts it."""
    folder = Path(tempfile.mkdtemp(prefix="labwright-opcua-"))
    words = [sys.executable, "-m", "instruments.server", str(folder)]
    process = subprocess.Popen(words, cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.stdout.readline().strip(), folder
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
        shutil.rmtree(folder)


def options(url: str, oven: str, **said: Any) -> Any:
    """Return the options of one of the server's ovens."""
    nodes = {"start": f"{oven}/Heat", "command_id": f"{oven}/Id", "state": f"{oven}/State"}
    heat = nodes | {"inputs": {"x": f"{oven}/X"}, "outputs": {"y": f"{oven}/Y"}}
    return OpcUaResource.Options.model_validate({"url": url, "capabilities": {"heat": heat}, **said})


def percentiles(times: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile, in ms."""
    return 1000 * statistics.median(times), 1000 * float(np.quantile(times, 0.99))


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds that something takes."""
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def requests(url: str, folder: Path) -> Times:
    """Return the times of writes and reads through the adapter's connection, open and encrypted, taken in turns."""
    times: Times = {}
    async with contextlib.AsyncExitStack() as stack:
        ways = {}
        for way, said in {"plain": {}, "secured": {"security": {}}}.items():
            opened = Connection.open(way, options(url, "Quick", **said), folder)
            ways[way] = await stack.enter_async_context(opened)
        kind = await ways["plain"].variable_type("Quick/X")
        for number in range(WARM + ROUNDS):
            for way, connection in ways.items():
                for what, work in _requests(connection, float(number), kind).items():
                    times.setdefault(f"{way} {what}", []).append(await timed(work))
    return {what: found[WARM:] for what, found in times.items()}


def _requests(connection: Connection, value: float, kind: Any) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "write": lambda: connection.write("Quick/X", value, kind),
        "read": lambda: connection.read(["Quick/X"]),
    }


async def overhead(url: str, folder: Path) -> Times:
    """Return the times of whole commands through the adapter, and of the same calls of asyncua, taken in turns."""
    times: Times = {"adapter": [], "asyncua": []}
    async with OpcUaResource.open("oven", options(url, "Quick", security={}), folder) as resource:
        bare = await _bare(resource)
        for number in range(WARM + ROUNDS):
            command = Command(command_id=f"c{number}", epoch=1, capability="heat", inputs={"x": float(number)})
            times["adapter"].append(await timed(lambda command=command: resource.run(command, Silent())))
            times["asyncua"].append(await timed(lambda number=number: bare(f"b{number}", float(number))))
    return {what: found[WARM:] for what, found in times.items()}


async def _bare(resource: OpcUaResource) -> Callable[[str, float], Awaitable[None]]:
    """Return the requests of one command, made with asyncua alone on the same session."""
    from asyncua import ua

    connection = resource._connection
    client, addresses = connection._client, await connection._session()
    find = {name: await addresses.find(f"Quick/{name}") for name in ("Heat", "State", "Id", "Y")}
    parent = await addresses.parent("Quick/Heat")
    takes = (await connection.method("Quick/Heat")).takes.items()
    read = [find["State"], find["Id"], find["Y"]]

    async def look() -> None:
        await client.uaclient.read_attributes(read, ua.AttributeIds.Value)

    async def command(command_id: str, x: float) -> None:
        await look()
        values = zip(takes, (command_id, x), strict=True)
        arguments = [variant(name, value, kind) for (name, kind), value in values]
        request = ua.CallMethodRequest(ObjectId=parent, MethodId=find["Heat"], InputArguments=arguments)
        await client.uaclient.call([request])
        await look()

    return command


async def telemetry_lost(url: str, folder: Path, seconds: float) -> tuple[int, int]:
    """Return how many samples of the tags are not on record in the end, and how many there should be."""
    channels = {f"tag{i}": f"Slow/Tag{i}" for i in range(TAGS)}
    telemetry = {"channels": channels, "sampling_s": 0.02, "publishing_s": 0.2, "queue": 100}
    async with recording(folder) as (recorder, kept):
        opened = OpcUaResource.open("oven", options(url, "Slow", security={}, telemetry=telemetry), folder)
        async with opened as resource:
            command = Command(command_id="t1", epoch=1, capability="heat", inputs={"x": seconds})
            outcome = await resource.run(command, recorder)
            assert isinstance(outcome, Observation), outcome
        found = kept.of("study")
    wanted = {float(number) for number in range(1, int(seconds * 50) + 1)}
    lost = sum(len(wanted - set(found["oven", f"tag{i}"].values.tolist())) for i in range(TAGS))
    return lost, TAGS * len(wanted)


@contextlib.asynccontextmanager
async def recording(folder: Path) -> AsyncIterator[tuple[Recorder, Telemetry]]:
    """Open a database with one run, and the recorder that a worker would give its adapter."""
    database = Database.open(f"sqlite:///{folder}/labwright.db")
    Campaigns(database).add("study", "name: study", "")
    said = {"resource": "oven", "key": "oven", "capability": "heat", "command_id": "t1", "step": 0, "epoch": 1}
    with database.write() as connection:
        connection.execute(insert(runs).values(id=1, campaign_id=1, thing="oven", state="intended", **said))
    members = (Member(trial=1, inputs={}),)
    run = Run(id=1, campaign="study", attempt=1, members=members, room=1, state=RunState.INTENDED, **said)
    objects, storage = Objects(folder / "objects"), StorageThread(database)
    kept = Telemetry(database, objects)
    tasks = Tasks(database)
    try:
        yield (
            RunRecorder(
                run, tasks=tasks, objects=objects, telemetry=kept, storage=storage, watcher_progress=lambda *_: None
            ),
            kept,
        )
    finally:
        storage.close()
        database.close()


def _ratios(whole: Times) -> list[float]:
    """Return the ratio of the medians in each of five parts of the rounds."""
    parts = zip(*(np.array_split(whole[name], 5) for name in ("adapter", "asyncua")), strict=True)
    return [float(np.median(ours) / np.median(theirs)) for ours, theirs in parts]


def measure(seconds: float) -> tuple[dict[str, float], list[tuple[str, str]]]:
    """Return the figures, and lines for people."""
    with served() as (url, folder):
        times = asyncio.run(requests(url, folder))
        whole = asyncio.run(overhead(url, folder))
        lost, wanted = asyncio.run(telemetry_lost(url, folder, seconds))
    lines = [(what, "{:.2f} ms, p99 {:.2f} ms".format(*percentiles(found))) for what, found in (times | whole).items()]
    ratios = sorted(_ratios(whole))
    ratio = statistics.median(ratios)
    lines += [("adapter over asyncua", f"{ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")]
    lines += [("samples lost", f"{lost} of {wanted}")]
    figures = {
        "opcua_secured_write_ms_p50": percentiles(times["secured write"])[0],
        "opcua_overhead": ratio,
        "telemetry_lost": lost,
    }
    return figures, lines
