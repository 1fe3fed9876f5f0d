"""The OPC UA resource against a real server, in the ways that servers differ."""

import asyncio
import logging
import math
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import Server, ua

from labwright.core.command import CannotTell, Command, Done, Failure, NeverStarted, Observation, Running
from labwright.core.errors import InvalidInput, InvalidUnit, ResourceUnavailable
from labwright.core.recorder import Silent
from labwright.resources.opcua import OpcUaResource
from labwright.testing import Relay

pytestmark = pytest.mark.asyncio(loop_scope="module")
CELSIUS = ua.EUInformation(
    NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact", UnitId=4408652, DisplayName=ua.LocalizedText("°C")
)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{free_port()}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    async with server:
        yield server


class Oven:
    """A device with one input and one output: y is twice x. It counts what it physically does."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name, self.url = server, name, server.endpoint.geturl()
        self.started: list[str] = []
        self.seconds = 0.05
        self.status = ua.StatusCodes.Good
        self.result = lambda x: 2 * x
        self.nodes = {}
        self.tasks: list[asyncio.Task] = []

    async def build(self, *, unit=CELSIUS, low=0.0, high=200.0) -> "Oven":
        self.root = await self.server.nodes.objects.add_object(2, self.name)
        for name, value in {"X": 0.0, "Y": 0.0, "Start": "", "CommandId": "", "State": "idle", "Reason": ""}.items():
            self.nodes[name] = await self.root.add_variable(2, name, value)
            await self.nodes[name].set_writable()
        if unit:
            await self.nodes["X"].add_property(0, "EngineeringUnits", unit)
            await self.nodes["Y"].add_property(0, "EngineeringUnits", unit)
        await self.nodes["X"].add_property(0, "EURange", ua.Range(Low=low, High=high))
        return self

    async def add_method(self) -> None:
        arguments = [
            ua.Argument(Name="command_id", DataType=ua.NodeId(ua.ObjectIds.String), ValueRank=-1),
            ua.Argument(Name="x", DataType=ua.NodeId(ua.ObjectIds.Double), ValueRank=-1),
        ]
        await self.root.add_method(2, "Heat", self.heat, arguments, [])

    async def add_lookup(self, word) -> None:
        """Answer with one word, whatever the id."""
        takes = [ua.Argument(Name="command_id", DataType=ua.NodeId(ua.ObjectIds.String), ValueRank=-1)]
        gives = [
            ua.Argument(Name="state", DataType=ua.NodeId(ua.ObjectIds.String), ValueRank=-1),
            ua.Argument(Name="y", DataType=ua.NodeId(ua.ObjectIds.Double), ValueRank=-1),
        ]

        async def look_up(parent, command_id):
            return [ua.Variant(word, ua.VariantType.String), ua.Variant(0.0, ua.VariantType.Double)]

        await self.root.add_method(2, "Lookup", look_up, takes, gives)

    async def heat(self, parent, command_id, x):
        if await self.nodes["State"].read_value() == "running":
            return ua.StatusCode(ua.StatusCodes.BadInvalidState)
        if x.Value > 100:
            return ua.StatusCode(ua.StatusCodes.BadOutOfRange)
        await self.begin(command_id.Value, x.Value)
        return []

    async def begin(self, command_id, x):
        self.started.append(command_id)
        await self.nodes["State"].write_value("running")
        await self.nodes["CommandId"].write_value(command_id)
        self.tasks.append(asyncio.create_task(self.work(x)))

    async def work(self, x):
        await asyncio.sleep(self.seconds)
        value = ua.DataValue(ua.Variant(self.result(x), ua.VariantType.Double), ua.StatusCode(self.status))
        await self.server.write_attribute_value(self.nodes["Y"].nodeid, value)
        await self.nodes["State"].write_value("done")

    def watch_start(self) -> None:
        """Begin whenever something new is written to Start, as a controller's cycle does."""
        self.tasks.append(asyncio.create_task(self.cycle()))

    async def cycle(self):
        seen = ""
        while True:
            wanted = await self.nodes["Start"].read_value()
            if wanted != seen:
                seen = wanted
                await asyncio.sleep(0.1)  # a slow cycle: the old state is still shown
                await self.begin(wanted, await self.nodes["X"].read_value())
            await asyncio.sleep(0.01)

    def options(self, *, capability=None, **server_options):
        described = {
            "start": f"{self.name}/Heat",
            "command_id": f"{self.name}/CommandId",
            "state": f"{self.name}/State",
            "reason": f"{self.name}/Reason",
            "inputs": {"x": f"{self.name}/X"},
            "outputs": {"y": f"{self.name}/Y"},
        }
        described |= capability or {}
        return {"kind": "opcua", "url": self.url, "capabilities": {"heat": described}, "start_s": 1} | server_options

    def written(self, **changes):
        """What a capability says that is begun by writing a variable."""
        return {"start": f"{self.name}/Start", "inputs": {"x": f"{self.name}/X"}} | changes


