"""What every resource promises, whatever stands behind it."""

import json
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from labwright.core.command import (
    CannotTell,
    Command,
    Done,
    Failure,
    Gathered,
    Measurement,
    NeverStarted,
    Observation,
    Outcome,
    Running,
)
from labwright.core.errors import NotFound, StaleEpoch
from labwright.core.form import observe
from labwright.core.recorder import Silent
from labwright.core.task import Task
from labwright.core.values import Value
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
from labwright.testing import FakeInstrument, ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Answering(Silent):
    """A recorder with a person behind it, who reports at once."""

    async def task(self, task: Task) -> Outcome:
        return observe(task.fields, {field.name: Measurement(value=1.0) for field in task.fields}, {})


@dataclass(frozen=True, kw_only=True)
class Stand:
    """A resource on a test stand: inputs that it can run, and how often it physically began, where that is counted."""

    resource: Resource
    inputs: dict[str, Value]
    started: Callable[[], Sequence[str]] | None = None

    @property
    def capability(self):
        return self.resource.capabilities()[0]

    def command(self, command_id: str, *, epoch: int = 1, batch: int = 0) -> Command:
        inputs, name = self.inputs, self.capability.name
        return Command(command_id=command_id, epoch=epoch, capability=name, inputs=inputs, batch=(inputs,) * batch)

    async def run(self, command_id: str, **more):
        return await self.resource.run(self.command(command_id, **more), Answering())

    async def ask(self, command_id: str, **more):
        return await self.resource.ask(self.command(command_id, **more))


@asynccontextmanager
async def fake(folder: Path) -> AsyncIterator[Stand]:
    instrument = FakeInstrument()
    yield Stand(resource=instrument, inputs={"x": 3.0}, started=lambda: instrument.started)


@asynccontextmanager
async def fenced(folder: Path) -> AsyncIterator[Stand]:
    instrument = FakeInstrument(fenced=True, batch=4, duration_s=0.01)
    yield Stand(resource=instrument, inputs={"x": 3.0}, started=lambda: instrument.started)


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
        "import json, sys\n"
        "order = json.load(sys.stdin)\n"
        "open('starts', 'a').write(order['command_id'] + '\\n')\n"
        "print(json.dumps([{'y': 2 * one['x']} for one in order['batch']]))\n"
    )
    started = folder / "starts"
    run = [sys.executable, "-I", "-S", "double.py"]
    options = CommandResource.Options(
        run=run, inputs={"x": InputOptions(low=0, high=9)}, outputs={"y": "degC"}, batch=4
    )
    async with CommandResource.open("solver", options, folder) as resource:
        read = lambda: started.read_text().split() if started.exists() else []  # noqa: E731
        yield Stand(resource=resource, inputs={"x": 3.0}, started=read)


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
    async with _oven(started) as url:
        nodes = {"start": "Oven/Heat", "command_id": "Oven/Id", "state": "Oven/State"}
        capability = nodes | {"inputs": {"x": "Oven/X"}, "outputs": {"y": {"node": "Oven/Y", "unit": "degC"}}}
        options = {"url": url, "stop": "Oven/Stop", "exclusive": True, "capabilities": {"heat": capability}}
        async with OpcUaResource.open("oven", OpcUaResource.Options.model_validate(options), folder) as resource:
            yield Stand(resource=resource, inputs={"x": 3.0}, started=lambda: started)


