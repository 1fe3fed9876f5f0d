"""The cell's face: an OPC UA server with its inputs, outputs, state and readings, each with its unit and range."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from asyncua import Node, Server, ua
from charger import Busy, Charger
from journal import Job, Journal
from model import START, TARGET
from sensors import INPUTS, OUTPUTS, refusal

NAMESPACE = "urn:labwright:example:cell"
UNECE = {"A": "AMP", "degC": "CEL", "V": "VLT", "min": "MIN", "%": "P1", "s": "SEC"}  # UN/ECE Recommendation 20
READINGS = {"voltage": "V", "temperature": "degC", "current": "A", "charge": "%", "time": "s"}
NO_VALUE = ua.StatusCodes.BadNoDataAvailable
Method = ua.CallMethodResult


class CellServer:
    """The address space under Objects/Cell, and the display on which the charger shows what it does."""

    def __init__(self, server: Server, root: Node, index: int, journal: Journal) -> None:
        self._server, self._root, self._index, self._journal = server, root, index, journal
        self._nodes: dict[str, ua.NodeId] = {}

    @classmethod
    async def build(cls, url: str, journal: Journal) -> "CellServer":
        """Make the server with everything but its methods; it does not listen yet."""
        server = Server()
        await server.init()
        server.set_endpoint(url)
        server.set_server_name("Labwright example cell")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await server.register_namespace(NAMESPACE)
        cell = cls(server, await server.nodes.objects.add_object(index, "Cell"), index, journal)
        await cell._add_variables()
        if last := journal.last():
            await cell.job(last)
        return cell

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._server.bserver.clients) if self._server.bserver else 0

    async def listen(self, charger: Charger) -> None:
        """Offer the methods, which hand their commands to the charger, and open the port."""
        await _add_methods(self._root, self._index, charger, self._journal)
        await self._server.start()

    async def close(self) -> None:
        """Close the port."""
        await self._server.stop()

    async def job(self, job: Job) -> None:
        """Show how a charge stands; the outputs first and the state last when it ends."""
        for name in OUTPUTS:
            await self._show(f"Outputs/{_camel(name)}", job.outputs.get(name))
        for name, value in job.inputs.items():
            await self._show(f"Inputs/{_camel(name)}", value)
        await self._show("Reason", job.reason)
        await self._show("Charges", len(self._journal))
        await self._show("Progress", 0.0 if job.state == "running" else 100.0)
        await self._show("CommandId", job.command_id)
        await self._show("State", job.state)

    async def reading(self, reading: Mapping[str, float]) -> None:
        """Show what the instruments read now."""
        for name in READINGS:
            await self._show(f"Telemetry/{_camel(name)}", reading[name])
        await self._show("Progress", 100 * (reading["charge"] - START) / (TARGET - START))

    async def _add_variables(self) -> None:
        for name, value in {"CommandId": "", "State": "idle", "Reason": ""}.items():
            await self._add(self._root, name, value)
        await self._add(self._root, "Charges", ua.Variant(len(self._journal), ua.VariantType.Int64))
        await self._add(self._root, "Progress", 0.0, unit="%")
        inputs = await self._root.add_object(self._index, "Inputs")
        for name, (unit, low, high) in INPUTS.items():
            node = await self._add(inputs, f"Inputs/{_camel(name)}", low, unit=unit)
            await node.add_property(0, "EURange", ua.Range(Low=low, High=high))
        outputs = await self._root.add_object(self._index, "Outputs")
        for name, unit in OUTPUTS.items():
            await self._add(outputs, f"Outputs/{_camel(name)}", math.nan, unit=unit)
            await self._show(f"Outputs/{_camel(name)}", None)
        telemetry = await self._root.add_object(self._index, "Telemetry")
        for name, unit in READINGS.items():
            await self._add(telemetry, f"Telemetry/{_camel(name)}", 0.0, unit=unit)

    async def _add(self, parent: Node, path: str, value: object, *, unit: str | None = None) -> Node:
        node = await parent.add_variable(self._index, path.rpartition("/")[2], value)
        if unit:
            await node.add_property(0, "EngineeringUnits", _engineering_unit(unit))
        self._nodes[path] = node.nodeid
        return node

    async def _show(self, path: str, value: object) -> None:
        variant = ua.Variant(value, ua.VariantType.Int64) if isinstance(value, int) else ua.Variant(value)
        status = ua.StatusCode(NO_VALUE if value is None else ua.StatusCodes.Good)
        now = datetime.now(UTC)
        await self._server.write_attribute_value(self._nodes[path], ua.DataValue(variant, status, now))


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _engineering_unit(unit: str) -> ua.EUInformation:
    code = UNECE.get(unit)
    number = int.from_bytes(code.encode(), "big") if code else -1  # OPC 10000-8, 5.6.4.3
    return ua.EUInformation(
        NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact" if code else NAMESPACE,
        UnitId=number,
        DisplayName=ua.LocalizedText(unit.replace("deg", "°")),
    )


def _argument(name: str, kind: int) -> ua.Argument:
    return ua.Argument(Name=name, DataType=ua.NodeId(kind), ValueRank=-1)


async def _add_methods(root: Node, index: int, charger: Charger, journal: Journal) -> None:
    text, number = ua.ObjectIds.String, ua.ObjectIds.Double
    command_id = _argument("command_id", text)

    async def charge(parent: ua.NodeId, command_id: ua.Variant, *values: ua.Variant) -> Method:
        return await _charge(charger, str(command_id.Value), [v.Value for v in values])

    async def lookup(parent: ua.NodeId, command_id: ua.Variant) -> list[ua.Variant]:
        return _lookup(journal, str(command_id.Value))

    async def stop(parent: ua.NodeId) -> list[ua.Variant]:
        charger.stop()
        return []

    inputs = [command_id, *(_argument(name, number) for name in INPUTS)]
    found = [_argument("state", text), _argument("reason", text), *(_argument(name, number) for name in OUTPUTS)]
    await root.add_method(index, "Charge", charge, inputs, [])
    await root.add_method(index, "Lookup", lookup, [command_id], found)
    await root.add_method(index, "Stop", stop, [], [])


async def _charge(charger: Charger, command_id: str, values: list[float]) -> Method:
    inputs = dict(zip(INPUTS, values, strict=False))
    if wrong := refusal(inputs):
        codes = [ua.StatusCodes.BadOutOfRange if name in wrong else ua.StatusCodes.Good for name in INPUTS]
        results = [ua.StatusCode(code) for code in [ua.StatusCodes.Good, *codes]]
        return Method(StatusCode=ua.StatusCode(ua.StatusCodes.BadInvalidArgument), InputArgumentResults=results)
    if isinstance(await charger.start(command_id, inputs), Busy):
        return Method(StatusCode=ua.StatusCode(ua.StatusCodes.BadInvalidState))
    return Method()


def _lookup(journal: Journal, command_id: str) -> list[ua.Variant]:
    job = journal.find(command_id) or Job(command_id=command_id, inputs={}, state="unknown")
    values = [float(job.outputs.get(name, math.nan)) for name in OUTPUTS]
    return [ua.Variant(value) for value in (job.state, job.reason, *values)]