@pytest_asyncio.fixture(loop_scope="module")
async def oven(server, request) -> AsyncIterator[Oven]:
    oven = await Oven(server, request.node.name).build()
    await oven.add_method()
    yield oven
    for task in oven.tasks:
        task.cancel()
    await asyncio.gather(*oven.tasks, return_exceptions=True)


def opened(options):
    return OpcUaResource.open("oven", OpcUaResource.Options.model_validate(options), Path())


def command(command_id="c1", x=20.0, **changes):
    return Command(command_id=command_id, epoch=1, capability="heat", inputs={"x": x}, **changes)


async def run(resource, *args, **changes):
    return await resource.run(command(*args, **changes), Silent())


async def test_a_method_is_called_and_its_result_read_with_units(oven):
    async with opened(oven.options()) as resource:
        outcome = await run(resource)

    assert outcome.values["y"].value == 40.0
    assert outcome.values["y"].unit == "degC"


async def test_units_and_limits_are_read_from_the_server(oven):
    async with opened(oven.options()) as resource:
        [capability] = resource.capabilities()

    [declared] = capability.inputs
    assert (declared.unit, declared.low, declared.high) == ("degC", 0.0, 200.0)
    assert capability.queryable
    assert not capability.repeatable


async def test_the_file_narrows_the_limits_and_never_widens_them(oven):
    part = {"inputs": {"x": {"node": f"{oven.name}/X", "low": 50, "high": 500}}}

    async with opened(oven.options(capability=part)) as resource:
        [declared] = resource.capabilities()[0].inputs

    assert (declared.low, declared.high) == (50, 200)


async def test_limits_that_leave_nothing_are_refused(oven):
    part = {"inputs": {"x": {"node": f"{oven.name}/X", "low": 300}}}

    with pytest.raises(InvalidInput, match=r"no value is allowed: the file says 300 to any, the server 0 to 200"):
        async with opened(oven.options(capability=part)):
            pass


async def test_a_unit_that_differs_from_the_servers_is_refused(oven):
    part = {"outputs": {"y": {"node": f"{oven.name}/Y", "unit": "K"}}}

    with pytest.raises(InvalidUnit, match=r"oven\.heat\.y: the file says 'K', but the server says 'degC'"):
        async with opened(oven.options(capability=part)):
            pass


async def test_a_unit_that_nobody_can_read_must_be_declared(server):
    oven = await Oven(server, "odd").build(unit=ua.EUInformation(DisplayName=ua.LocalizedText("smoots")))
    await oven.add_method()
    declared = {n: {"node": f"odd/{n.upper()}", "unit": "degC"} for n in ("x", "y")}

    with pytest.raises(InvalidUnit, match="smoots"):
        async with opened(oven.options()):
            pass
    async with opened(
        oven.options(capability={"inputs": {"x": declared["x"]}, "outputs": {"y": declared["y"]}})
    ) as resource:
        assert resource.capabilities()[0].inputs[0].unit == "degC"


async def test_a_command_that_the_server_holds_is_never_ordered_twice(oven):
    async with opened(oven.options()) as resource:
        first = await run(resource)
        again = await run(resource)

    assert again == first
    assert oven.started == ["c1"]


async def test_two_who_wait_for_one_command_get_one_result(oven):
    oven.seconds = 0.3
    async with opened(oven.options()) as resource:
        first = asyncio.create_task(run(resource))
        await asyncio.sleep(0.1)
        assert isinstance(await resource.ask(command("c1")), Running)
        second = await run(resource)

    assert await first == second
    assert oven.started == ["c1"]


async def test_commands_to_one_device_wait_for_each_other(oven):
    oven.seconds = 0.2
    async with opened(oven.options()) as resource:
        first, second = await asyncio.gather(run(resource, "c1", 10.0), run(resource, "c2", 30.0))

    assert (first.values["y"].value, second.values["y"].value) == (20.0, 60.0)


async def test_another_clients_command_is_waited_for(oven):
    oven.seconds = 0.3
    await oven.begin("theirs", 10.0)
    async with opened(oven.options()) as resource:
        outcome = await run(resource, x=30.0)

    assert outcome.values["y"].value == 60.0
    assert oven.started == ["theirs", "c1"]


async def test_a_server_that_stays_busy_is_named(oven):
    await oven.nodes["State"].write_value("running")
    await oven.nodes["CommandId"].write_value("theirs")

    async with opened(oven.options(busy_s=0.1)) as resource:
        with pytest.raises(
            ResourceUnavailable, match=r"oven is busy with another command \(theirs\); this one is not begun"
        ):
            await run(resource)

    assert oven.started == []


