"""What every resource promises, whatever stands behind it."""

import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from labwright.core.command import CannotTell, Command, Done, NeverStarted, Observation, Silent
from labwright.core.values import Value
from labwright.resources.function import FunctionResource
from labwright.resources.opcua import OpcUaResource
from labwright.resources.resource import Resource
from labwright.resources.table import TableResource
from labwright.testing import FakeInstrument

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, kw_only=True)
class Stand:
    """A resource on a test stand: inputs that it can run, and how often it physically began, where that is counted."""

    resource: Resource
    inputs: dict[str, Value]
    started: Callable[[], Sequence[str]] | None = None

    @property
    def capability(self):
        return self.resource.capabilities()[0]

    async def run(self, command_id: str):
        command = Command(command_id=command_id, epoch=1, capability=self.capability.name, inputs=self.inputs)
        return await self.resource.run(command, Silent())


@asynccontextmanager
async def fake(folder: Path) -> AsyncIterator[Stand]:
    instrument = FakeInstrument()
    yield Stand(resource=instrument, inputs={"x": 3.0}, started=lambda: instrument.started)


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


STANDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Stand]]] = {
    "fake": fake,
    "function": function,
    "opcua": opcua,
    "table": table,
}


@pytest_asyncio.fixture(params=STANDS, scope="module", loop_scope="module")
async def stand(request, tmp_path_factory) -> AsyncIterator[Stand]:
    async with STANDS[request.param](tmp_path_factory.mktemp(request.param)) as stand:
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
    answer = await stand.resource.ask("ended")

    assert answer == Done(outcome=outcome) if stand.capability.queryable else isinstance(answer, CannotTell)


async def test_a_command_that_it_never_heard_of_is_never_said_to_be_done_or_running(stand: Stand):
    assert isinstance(await stand.resource.ask("unheard"), NeverStarted | CannotTell)


async def test_stop_is_always_accepted_and_it_works_on_afterwards(stand: Stand):
    await stand.resource.stop()
    await stand.resource.stop()

    assert isinstance(await stand.run("afterwards"), Observation)
