"""What an OPC UA server's variables say while a command is carried out."""

import asyncio
import contextlib
import logging
import socket
import time
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import Server, ua

from labwright.core.command import Command, Observation
from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.recorder import Silent
from labwright.core.telemetry import Quality
from labwright.resources.opcua import OpcUaResource
from labwright.testing import Relay

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUICK = {"sampling_s": 0.01, "publishing_s": 0.05}


class Oven:
    """Counts in two variables while it heats, every 10 ms."""

    def __init__(self, server, url):
        self.server, self.url, self.seconds = server, url, 0.5
        self.values = {"Count": 0.0, "Twice": 0.0, "State": "idle", "Id": "", "Y": 0.0}
        self.nodes = {}
        self.task = None

    async def build(self):
        oven = await self.server.nodes.objects.add_object(2, "Oven")
        for name, value in self.values.items():
            self.nodes[name] = await oven.add_variable(2, name, value)
        unit = ua.EUInformation(UnitId=-1, DisplayName=ua.LocalizedText("degC"))
        await self.nodes["Count"].add_property(0, "EngineeringUnits", unit)
        await oven.add_method(2, "Heat", self.heat, [ua.Argument(Name="id", DataType=ua.NodeId(12))], [])
        return self

    async def heat(self, parent, command_id):
        await self.nodes["Id"].write_value(command_id.Value)
        await self.nodes["State"].write_value("running")
        self.task = asyncio.create_task(self.work())
        return []

    async def work(self):
        end, count = time.monotonic() + self.seconds, 0
        while time.monotonic() < end:
            count += 1
            await self.nodes["Count"].write_value(float(count))
            await self.nodes["Twice"].write_value(2.0 * count)
            await asyncio.sleep(0.01)
        await self.nodes["Y"].write_value(float(count))
        await self.nodes["State"].write_value("done")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def oven():
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    server = Server()
    await server.init()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"opc.tcp://127.0.0.1:{probe.getsockname()[1]}/"
    server.set_endpoint(url)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    oven = await Oven(server, url).build()
    async with server:
        yield oven


@contextlib.asynccontextmanager
async def opened(url, channels, **telemetry):
    nodes = {"start": "Oven/Heat", "command_id": "Oven/Id", "state": "Oven/State", "outputs": {"y": "Oven/Y"}}
    options = {"url": url, "capabilities": {"heat": nodes}, "telemetry": {"channels": channels, **QUICK, **telemetry}}
    async with OpcUaResource.open("oven", OpcUaResource.Options.model_validate(options), Path()) as resource:
        yield resource


async def run(resource, command_id):
    recorder = Silent()
    outcome = await resource.run(Command(command_id=command_id, epoch=1, capability="heat", inputs={}), recorder)
    assert isinstance(outcome, Observation)
    return outcome.values["y"].value, recorder


def values(recorder, channel):
    return [value for name, _, value, _ in recorder.samples if name == channel]


async def test_every_change_is_streamed_while_the_command_is_carried_out_up_to_its_end(oven):
    async with opened(oven.url, {"count": "Oven/Count", "twice": {"node": "Oven/Twice", "unit": "mm"}}) as resource:
        last, recorder = await run(resource, "c1")

    counts = [c for c in values(recorder, "count") if c > 0]
    assert counts == [float(i) for i in range(int(counts[0]), int(last) + 1)]
    assert counts[0] <= 5
    assert values(recorder, "twice")[-1] == 2 * last
    assert recorder.gaps == []
    times = [at for name, at, _, _ in recorder.samples if name == "count"]
    assert times == sorted(times)


async def test_a_broken_connection_is_a_gap_and_what_comes_after_is_streamed(oven):
    oven.seconds = 1.5
    async with Relay(oven.url) as relay, opened(relay.url, {"count": "Oven/Count"}) as resource:
        running = asyncio.create_task(run(resource, "c2"))
        await asyncio.sleep(0.5)
        relay.cut()
        last, recorder = await running
    oven.seconds = 0.5

    [gap] = recorder.gaps
    assert gap.channel is None
    assert "broke" in gap.why
    assert values(recorder, "count")[-1] == last
    inside = [at for _, at, _, _ in recorder.samples if gap.start < at < gap.end]
    assert inside == []


async def test_a_status_is_a_quality(oven):
    async with opened(oven.url, {"twice": "Oven/Twice"}) as resource:
        running = asyncio.create_task(run(resource, "c3"))
        await asyncio.sleep(0.2)
        bad = ua.DataValue(ua.Variant(-1.0), ua.StatusCode(ua.StatusCodes.BadSensorFailure))
        await oven.server.write_attribute_value(oven.nodes["Twice"].nodeid, bad)
        _, recorder = await running

    assert [quality for *_, quality in recorder.samples if quality is not Quality.GOOD] == [Quality.BAD]


async def test_a_server_that_drops_samples_leaves_a_gap_of_that_channel(oven):
    overflow = ua.StatusCode(0x480)
    async with opened(oven.url, {"count": "Oven/Count", "twice": "Oven/Twice"}) as resource:
        running = asyncio.create_task(run(resource, "c4"))
        await asyncio.sleep(0.2)
        await oven.server.write_attribute_value(oven.nodes["Twice"].nodeid, ua.DataValue(ua.Variant(-2.0), overflow))
        _, recorder = await running

    assert [gap.channel for gap in recorder.gaps] == ["twice"]
    assert recorder.gaps[0].start < recorder.gaps[0].end


async def test_a_channel_that_is_not_there_or_has_another_unit_is_refused_at_the_start(oven):
    with pytest.raises(InvalidInput, match="Oven has no 'Nothing'"):
        async with opened(oven.url, {"nothing": "Oven/Nothing"}):
            pass
    with pytest.raises(InvalidUnit, match="the file says 'K', but the server says 'degC'"):
        async with opened(oven.url, {"count": {"node": "Oven/Count", "unit": "K"}}):
            pass
