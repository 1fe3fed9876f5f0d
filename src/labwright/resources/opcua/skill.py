"""One capability of an OPC UA server: what it takes, what it gives, and how it is ordered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Command
from labwright.core.errors import InvalidInput
from labwright.core.values import Value
from labwright.resources.opcua.connection import Connection
from labwright.resources.opcua.engineering import Engineering, as_input, as_output
from labwright.resources.opcua.options import CapabilityPart
from labwright.resources.opcua.wire import Method, Refused


@dataclass(frozen=True, kw_only=True, eq=False)
class Skill:
    """What the file and the server say of a capability together.

    `method` is None where it is begun by writing; then `types` are those of the variables that are written.
    """

    connection: Connection
    part: CapabilityPart
    capability: Capability
    method: Method | None
    lookup: Method | None
    types: Mapping[str, Any]
    progress_unit: str

    @classmethod
    async def open(cls, connection: Connection, name: str, part: CapabilityPart) -> "Skill":
        """Read units, ranges and arguments; what does not fit together raises InvalidInput."""
        try:
            skill = await _read_skill(connection, name, part)
        except Refused as error:
            raise InvalidInput(f"{connection.name}.{name}: {error}") from error
        for problem in (_start_problem(skill), _lookup_problem(skill)):
            if problem:
                raise InvalidInput(f"{connection.name}.{name}: {problem}")
        return skill

    @property
    def identifies(self) -> bool:
        """Whether the server is given the command's id."""
        return self.capability.queryable

    @property
    def echoes(self) -> bool:
        """Whether the server itself says which command it holds, so that its state cannot be an older one's."""
        return self.method is not None or self.part.command_id not in (None, self.part.start)

    async def order(self, command: Command) -> None:
        """Give the command to the server; raises Refused, or Lost where nobody knows whether it arrived."""
        if self.method is None:
            await self._write(command)
            return
        given = {self._argument(name): value for name, value in command.inputs.items()} | self.part.fixed
        values = [command.command_id, *map(given.__getitem__, self.arguments)]
        takes = self.method.takes.items()
        if not self.identifies:
            values = values[1:]
        arguments = [(name, value, kind) for (name, kind), value in zip(takes, values, strict=True)]
        await self.connection.call(self.part.start, arguments)

    def _argument(self, name: str) -> str:
        """Return what the method calls an input."""
        return self.part.inputs[name].argument or name

    async def _write(self, command: Command) -> None:
        for node, value in self.part.fixed.items():
            await self.connection.write(node, value, self.types[node])
        for name, value in command.inputs.items():
            await self.connection.write(self.part.inputs[name].node or "", value, self.types[name])
        last: Value = command.command_id if self.identifies else 1
        await self.connection.write(self.part.start, last, self.types[self.part.start])

    @property
    def arguments(self) -> list[str]:
        """The inputs in the order in which the method takes them."""
        names = list(self.method.takes) if self.method else []
        return names[1:] if self.identifies else names


async def _read_skill(connection: Connection, name: str, part: CapabilityPart) -> Skill:
    place = f"{connection.name}.{name}"
    for node in filter(None, (part.state, part.command_id, part.reason)):
        await connection.variable_type(node)  # that it is there is better known now than in the middle of a run
    method = await connection.method(part.start) if await connection.is_method(part.start) else None
    progress = await connection.engineering(part.progress) if part.progress else Engineering()
    return Skill(
        connection=connection,
        part=part,
        capability=Capability(
            name=name,
            inputs=await _inputs(connection, place, part),
            outputs=await _outputs(connection, place, part),
            repeatable=part.repeatable,
            queryable=bool(part.command_id or part.lookup),
        ),
        method=method,
        lookup=await connection.method(part.lookup) if part.lookup else None,
        types={} if method else await _types(connection, part),
        progress_unit=progress.unit(f"{place}.progress") or "1",
    )


async def _inputs(connection: Connection, place: str, part: CapabilityPart) -> tuple[Input, ...]:
    inputs = []
    for name, declared in part.inputs.items():
        said = await connection.engineering(declared.node) if declared.node else Engineering()
        inputs.append(as_input(name, f"{place}.{name}", declared, said))
    return tuple(inputs)


async def _outputs(connection: Connection, place: str, part: CapabilityPart) -> tuple[Output, ...]:
    outputs = []
    for name, declared in part.outputs.items():
        outputs.append(as_output(name, f"{place}.{name}", declared, await connection.engineering(declared.node)))
    return tuple(outputs)


async def _types(connection: Connection, part: CapabilityPart) -> dict[str, Any]:
    types = {name: await connection.variable_type(i.node) for name, i in part.inputs.items() if i.node}
    fixed = {node: await connection.variable_type(node) for node in part.fixed}
    return {**types, **fixed, part.start: await connection.variable_type(part.start)}


def _start_problem(skill: Skill) -> str | None:
    part, taken = skill.part, skill.arguments
    if skill.method is None:
        without = [name for name, declared in part.inputs.items() if declared.node is None]
        return f"{part.start} is a variable, so a node is needed for: {', '.join(without)}." if without else None
    if skill.identifies and not skill.method.takes:
        return f"the method {part.start} takes no arguments, but must take the command id first."
    given = [*(declared.argument or name for name, declared in part.inputs.items()), *part.fixed]
    if sorted(taken) != sorted(given):
        then = " after the command id" if skill.identifies else ""
        return (
            f"the method {part.start} takes{then} {', '.join(taken) or 'nothing'}; the inputs in the file are"
            f" {', '.join(given) or 'none'}. They must have the same names, by themselves or by `argument`."
        )
    return None


def _lookup_problem(skill: Skill) -> str | None:
    if skill.lookup is None:
        return None
    if len(skill.lookup.takes) != 1:
        return f"the method {skill.part.lookup} must take one argument, the command id."
    missing = [name for name in ("state", *skill.part.outputs) if name not in skill.lookup.gives]
    return f"the method {skill.part.lookup} does not return {', '.join(missing)}." if missing else None
