"""What every resource promises, whatever stands behind it."""

import asyncio
import json
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from labwright.core.errors import NotFound
from labwright.resources.arm import ArmResource
from labwright.resources.blueapi import BlueapiResource
from labwright.resources.bluesky import BlueskyResource
from labwright.resources.command import CommandResource
from labwright.resources.epics import EpicsResource
from labwright.resources.expert import ExpertResource
from labwright.resources.function import FunctionResource
from labwright.resources.madsci import MadsciResource
from labwright.resources.opcua import OpcUaResource
from labwright.resources.person import PersonResource
from labwright.resources.plain import InputOptions
from labwright.resources.pylabrobot import LiquidHandlerResource
from labwright.resources.queueserver import QueueserverResource
from labwright.resources.resource import Resource
from labwright.resources.sila import SilaResource
from labwright.resources.table import TableResource
from labwright.testing import FakeInstrument, Relay, ServerProcess
from labwright.testing.contract import ResourceContract, Stand
from labwright.testing.faults import Fault, FaultyInstrument


@asynccontextmanager
async def fake(folder: Path) -> AsyncIterator[Stand]:
    instrument = FakeInstrument()
    yield Stand(resource=instrument, inputs={"x": 3.0}, started=lambda: instrument.started)


@asynccontextmanager
async def fenced(folder: Path) -> AsyncIterator[Stand]:
    instrument = FakeInstrument(fenced=True, batch=4, duration_s=0.01)
    yield Stand(resource=instrument, inputs={"x": 3.0}, started=lambda: instrument.started)


@asynccontextmanager
async def faulty(folder: Path) -> AsyncIterator[Stand]:
    instrument = FakeInstrument()
    resource = FaultyInstrument(instrument, [])

    seams = {
        "lose_reply": partial(resource.meet, Fault.LOST_REPLY),
        "double_reply": partial(resource.meet, Fault.TWICE),
    }
    yield Stand(resource=resource, inputs={"x": 3.0}, other={"x": 4.0}, started=lambda: instrument.started, **seams)


@asynccontextmanager
async def bluesky(folder: Path) -> AsyncIterator[Stand]:
    (folder / "beam.py").write_text(
        "import bluesky.plan_stubs as bps\n"
        "from ophyd_async.core import soft_signal_rw\n"
        "motor = soft_signal_rw(float)\n"
        "def double(motor, x):\n"
        "    yield from bps.mv(motor, 2 * x)\n"
        "    return {'y': (yield from bps.rd(motor))}\n"
    )
    part = {"plan": "beam.py:double", "args": ["motor", "x"], "inputs": {"x": {"low": 0, "high": 9}}}
    part["outputs"] = {"y": {"returned": "y", "unit": "degC"}}
    options = {"devices": "beam.py", "capabilities": {"double": part}}
    async with BlueskyResource.open("beam", BlueskyResource.Options.model_validate(options), folder) as resource:
        yield Stand(resource=resource, inputs={"x": 3.0})


@asynccontextmanager
async def command(folder: Path) -> AsyncIterator[Stand]:
    (folder / "double.py").write_text(
        "import json, sys, time\n"
        "order = json.load(sys.stdin)\n"
        "open('starts', 'a').write(order['command_id'] + '\\n')\n"
        "time.sleep(300 * (order['batch'][0]['x'] == 9))\n"
        "print(json.dumps([{'y': 2 * one['x']} for one in order['batch']]))\n"
    )
    started = folder / "starts"
    run = [sys.executable, "-I", "-S", "double.py"]
    options = CommandResource.Options(
        run=run, inputs={"x": InputOptions(low=0, high=9)}, outputs={"y": "degC"}, batch=4
    )
    async with AsyncExitStack() as stack:
        reopen = lambda: stack.enter_async_context(CommandResource.open("solver", options, folder))  # noqa: E731
        read = lambda: started.read_text().split() if started.exists() else []  # noqa: E731
        caught = {"other": {"x": 4.0}, "slow": {"x": 9.0}, "crash": reopen, "stop_s": 10.0}
        yield Stand(resource=await reopen(), inputs={"x": 3.0}, started=read, **caught)


@asynccontextmanager
async def person(folder: Path) -> AsyncIterator[Stand]:
    weigh = {"instructions": "Weigh it.", "inputs": {"x": {}}, "outputs": {"mass": {"unit": "mg", "low": 0, "high": 9}}}
    options = PersonResource.Options.model_validate({"capabilities": {"weigh": weigh}})
    async with PersonResource.open("ada", options, folder) as resource:
        yield Stand(resource=resource, inputs={"x": 3.0})