async def test_a_refused_input_is_a_failure_with_the_servers_words(oven):
    async with opened(oven.options()) as resource:
        outcome = await run(resource, x=150.0)

    assert isinstance(outcome, Failure)
    assert "BadOutOfRange" in outcome.reason


async def test_an_output_with_a_bad_status_is_a_failure_that_names_it(oven):
    oven.status = ua.StatusCodes.BadSensorFailure

    async with opened(oven.options()) as resource:
        outcome = await run(resource)

    assert isinstance(outcome, Failure)
    assert "output y" in outcome.reason
    assert "BadSensorFailure" in outcome.reason


async def test_an_output_of_uncertain_status_is_suspect(oven):
    oven.status = ua.StatusCodes.UncertainSensorNotAccurate

    async with opened(oven.options()) as resource:
        outcome = await run(resource)

    assert outcome.quality == "suspect"


async def test_nan_is_handed_on_as_it_was_read(oven):
    oven.result = lambda x: math.nan

    async with opened(oven.options()) as resource:
        outcome = await run(resource)

    assert math.isnan(outcome.values["y"].value)


async def test_a_failed_command_gives_the_servers_reason(oven):
    async def fail(x):
        await oven.nodes["Reason"].write_value("the door is open")
        await oven.nodes["State"].write_value("failed")

    oven.work = fail
    async with opened(oven.options()) as resource:
        assert await run(resource) == Failure(reason="the door is open")


async def test_words_of_the_server_are_translated(oven):
    async def finish(x):
        await oven.nodes["State"].write_value("Fertig")

    oven.work = finish
    words = {"states": {"done": ["fertig"], "idle": ["bereit", "idle"]}}
    async with opened(oven.options(capability=words)) as resource:
        assert isinstance(await run(resource), Observation)


async def test_a_word_that_nobody_explained_is_an_error(oven):
    await oven.nodes["State"].write_value("Pause")

    async with opened(oven.options()) as resource:
        with pytest.raises(ResourceUnavailable, match="'Pause', and nothing says what that means"):
            await run(resource)


async def test_writing_begins_a_command_and_an_older_result_is_never_taken(oven):
    oven.watch_start()
    async with opened(oven.options(capability=oven.written())) as resource:
        first = await run(resource, "c1", 10.0)
        second = await run(resource, "c2", 30.0)

    assert (first.values["y"].value, second.values["y"].value) == (20.0, 60.0)
    assert oven.started == ["c1", "c2"]


async def test_without_an_echo_the_state_must_leave_the_older_result_first(oven):
    oven.watch_start()
    part = oven.written(command_id=f"{oven.name}/Start")
    async with opened(oven.options(capability=part)) as resource:
        first = await run(resource, "c1", 10.0)
        second = await run(resource, "c2", 30.0)

    assert (first.values["y"].value, second.values["y"].value) == (20.0, 60.0)


async def test_a_server_that_does_not_take_up_what_was_written_is_named(oven):
    async with opened(oven.options(capability=oven.written(), start_s=0.2)) as resource:
        with pytest.raises(
            ResourceUnavailable, match=r"/Start was written, but after 0\.2 s the server still shows idle"
        ):
            await run(resource)


async def test_ask_cannot_tell_of_another_command_unless_nobody_else_commands_the_server(oven):
    async with opened(oven.options()) as shared, opened(oven.options(exclusive=True)) as own:
        outcome = await run(own)
        assert await own.ask(command("c1")) == Done(outcome=outcome)
        assert isinstance(await shared.ask(command("c9")), CannotTell)
        assert isinstance(await own.ask(command("c9")), NeverStarted)


async def test_with_several_commands_in_flight_another_that_is_held_proves_nothing(oven):
    async with opened(oven.options(exclusive=True, capacity=2)) as resource:
        await run(resource, "c1")
        await run(resource, "c2")

        assert isinstance(await resource.ask(command("c2")), Done)
        assert await resource.ask(command("c1")) == CannotTell(
            reason="oven holds another command, which may have followed this one"
        )


@pytest.mark.parametrize("held", ["", " ", None])
async def test_a_server_that_holds_no_command_may_have_forgotten_it(oven, held):
    async with opened(oven.options(exclusive=True)) as resource:
        await run(resource)
        restarted = ua.DataValue(ua.Variant(held, ua.VariantType.String))
        await oven.server.write_attribute_value(oven.nodes["CommandId"].nodeid, restarted)

        assert await resource.ask(command("c1")) == CannotTell(reason="oven holds no command: it may have restarted")


