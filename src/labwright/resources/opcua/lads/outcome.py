"""What came of a program: an observation of its result's variables, of other nodes and of files, or a failure."""

from collections.abc import Mapping
from dataclasses import replace

from labwright.core.capability import Output
from labwright.core.command import Failure, Measurement, Observation
from labwright.core.errors import InvalidUnit, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.core.units import convert_value
from labwright.core.values import Value
from labwright.resources.opcua.connection import Connection
from labwright.resources.opcua.engineering import Engineering
from labwright.resources.opcua.lads.results import File, Result, Variable, content, files, variables
from labwright.resources.opcua.options import Phase, ProgramPart
from labwright.resources.opcua.wire import Refused


async def outcome(
    connection: Connection, part: ProgramPart, outputs: tuple[Output, ...], result: Result, *, sure: bool
) -> Observation | Failure:
    """Read what came of a program that has ended; `sure`: it is known to have come to its end undisturbed.

    Raises ResourceUnavailable where its result cannot be read, or says something that nobody has explained.
    """
    paths = {name: said.variable or name for name, said in part.outputs.items() if said.node is None}
    words = [path for path in (part.state, part.reason) if path]
    try:
        found = await variables(connection, result, [*paths.values(), *words])
    except Refused as error:
        raise ResourceUnavailable(
            f"{connection.name}: the result {result.name} cannot be read: {error}. Look at the device."
        ) from error
    if part.state is not None:
        failure = _failure(connection, part, result, found)
        if failure is not None:
            return failure
        sure = True
    places: dict[str, Variable | str] = {name: found[path] for name, path in paths.items()}
    return await _observation(connection, part, outputs, result, places, sure=sure)


async def keep(connection: Connection, result: Result, recorder: Recorder) -> tuple[str, ...]:
    """Keep the files of a result; of one that only lies elsewhere, the address. Raises Refused."""
    found = await files(connection, result)
    return tuple([await _keep(connection, file, recorder) for file in found])


async def has_files(connection: Connection, result: Result) -> bool:
    """Say whether a result has files."""
    try:
        return bool(await files(connection, result))
    except Refused:
        return False


def with_files(observation: Observation, objects: tuple[str, ...]) -> Observation:
    """Return the observation with the references of its files."""
    return replace(observation, objects=objects)


async def _keep(connection: Connection, file: File, recorder: Recorder) -> str:
    if file.node_id is None:
        return await recorder.keep(f"{file.name}.url", file.url.encode())
    return await recorder.keep(file.name, await content(connection, file))


def _failure(
    connection: Connection, part: ProgramPart, result: Result, found: Mapping[str, Variable | str]
) -> Failure | None:
    """Return the failure that the result itself speaks of; raises ResourceUnavailable where it speaks unclearly."""
    assert part.state is not None
    said = _said(found[part.state])
    match part.phase(said):
        case Phase.DONE:
            return None
        case Phase.FAILED:
            reason = None if part.reason is None else _said(found[part.reason])
            return Failure(reason=str(reason or "the result says that the program failed, and not why"))
        case _:
            raise ResourceUnavailable(
                f"{connection.name}: {part.state} of the result {result.name} says {said!r}, and nothing says that this"
                " means done or failed. Add it under `states:`."
            )


def _said(found: Variable | str) -> object:
    if isinstance(found, str) or found.reading.bad:
        return None
    return getattr(found.reading.value, "Text", found.reading.value)


async def _observation(
    connection: Connection,
    part: ProgramPart,
    outputs: tuple[Output, ...],
    result: Result,
    places: dict[str, Variable | str],
    *,
    sure: bool,
) -> Observation | Failure:
    nodes = {name: said.node for name, said in part.outputs.items() if said.node is not None}
    for name, reading in zip(nodes, await connection.read(list(nodes.values())), strict=True):
        places[name] = Variable(reading=reading, engineering=Engineering())
    values, good = {}, sure
    for output in outputs:
        found = places[output.name]
        if isinstance(found, str):
            path = part.outputs[output.name].variable or output.name
            return Failure(reason=f"the result {result.name} has no variable {path}. It has: {found}.")
        try:
            values[output.name] = Measurement(value=_value(output, found), unit=output.unit)
        except (Refused, InvalidUnit) as error:
            return Failure(reason=str(error))
        good = good and found.reading.good
    return Observation(values=values, quality="good" if good else "suspect")


def _value(output: Output, found: Variable) -> Value:
    """Return a single value in the unit of the output; raises Refused or InvalidUnit."""
    value, what = found.reading.value, f"the output {output.name}"
    if found.reading.bad:
        raise Refused(f"{what} has the status {found.reading.status}")
    if not isinstance(value, float | int | str):
        raise Refused(f"{what} is not a single value: {value!r}")
    if isinstance(value, bool):
        value = int(value)
    unit = found.engineering.unit(what)
    if unit is None:
        return value
    if output.unit is None:
        raise Refused(f"{what} is in {unit!r}, and the file gives no unit. Add it: `unit: {unit}`")
    return convert_value(value, unit, output.unit, what)