@asynccontextmanager
async def expert(folder: Path) -> AsyncIterator[Stand]:
    judge = {"question": "Is it pure?", "inputs": {"x": {}}, "outputs": {"purity": {"unit": "%", "low": 0, "high": 9}}}
    options = ExpertResource.Options.model_validate({"skill": "esters", "capabilities": {"judge": judge}})
    async with ExpertResource.open("chemist", options, folder) as resource:
        yield Stand(resource=resource, inputs={"x": 3.0})


@asynccontextmanager
async def opcua(folder: Path) -> AsyncIterator[Stand]:
    started: list[str] = []
    after: list[Callable[[], None]] = []
    async with _oven(started, after) as url, Relay(url) as relay, AsyncExitStack() as stack:
        nodes = {"start": "Oven/Heat", "command_id": "Oven/Id", "state": "Oven/State"}
        capability = nodes | {"inputs": {"x": "Oven/X"}, "outputs": {"y": {"node": "Oven/Y", "unit": "degC"}}}
        said = {"url": relay.url, "stop": "Oven/Stop", "exclusive": True, "capabilities": {"heat": capability}}
        options = OpcUaResource.Options.model_validate(said)
        reopen = lambda: stack.enter_async_context(OpcUaResource.open("oven", options, folder))  # noqa: E731

        caught = {
            "slow": {"x": 9.0},
            "lose_reply": partial(after.append, relay.cut),
            "cut": relay.cut,
            "crash": reopen,
            "stop_s": 10.0,
        }
        yield Stand(resource=await reopen(), inputs={"x": 3.0}, other={"x": 4.0}, started=lambda: started, **caught)


@asynccontextmanager
async def _oven(started: list[str], after: list[Callable[[], None]]) -> AsyncIterator[str]:
    """A server with a method that doubles x, holding the last command only; 9 goes on until it is stopped.

    What is in `after` is called once, when the method has acted and before it answers.
    """
    from asyncua import Server, ua

    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    server = Server()
    await server.init()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"opc.tcp://127.0.0.1:{probe.getsockname()[1]}/"
    server.set_endpoint(url)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    oven = await server.nodes.objects.add_object(2, "Oven")
    nodes = {
        name: await oven.add_variable(2, name, v) for name, v in {"X": 0.0, "Y": 0.0, "Id": "", "State": "idle"}.items()
    }

    async def heat(parent, command_id, x):
        started.append(command_id.Value)
        await nodes["Y"].write_value(2 * x.Value)
        await nodes["Id"].write_value(command_id.Value)
        await nodes["State"].write_value("running" if x.Value == 9 else "done")
        while after:
            after.pop()()
        return []

    async def stop(parent):
        if await nodes["State"].read_value() == "running":
            await nodes["State"].write_value("failed")
        return []

    takes = [ua.Argument(Name="id", DataType=ua.NodeId(12)), ua.Argument(Name="x", DataType=ua.NodeId(11))]
    await oven.add_method(2, "Heat", heat, takes, [])
    await oven.add_method(2, "Stop", stop, [], [])
    async with server:
        yield url


@asynccontextmanager
async def pylabrobot(folder: Path) -> AsyncIterator[Stand]:
    trash = {"kind": "Trash", "options": {"size_x": 50, "size_y": 50, "size_z": 50}, "at": [300, 0, 0]}
    labware = {
        "tips": {"kind": "hamilton_96_tiprack_300uL", "at": [0, 0, 0]},
        "plate": {"kind": "cor_96_wellplate_360uL_Fb", "at": [150, 0, 0]},
        "trash": trash,
    }
    options = {
        "backend": "LiquidHandlerChatterboxBackend",
        "deck": {"kind": "Deck", "options": {"size_x": 500, "size_y": 400, "size_z": 300}, "labware": labware},
        "volumes": {"plate": "100 uL"},
        "tips": ["tips"],
        "state": "deck.jsonl",
        "capabilities": {"dose": {"do": "transfer", "source": "plate/A1", "target": "plate/B1"}},
    }
    opened = LiquidHandlerResource.open("handler", LiquidHandlerResource.Options.model_validate(options), folder)
    async with opened as resource:
        begin, begun = resource._once.act, list[str]()

        async def act(action, deed, move):
            begun.extend([action.command_id] * (action.number == 1))
            await begin(action, deed, move)

        resource._once.act = act
        yield Stand(resource=resource, inputs={"volume": 3.0}, started=lambda: begun, same=("volume",))