async def test_an_id_with_a_bad_status_is_no_evidence(oven):
    async with opened(oven.options(exclusive=True)) as resource:
        await run(resource)
        stale = ua.DataValue(ua.Variant("c1"), ua.StatusCode(ua.StatusCodes.BadNotConnected))
        await oven.server.write_attribute_value(oven.nodes["CommandId"].nodeid, stale)

        assert isinstance(await resource.ask(command("c9")), CannotTell)


@pytest.mark.parametrize(
    ("word", "kind"), [("unknown", NeverStarted), ("idle", CannotTell), ("Pause", CannotTell), ("", CannotTell)]
)
async def test_only_a_lookup_that_does_not_know_the_id_says_that_it_never_started(server, word, kind):
    oven = await Oven(server, f"lookup_{word}").build()
    await oven.add_method()
    await oven.add_lookup(word)

    async with opened(oven.options(capability={"lookup": f"{oven.name}/Lookup"}, exclusive=True)) as resource:
        assert isinstance(await resource.ask(command("c9")), kind)


async def test_a_command_that_outlives_its_deadline_is_not_known_to_have_ended(oven):
    oven.seconds = 5

    async with opened(oven.options()) as resource:
        with pytest.raises(ResourceUnavailable, match=r"has not ended within 0\.1 s"):
            await run(resource, timeout_s=0.1)
        assert isinstance(await resource.ask(command("c1")), Running)


async def test_stop_calls_the_servers_method(oven):
    stopped = []

    async def stop(parent):
        stopped.append(True)
        return []

    await oven.root.add_method(2, "Stop", stop, [], [])
    async with opened(oven.options(stop=f"{oven.name}/Stop")) as resource:
        await resource.stop()

    assert stopped == [True]


async def test_without_a_declared_stop_it_says_so(oven):
    async with opened(oven.options()) as resource:
        with pytest.raises(ResourceUnavailable, match="declares no stop"):
            await resource.stop()


@pytest.mark.parametrize("key", ["outputs", "state", "command_id", "reason", "start", "lookup", "progress"])
async def test_a_missing_node_is_named_with_what_is_there(oven, key):
    missing = f"{oven.name}/Z"
    part = {key: {"y": missing} if key == "outputs" else missing}

    with pytest.raises(InvalidInput, match=r"has no 'Z'\. It has: .*2:X, 2:Y"):
        async with opened(oven.options(capability=part)):
            pass


async def test_a_node_may_be_given_by_its_id(oven):
    part = {"outputs": {"y": oven.nodes["Y"].nodeid.to_string()}}

    async with opened(oven.options(capability=part)) as resource:
        outcome = await run(resource)

    assert outcome.values["y"].value == 40.0


async def test_inputs_that_the_method_does_not_take_are_refused(oven):
    part = {"inputs": {"z": f"{oven.name}/X"}}

    with pytest.raises(InvalidInput, match="takes after the command id x; the inputs in the file are z"):
        async with opened(oven.options(capability=part)):
            pass


async def test_a_connection_that_breaks_while_it_waits_is_opened_again(oven):
    oven.seconds = 0.6
    async with Relay(oven.url) as relay, opened(oven.options(url=relay.url)) as resource:
        waiting = asyncio.create_task(run(resource))
        await asyncio.sleep(0.2)
        relay.cut()
        outcome = await waiting

    assert outcome.values["y"].value == 40.0
    assert oven.started == ["c1"]


async def test_a_connection_that_stays_broken_is_given_up(oven):
    oven.seconds = 5
    async with Relay(oven.url) as relay, opened(oven.options(url=relay.url, reconnect_s=0.5)) as resource:
        waiting = asyncio.create_task(run(resource))
        await asyncio.sleep(0.2)
        relay.close()
        relay.cut()

        with pytest.raises(ResourceUnavailable, match="cannot be reached"):
            await waiting


@pytest.mark.parametrize("begins", [True, False])
async def test_an_order_whose_answer_is_lost_is_looked_for_and_never_sent_again(oven, begins):
    calls = []

    async def slow(parent, command_id, x):
        calls.append(command_id.Value)
        if begins:
            await oven.begin(command_id.Value, x.Value)
        await asyncio.sleep(0.3)
        return []

    oven.server.link_method(await oven.root.get_child("2:Heat"), slow)
    async with Relay(oven.url) as relay, opened(oven.options(url=relay.url)) as resource:
        waiting = asyncio.create_task(run(resource))
        await asyncio.sleep(0.15)
        relay.cut()
        if begins:
            assert (await waiting).values["y"].value == 40.0
        else:
            with pytest.raises(ResourceUnavailable, match="not known whether it began"):
                await waiting

    assert calls == ["c1"]