@asynccontextmanager
async def _oven(started: list[str]) -> AsyncIterator[str]:
    """A server with a method that doubles x, holding the last command only."""
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
        await nodes["State"].write_value("done")
        return []

    async def stop(parent):
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
        yield Stand(resource=resource, inputs={"volume": 3.0}, started=lambda: begun)


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
    options = {"url": f"opc.tcp://127.0.0.1:{port}/", "exclusive": True, "capabilities": {"heat": heat}}
    with subprocess.Popen(
        [sys.executable, str(script), str(folder), str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"
        started = folder / "starts"
        read = lambda: [json.loads(one)["task"] for one in started.read_text().splitlines()]  # noqa: E731
        async with OpcUaResource.open("furnace", OpcUaResource.Options.model_validate(options), folder) as resource:
            yield Stand(resource=resource, inputs={"Temperature": 3.0}, started=read)


@asynccontextmanager
async def sila(folder: Path) -> AsyncIterator[Stand]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = Path(__file__).parents[1] / "system" / "sila" / "server.py"
    call = [sys.executable, str(script), str(folder), str(port), "cancel"]
    options = {"url": f"sila://127.0.0.1:{port}", "insecure": True}
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        async with SilaResource.open("oven", SilaResource.Options.model_validate(options), folder) as resource:
            yield Stand(resource=resource, inputs={"X": 3.0})  # it counts, but the ids are not known to it


@asynccontextmanager
async def epics(folder: Path) -> AsyncIterator[Stand]:
    script = Path(__file__).parents[1] / "system" / "epics" / "ioc.py"
    ports = [os.environ[f"EPICS_{name}_ADDR_LIST"].split()[2].rpartition(":")[2] for name in ("CA", "PVA")]
    call = [sys.executable, str(script), str(folder), "STAND", *ports]
    part = {"inputs": {"x": "SP"}, "start": "START", "command_id": "ID", "state": "STATE", "outputs": {"y": "Y"}}
    states = {"states": {"idle": ["idle", "asleep"]}}
    options = {"prefix": "STAND:", "stop": {"SAFE": "closed"}, "capabilities": {"heat": part | states}}
    put = folder / "begun"
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as ioc:
        assert ioc.stdout is not None and b"ready\n" in iter(ioc.stdout.readline, b"")
        async with EpicsResource.open("oven", EpicsResource.Options.model_validate(options), folder) as resource:
            started = lambda: re.findall(r"^START (.+)$", put.read_text() if put.exists() else "", re.M)  # noqa: E731
            yield Stand(resource=resource, inputs={"x": 3.0}, started=started)


@asynccontextmanager
async def blueapi(folder: Path) -> AsyncIterator[Stand]:
    async with serving("blueapi", folder) as server:
        plans = {"double": {"plan": "double", "outputs": {"y": {"unit": "mm"}}}}
        options = {"url": f"http://127.0.0.1:{server.port}", "instrument_session": "cm1", "capabilities": plans}
        async with BlueapiResource.open("oven", BlueapiResource.Options.model_validate(options), folder) as resource:
            yield Stand(resource=resource, inputs={"x": 3.0})  # it counts, but the ids are not known to it


@asynccontextmanager
async def madsci(folder: Path) -> AsyncIterator[Stand]:
    async with serving("madsci", folder) as server:
        options = {"url": f"http://127.0.0.1:{server.port}"}
        async with MadsciResource.open("oven", MadsciResource.Options.model_validate(options), folder) as resource:
            yield Stand(resource=resource, inputs={"x": 3.0})  # it counts, but the ids are not known to it


@asynccontextmanager
async def queueserver(folder: Path) -> AsyncIterator[Stand]:
    pytest.importorskip("zmq", reason="needs the extra 'bluesky'")
    async with serving("queueserver", folder) as server:
        options = {"url": f"tcp://127.0.0.1:{server.port}", "capabilities": {"double": "double"}}
        options = QueueserverResource.Options.model_validate(options)
        async with QueueserverResource.open("oven", options, folder) as resource:
            yield Stand(resource=resource, inputs={"x": 3.0})  # it counts, but the ids are not known to what counts


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
    (folder / "bench.py").write_text("async def double(x):\n    return {'y': [2 * one for one in x]}\n")
    options = FunctionResource.Options(call="bench.py:double", outputs={"y": "degC"}, batch=4)
    async with FunctionResource.open("bench", options, folder) as resource:
        yield Stand(resource=resource, inputs={"x": 3.0})


STANDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Stand]]] = {
    "arm": arm,
    "blueapi": blueapi,
    "bluesky": bluesky,
    "command": command,
    "epics": epics,
    "expert": expert,
    "fake": fake,
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


@pytest_asyncio.fixture(params=STANDS, scope="module", loop_scope="module")
async def stand(request, tmp_path_factory) -> AsyncIterator[Stand]:
    async with STANDS[request.param](tmp_path_factory.mktemp(request.param.replace(" ", "-"))) as stand:
        yield stand


async def test_it_names_what_it_can_do_once(stand: Stand):
    names = [capability.name for capability in stand.resource.capabilities()]

    assert names
    assert len(set(names)) == len(names)
    assert {i.name for i in stand.capability.inputs if i.required} <= set(stand.inputs)


async def test_a_run_gives_every_output_in_its_declared_unit(stand: Stand):
    outcome = await stand.run("outputs")

    assert isinstance(outcome, Observation)
    for output in stand.capability.outputs:
        assert outcome.values[output.name].unit == output.unit


async def test_a_known_command_is_taken_up_again_and_never_done_twice(stand: Stand):
    first, again = await stand.run("twice"), await stand.run("twice")

    assert first == again
    if stand.started is not None and not stand.capability.repeatable:
        assert list(stand.started()).count("twice") == 1


async def test_what_has_ended_can_be_asked_about_where_it_says_so(stand: Stand):
    outcome = await stand.run("ended")
    answer = await stand.ask("ended")

    if isinstance(answer, Running):  # run again, it gives the same result at once
        answer = Done(outcome=await stand.run("ended"))
    assert answer == Done(outcome=outcome) if stand.capability.queryable else isinstance(answer, CannotTell)


async def test_a_command_that_it_never_heard_of_is_never_said_to_be_done(stand: Stand):
    answer = await stand.ask("unheard")

    # People are no machine: whatever was begun, running it again puts the task before them once.
    assert isinstance(answer, NeverStarted | CannotTell | Running)
    assert stand.started is None or "unheard" not in stand.started()


async def test_a_batch_gives_one_outcome_for_each(stand: Stand):
    count = stand.capability.batch
    if count == 1:
        pytest.skip("it takes one at a time")

    outcome, alone = await stand.run("batch", batch=count), await stand.run("alone")

    assert isinstance(outcome, Gathered)
    assert len(outcome.outcomes) == count
    assert all(isinstance(one, Observation | Failure) for one in outcome.outcomes)
    assert outcome.outcomes[0].values == alone.values
    if stand.started is not None:
        assert list(stand.started()).count("batch") == 1


@pytest.mark.parametrize("first", ["asked", "run"])
async def test_a_fenced_resource_refuses_an_older_epoch_after_a_newer_one(stand: Stand, first):
    if not stand.capability.fenced:
        pytest.skip("it holds no epochs")
    name = f"fenced-{first}"
    if first == "asked":
        assert await stand.ask(name, epoch=5) == NeverStarted()
    else:
        await stand.run(name, epoch=5)

    with pytest.raises(StaleEpoch):
        await stand.run(name, epoch=4)
    if stand.started is not None:
        assert list(stand.started()).count(name) == (first == "run")
    assert isinstance(await stand.run(name, epoch=5), Observation)


async def test_stop_is_always_accepted_and_it_works_on_afterwards(stand: Stand):
    await stand.resource.stop()
    await stand.resource.stop()

    assert isinstance(await stand.run("afterwards"), Observation)