@asynccontextmanager
async def arm(folder: Path) -> AsyncIterator[Stand]:
    ends = ("bench", "oven")
    options = {
        "backend": "mujoco",
        "backend_options": {"pace": 100},
        "places": ends,
        "things": {"vial": "bench"},
        "state": "cell.jsonl",
        "capabilities": {"swap": {"source": {"first_of": ends}, "target": {"first_of": ends}}},
    }
    async with ArmResource.open("arm", ArmResource.Options.model_validate(options), folder) as resource:
        begin, begun = resource._once.act, list[str]()

        async def act(action, deed, move):
            begun.extend([action.command_id] * (action.number == 1))
            await begin(action, deed, move)

        resource._once.act = act
        yield Stand(resource=resource, inputs={}, started=lambda: begun)


@asynccontextmanager
async def lads(folder: Path) -> AsyncIterator[Stand]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = Path(__file__).parents[1] / "system" / "lads" / "server.py"
    unit = "DeviceSet/Furnace/FunctionalUnitSet/Chamber"
    heat = {
        "functional_unit": unit,
        "program": "Double",
        "inputs": {"Temperature": {}},
        "outputs": {"Y": {"unit": "K"}},
    }
    with subprocess.Popen(
        [sys.executable, str(script), str(folder), str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        started = folder / "starts"
        read = lambda: [json.loads(one)["task"] for one in started.read_text().splitlines()]  # noqa: E731
        async with Relay(f"opc.tcp://127.0.0.1:{port}/") as relay:
            said = {"url": relay.url, "exclusive": True, "capabilities": {"heat": heat}}
            options = OpcUaResource.Options.model_validate(said)
            async with OpcUaResource.open("furnace", options, folder) as resource:
                yield Stand(resource=resource, inputs={"Temperature": 3.0}, started=read, cut=relay.cut)


@asynccontextmanager
async def sila(folder: Path) -> AsyncIterator[Stand]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = Path(__file__).parents[1] / "system" / "sila" / "server.py"
    call = [sys.executable, str(script), str(folder), str(port), "cancel"]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        async with Relay(f"sila://127.0.0.1:{port}") as relay, AsyncExitStack() as stack:
            options = SilaResource.Options.model_validate({"url": relay.url, "insecure": True})

            resource = await stack.enter_async_context(SilaResource.open("oven", options, folder))
            read = lambda: len((folder / "begun").read_text().splitlines()) if (folder / "begun").exists() else 0  # noqa: E731
            yield Stand(resource=resource, inputs={"X": 3.0}, other={"X": 4.0}, begun=read, cut=relay.cut)


@asynccontextmanager
async def epics(folder: Path) -> AsyncIterator[Stand]:
    script = Path(__file__).parents[1] / "system" / "epics" / "ioc.py"
    ports = [os.environ[f"EPICS_{name}_ADDR_LIST"].split()[2].rpartition(":")[2] for name in ("CA", "PVA")]
    call = [sys.executable, str(script), str(folder), "STAND", *ports]
    part = {
        "inputs": {"x": "SP", "n": "COUNT"},
        "start": "START",
        "command_id": "ID",
        "state": "STATE",
        "outputs": {"y": "Y"},
    }
    states = {"states": {"idle": ["idle", "asleep"]}}
    options = {"prefix": "STAND:", "stop": {"SAFE": "closed"}, "capabilities": {"heat": part | states}}
    put = folder / "begun"
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as ioc:
        assert ioc.stdout is not None and b"ready\n" in iter(ioc.stdout.readline, b"")
        async with AsyncExitStack() as stack:
            said = EpicsResource.Options.model_validate(options)
            reopen = lambda: stack.enter_async_context(EpicsResource.open("oven", said, folder))  # noqa: E731
            started = lambda: re.findall(r"^START (.+)$", put.read_text() if put.exists() else "", re.M)  # noqa: E731
            caught = {"other": {"x": 4.0, "n": 1}, "slow": {"x": 3.0, "n": 50}, "crash": reopen, "stop_s": 10.0}
            yield Stand(resource=await reopen(), inputs={"x": 3.0, "n": 1}, started=started, **caught)


@asynccontextmanager
async def blueapi(folder: Path) -> AsyncIterator[Stand]:
    async with serving("blueapi", folder) as server, Relay(f"http://127.0.0.1:{server.port}") as relay:
        plans = {"double": {"plan": "double", "outputs": {"y": {"unit": "mm"}}}}
        options = {"url": relay.url, "instrument_session": "cm1", "capabilities": plans}
        async with BlueapiResource.open("oven", BlueapiResource.Options.model_validate(options), folder) as resource:
            begun = lambda: len(server.begun())  # noqa: E731  (the ids are not known to it)
            yield Stand(resource=resource, inputs={"x": 3.0}, other={"x": 4.0}, begun=begun, cut=relay.cut)


@asynccontextmanager
async def madsci(folder: Path) -> AsyncIterator[Stand]:
    async with serving("madsci", folder) as server, AsyncExitStack() as stack:
        relay = await stack.enter_async_context(Relay(f"http://127.0.0.1:{server.port}"))
        options = MadsciResource.Options.model_validate(
            {"url": relay.url, "capabilities": {"heat": {"action": "heat"}}}
        )
        reopen = lambda: stack.enter_async_context(MadsciResource.open("oven", options, folder))  # noqa: E731

        async def crash() -> Resource:
            server.kill()
            await asyncio.to_thread(server.start)
            return await reopen()

        # it counts, but the ids are not known to it
        begun = lambda: sum(one.startswith("heat") for one in server.begun())  # noqa: E731
        inputs = {"target": 50.0, "seconds": 0.1}
        caught = {"slow": {"target": 50.0, "seconds": 300.0}, "crash": crash, "cut": relay.cut, "stop_s": 10.0}
        yield Stand(resource=await reopen(), inputs=inputs, other=inputs | {"target": 60.0}, begun=begun, **caught)


@asynccontextmanager
async def queueserver(folder: Path) -> AsyncIterator[Stand]:
    pytest.importorskip("zmq", reason="needs the extra 'bluesky'")
    async with serving("queueserver", folder) as server, Relay(f"tcp://127.0.0.1:{server.port}") as relay:
        options = {"url": relay.url, "capabilities": {"double": "double"}}
        options = QueueserverResource.Options.model_validate(options)
        async with QueueserverResource.open("oven", options, folder) as resource:
            begun = lambda: len(server.begun())  # noqa: E731  (the ids are not known to what counts)
            yield Stand(resource=resource, inputs={"x": 3.0}, other={"x": 4.0}, begun=begun, cut=relay.cut)


@asynccontextmanager
async def serving(name: str, folder: Path) -> AsyncIterator[ServerProcess]:
    try:
        server = ServerProcess(Path(__file__).parents[1] / "system" / name / "server.py", folder)
    except NotFound as missing:
        pytest.skip(f"needs a server of {name}: {missing}")
    with server:
        yield server


@asynccontextmanager
async def table(folder: Path) -> AsyncIterator[Stand]:
    (folder / "data.csv").write_text("x,y\n1,2\n3,6\n3,7\n")
    options = TableResource.Options(file=Path("data.csv"), units={"y": "degC"})
    async with TableResource.open("bench", options, folder) as resource:
        yield Stand(resource=resource, inputs={"x": 3.0})


@asynccontextmanager
async def function(folder: Path) -> AsyncIterator[Stand]:
    (folder / "bench.py").write_text("def double(x):\n    return {'y': 2 * x}\n")
    options = FunctionResource.Options(call="bench.py:double", outputs={"y": "degC"})
    async with FunctionResource.open("bench", options, folder) as resource:
        yield Stand(resource=resource, inputs={"x": 3.0})


@asynccontextmanager
async def plate(folder: Path) -> AsyncIterator[Stand]:
    (folder / "bench.py").write_text(
        "import asyncio\n"
        "async def double(x):\n"
        "    await asyncio.sleep(300 * (x == [9.0]))\n"
        "    return {'y': [2 * one for one in x]}\n"
    )
    options = FunctionResource.Options(call="bench.py:double", outputs={"y": "degC"}, batch=4)
    async with AsyncExitStack() as stack:
        reopen = lambda: stack.enter_async_context(FunctionResource.open("bench", options, folder))  # noqa: E731
        caught = {"slow": {"x": 9.0}, "unstoppable": "a function in progress cannot be stopped", "crash": reopen}
        yield Stand(resource=await reopen(), inputs={"x": 3.0}, other={"x": 4.0}, **caught)


STANDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Stand]]] = {
    "arm": arm,
    "blueapi": blueapi,
    "bluesky": bluesky,
    "command": command,
    "epics": epics,
    "expert": expert,
    "fake": fake,
    "faulty fake": faulty,
    "fenced fake": fenced,
    "function": function,
    "function with batches": plate,
    "lads": lads,
    "madsci": madsci,
    "opcua": opcua,
    "person": person,
    "pylabrobot": pylabrobot,
    "queueserver": queueserver,
    "sila": sila,
    "table": table,
}


class TestEveryResource(ResourceContract):
    @pytest_asyncio.fixture(params=STANDS, scope="class", loop_scope="class")
    @classmethod
    async def stand(cls, request, tmp_path_factory) -> AsyncIterator[Stand]:
        async with STANDS[request.param](tmp_path_factory.mktemp(request.param.replace(" ", "-"))) as stand:
            yield stand
