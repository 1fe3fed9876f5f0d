"""A functional unit: the state that it is in, its programs, and how one is started and stopped."""

import asyncio
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.values import is_number
from labwright.resources.opcua.addresses import Addresses, Below
from labwright.resources.opcua.connection import Connection
from labwright.resources.opcua.options import Halt
from labwright.resources.opcua.wire import Argument, Reading, Refused, reading

LADS = "http://opcfoundation.org/UA/LADS/"
ARGUMENTS = {"ProgramTemplateId", "Properties", "SupervisoryJobId", "SupervisoryTaskId", "Samples"}


class Stage(StrEnum):
    """What the state of a functional unit means for the program that it was given."""

    FREE = "free"
    BUSY = "busy"
    COMPLETE = "complete"
    ABORTED = "aborted"


# The states and the substates of Running, by their browse names (OPC 30500-1, 7.1.5 and 7.1.6).
STAGES = {
    "Stopped": Stage.FREE,
    "Running": Stage.BUSY,
    "Stopping": Stage.BUSY,
    "Aborting": Stage.BUSY,
    "Aborted": Stage.ABORTED,
    "Clearing": Stage.ABORTED,
}
RUNNING = {"Idle": Stage.FREE, "Complete": Stage.COMPLETE, "Resetting": Stage.COMPLETE}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What a functional unit said at one instant; `run_id` is that of its active program, empty where it names none."""

    stage: Stage
    state: str
    run_id: str
    progress: float

    @property
    def words(self) -> str:
        """Write it for people."""
        return f"{self.state} ({self.run_id})" if self.run_id else self.state


@dataclass(kw_only=True, eq=False)
class Unit:
    """A functional unit by the text of its node; `nodes` are those of its state that it has.

    `turn` is held by whoever uses it; `halts` counts how often this process has stopped it.
    """

    connection: Connection
    node: str
    halt: Halt
    nodes: Mapping[str, Below]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    halts: int = 0

    @classmethod
    async def open(cls, connection: Connection, node: str, halt: Halt) -> "Unit":
        """Find what it has; a node that is no functional unit with programs raises InvalidInput."""
        unit = cls(connection=connection, node=node, halt=halt, nodes={})
        for names in (("FunctionalUnitState", "CurrentState"), ("ProgramManager", "ResultSet")):
            try:
                await connection.find(unit.below(*names))
            except InvalidInput as error:
                raise InvalidInput(
                    f"{error} So {node} is not the functional unit of a LADS device, or has no programs."
                ) from error
        for method in ("StartProgram", halt.capitalize()):
            if not await connection.has(unit.below("FunctionalUnitState", method)):
                raise InvalidInput(f"{connection.name}: {node}/FunctionalUnitState has no method {method}.")
        takes = await connection.method(unit.below("FunctionalUnitState", "StartProgram"))
        if set(takes.takes) != ARGUMENTS:
            raise InvalidInput(
                f"{connection.name}: {node}/FunctionalUnitState/StartProgram takes {', '.join(takes.takes)};"
                f" expected {', '.join(sorted(ARGUMENTS))}, as LADS 1.0 has it."
            )
        unit.nodes = {name: below for name, below in unit._said().items() if await connection.has(below)}
        return unit

    def below(self, *names: str) -> Below:
        """Return a node of this functional unit by the names that LADS gives."""
        return Below(self.node, names, LADS)

    async def now(self) -> Moment:
        """Read its state and its active program in one request."""
        found, names = await self.connection.look(self._read)
        state = names["state"]
        stage, place = STAGES.get(state), f"{self.connection.name}: {self.below('FunctionalUnitState')}"
        if found["state"].bad:
            raise ResourceUnavailable(f"{place} has the status {found['state'].status}. Look at the device.")
        if stage is None:
            raise ResourceUnavailable(f"{place} says {state!r}, which LADS does not know. Look at the device.")
        if state == "Running" and "substate" in names:
            stage, state = RUNNING.get(names["substate"], stage), names["substate"] or state
        return Moment(stage=stage, state=state, run_id=_text(found.get("run")), progress=_progress(found))

    async def programs(self) -> dict[str, str]:
        """Return the id of each program template, by the names that it goes by."""
        return await self.connection.look(self._programs)

    async def start(self, program: str, properties: Mapping[str, str], command_id: str) -> str:
        """Start a program and return the id of its run; raises Refused, or Lost where nobody knows whether it began."""
        node = self.below("FunctionalUnitState", "StartProgram")
        given = {
            "ProgramTemplateId": program,
            "Properties": await self.connection.look(lambda c, a: self._pairs(c, a, properties)),
            "SupervisoryJobId": command_id,
            "SupervisoryTaskId": command_id,
            "Samples": _structures([]),
        }
        takes = (await self.connection.method(node)).takes
        arguments: list[Argument] = [(name, given[name], kind) for name, kind in takes.items()]
        gives = await self.connection.call(node, arguments)
        return str(gives[0] or "").strip() if gives else ""

    async def reset(self) -> None:
        """Bring it from Complete to Idle, where it offers that; raises Lost."""
        node = self.below("FunctionalUnitState", "RunningStateMachine", "Reset")
        if await self.connection.has(node):
            try:
                await self.connection.call(node)
            except Refused:
                return  # whether it can be started is seen when it is

    async def stop(self, connection: Connection) -> None:
        """Stop it; raises Lost, or Refused unless it is at rest already."""
        self.halts += 1
        try:
            await connection.call(self.below("FunctionalUnitState", self.halt.capitalize()))
        except Refused:
            _, names = await connection.look(self._read)
            if names["state"] not in ("Stopped", "Stopping", "Aborting", "Aborted", "Clearing"):
                raise

    def _said(self) -> dict[str, Below]:
        state, active = ("FunctionalUnitState",), ("ProgramManager", "ActiveProgram")
        running = (*state, "RunningStateMachine")
        return {
            "state": self.below(*state, "CurrentState"),
            "state id": self.below(*state, "CurrentState", "Id"),
            "substate": self.below(*running, "CurrentState"),
            "substate id": self.below(*running, "CurrentState", "Id"),
            "run": self.below(*active, "DeviceProgramRunId"),
            "runtime": self.below(*active, "CurrentRuntime"),
            "whole runtime": self.below(*active, "EstimatedRuntime"),
            "step": self.below(*active, "CurrentStepNumber"),
            "steps": self.below(*active, "EstimatedStepNumbers"),
        }

    async def _read(self, client: Any, addresses: Addresses) -> tuple[dict[str, Reading], dict[str, str]]:
        from asyncua import ua

        ids = [await addresses.find(node) for node in self.nodes.values()]
        values = await client.uaclient.read_attributes(ids, ua.AttributeIds.Value)
        found = dict(zip(self.nodes, map(reading, values), strict=True))
        names: dict[str, str] = {}
        for name in ("state", "substate"):
            if name in found:
                names[name] = await _state(addresses, found[name], found.get(f"{name} id"))
        return found, names

    async def _programs(self, client: Any, addresses: Addresses) -> dict[str, str]:
        from asyncua import ua

        folder = await addresses.find(self.below("ProgramManager", "ProgramTemplateSet"))
        found: dict[str, str] = {}
        for child in await client.get_node(folder).get_children_descriptions():
            if child.NodeClass != ua.NodeClass.Object:
                continue
            properties = {
                (await p.read_browse_name()).Name: p for p in await client.get_node(child.NodeId).get_properties()
            }
            ids = [properties[n] for n in ("DeviceTemplateId", "SupervisoryTemplateId") if n in properties]
            names = [str(await p.read_value() or "") for p in ids]
            names.append(child.BrowseName.Name)
            own = next(name for name in names if name)
            found |= {name: own for name in reversed(names) if name and name not in found}
            found[own] = own
        return found

    async def _pairs(self, client: Any, addresses: Addresses, properties: Mapping[str, str]) -> Any:
        """Return keys and values as the server's KeyValueType, whatever its index there."""
        from asyncua import ua

        if not properties:
            return _structures([])
        arguments = await addresses.find(self.below("FunctionalUnitState", "StartProgram", "InputArguments"))
        declared = {a.Name: a.DataType for a in await client.get_node(arguments).read_value()}
        encodings = await client.get_node(declared["Properties"]).get_referenced_nodes(ua.ObjectIds.HasEncoding)
        binary = [e.nodeid for e in encodings if (await e.read_browse_name()).Name == "Default Binary"]
        if not binary:
            raise Refused(f"{self.node} takes properties of a type that has no binary encoding")
        return _structures(
            [
                ua.ExtensionObject(TypeId=binary[0], Body=_string(key) + _string(text))
                for key, text in properties.items()
            ]
        )


def _structures(found: Sequence[Any]) -> Any:
    from asyncua import ua

    return ua.Variant(list(found), ua.VariantType.ExtensionObject, is_array=True)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<i", len(encoded)) + encoded


async def _state(addresses: Addresses, said: Reading, state_id: Reading | None) -> str:
    """Return the browse name of a state, which is in no language; or its text, where the server says no more."""
    known: Any = None if state_id is None or state_id.bad else state_id.value
    if known is not None and not known.is_null():
        return await addresses.browse_name(known)
    return str(getattr(said.value, "Text", said.value) or "")


def _text(found: Reading | None) -> str:
    return "" if found is None or found.bad or found.value is None else str(found.value).strip()


def _progress(found: Mapping[str, Reading]) -> float:
    for part, whole in (("runtime", "whole runtime"), ("step", "steps")):
        done, all_of_it = (found[name].value if name in found else None for name in (part, whole))
        if is_number(done) and is_number(all_of_it):
            assert isinstance(done, int | float)
            assert isinstance(all_of_it, int | float)
            if all_of_it > 0:
                return min(max(done / all_of_it, 0.0), 1.0)
    return 0.0
