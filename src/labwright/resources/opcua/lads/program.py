"""One program of a functional unit as a capability: what the file and the server say of it together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Command
from labwright.core.errors import InvalidInput
from labwright.core.values import Value
from labwright.resources.opcua.addresses import Addresses
from labwright.resources.opcua.connection import Connection
from labwright.resources.opcua.engineering import Engineering, agreed_unit, as_input
from labwright.resources.opcua.lads.unit import Unit
from labwright.resources.opcua.options import ProgramPart
from labwright.resources.opcua.wire import Refused, variant

SET = "SupportedPropertiesSet"


@dataclass(frozen=True, kw_only=True, eq=False)
class Property:
    """A property that the program is started with: its key, and the type of the variable behind it, where known."""

    key: str
    type: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """A program by the id of its template; `properties` are by the names of the inputs."""

    unit: Unit
    part: ProgramPart
    capability: Capability
    template: str
    properties: Mapping[str, Property]

    @classmethod
    async def open(cls, unit: Unit, name: str, part: ProgramPart) -> "Program":
        """Find the program and read units and ranges; what does not fit together raises InvalidInput."""
        place = f"{unit.connection.name}.{name}"
        try:
            template = _chosen(place, part, await unit.programs())
            inputs = await _inputs(unit, place, part)
            outputs = [await _output(unit.connection, place, n, part) for n in part.outputs]
        except Refused as error:
            raise InvalidInput(f"{place}: {error}") from error
        capability = Capability(
            name=name,
            inputs=tuple(i for i, _ in inputs),
            outputs=tuple(outputs),
            repeatable=part.repeatable,
            queryable=True,
        )
        properties = {i.name: p for i, p in inputs}
        return cls(unit=unit, part=part, capability=capability, template=template, properties=properties)

    async def start(self, command: Command) -> str:
        """Start it once and return the id of the run; raises Refused, or Lost."""
        if set(command.inputs) != set(self.properties):
            given, wanted = (", ".join(sorted(names)) or "nothing" for names in (command.inputs, self.properties))
            raise Refused(f"{self.template} was given {given}; it takes {wanted}")
        values = {key: _text(Property(key=key, type=None), value) for key, value in self.part.fixed.items()}
        values |= {p.key: _text(p, command.inputs[name]) for name, p in self.properties.items()}
        return await self.unit.start(self.template, values, command.command_id)


def _chosen(place: str, part: ProgramPart, known: Mapping[str, str]) -> str:
    if part.program in known:
        return known[part.program]
    names = {own: [name for name, of in known.items() if of == own != name] for own in known.values()}
    there = ", ".join(f"{own} ({', '.join(also)})" if also else own for own, also in names.items()) or "no programs"
    raise InvalidInput(f"{place}: {part.functional_unit} has no program {part.program!r}. It has: {there}.")


async def _inputs(unit: Unit, place: str, part: ProgramPart) -> list[tuple[Input, Property]]:
    """Return inputs with the units and ranges of the variables that the supported properties lead to."""
    supported = await unit.connection.look(lambda client, addresses: _supported(unit, client, addresses))
    keys = [*(said.property or name for name, said in part.inputs.items()), *part.fixed]
    if supported and (unknown := [key for key in keys if key not in supported]):
        raise InvalidInput(
            f"{place}: {part.functional_unit} takes no property {unknown[0]!r}. It takes: {', '.join(supported)}."
        )
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise InvalidInput(f"{place}: the property {twice[0]!r} is given twice.")
    found = []
    for name, said in part.inputs.items():
        key = said.property or name
        node = said.node or supported.get(key)
        engineering = await unit.connection.engineering(node) if node else Engineering()
        kind = await unit.connection.variable_type(node) if node else None
        found.append((as_input(name, f"{place}.{name}", said, engineering), Property(key=key, type=kind)))
    return found


async def _supported(unit: Unit, client: Any, addresses: Addresses) -> dict[str, str | None]:
    """Return the properties that a functional unit takes, each with the variable that it leads to, or None."""
    from asyncua import ua

    try:
        folder = await addresses.find(unit.below(SET))
    except InvalidInput:
        return {}
    found: dict[str, str | None] = {}
    for child in await client.get_node(folder).get_children_descriptions():
        if child.NodeClass != ua.NodeClass.Object:
            continue
        leads_to = await client.get_node(child.NodeId).get_children_descriptions(
            ua.ObjectIds.Organizes, ua.NodeClass.Variable
        )
        found[child.BrowseName.Name] = leads_to[0].NodeId.to_string() if len(leads_to) == 1 else None
    return found


async def _output(connection: Connection, place: str, name: str, part: ProgramPart) -> Output:
    """Return an output; the unit of a node is read now, and that of a variable when there is a result."""
    said = part.outputs[name]
    engineering = await connection.engineering(said.node) if said.node else Engineering()
    return Output(name=name, unit=agreed_unit(f"{place}.{name}", said.unit, engineering))


def _text(known: Property, value: Value) -> str:
    """Write a value as LADS sends it; one that does not fit the variable behind it raises Refused."""
    if known.type is not None:
        value = variant(known.key, value, known.type).Value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # whatever reads numbers reads it, and whatever reads whole numbers does, too
    return repr(value) if isinstance(value, float) else str(value)
