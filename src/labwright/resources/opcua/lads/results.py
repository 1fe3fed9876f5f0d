"""What a functional unit keeps of its program runs: which command each was, its variables and its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labwright.resources.opcua.addresses import Addresses
from labwright.resources.opcua.connection import Connection
from labwright.resources.opcua.engineering import Engineering
from labwright.resources.opcua.lads.unit import LADS, Unit
from labwright.resources.opcua.wire import Reading, reading

WORDS = ("SupervisoryTaskId", "SupervisoryJobId", "DeviceProgramRunId", "Stopped")
AT_ONCE = 100  # results whose words are asked for in one request
CHUNK = 60_000  # of a file, below what any server takes in one message
READ = 1  # the mode in which a file is opened (OPC 10000-20, 4.2.2)
MANY_YEARS_AGO = 1900  # a time that a server has not set is the beginning of 1601


@dataclass(frozen=True, kw_only=True)
class Result:
    """One program run as the server has it; `node_id` holds for one session, `ended` where it has an end time."""

    name: str
    node_id: Any
    tasks: tuple[str, ...]
    run_id: str
    ended: bool


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable of a result, with its unit."""

    reading: Reading
    engineering: Engineering


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of a result: its node where it can be read, else where it lies."""

    name: str
    node_id: Any
    url: str


async def every_result(unit: Unit) -> list[Result]:
    """Return the results of a functional unit, which may be many."""
    return await unit.connection.look(lambda client, addresses: _every_result(unit, client, addresses))


async def variables(connection: Connection, result: Result, paths: Sequence[str]) -> dict[str, Variable | str]:
    """Return the variables at some paths in a result's set; of one that is not there, what there is instead."""

    async def look(client: Any, addresses: Addresses) -> dict[str, Variable | str]:
        folder = await _child(client, addresses, result.node_id, "VariableSet")
        return {path: await _variable(client, folder, path) for path in paths}

    return await connection.look(look)


async def files(connection: Connection, result: Result) -> list[File]:
    """Return what files a result has."""
    return await connection.look(lambda client, addresses: _files(client, addresses, result))


async def content(connection: Connection, file: File) -> bytes:
    """Read a file; one that cannot be read raises Refused."""
    return await connection.look(lambda client, _: _content(client, file))


async def _every_result(unit: Unit, client: Any, addresses: Addresses) -> list[Result]:
    from asyncua import ua

    folder = await addresses.find(unit.below("ProgramManager", "ResultSet"))
    children = await client.get_node(folder).get_children_descriptions()
    index = await addresses.index(LADS)
    found: list[Result] = []
    objects = [child for child in children if child.NodeClass == ua.NodeClass.Object]
    for start in range(0, len(objects), AT_ONCE):
        some = objects[start : start + AT_ONCE]
        said = await _words(client, index, [child.NodeId for child in some])
        found += [_result(child, words) for child, words in zip(some, said, strict=True)]
    return found


async def _words(client: Any, index: int, results: Sequence[Any]) -> list[dict[str, Reading]]:
    """Read what says which run each result is, all in two requests."""
    from asyncua import ua

    paths = []
    for node_id in results:
        for word in WORDS:
            step = ua.RelativePathElement(
                ReferenceTypeId=ua.NodeId(ua.ObjectIds.Aggregates),
                IsInverse=False,
                IncludeSubtypes=True,
                TargetName=ua.QualifiedName(word, index),
            )
            paths.append(ua.BrowsePath(StartingNode=node_id, RelativePath=ua.RelativePath(Elements=[step])))
    places = await client.uaclient.translate_browsepaths_to_nodeids(paths)
    ids = [place.Targets[0].TargetId if place.StatusCode.is_good() and place.Targets else None for place in places]
    known = [node_id for node_id in ids if node_id is not None]
    values = iter(await client.uaclient.read_attributes(known, ua.AttributeIds.Value) if known else [])
    readings = iter([None if node_id is None else reading(next(values)) for node_id in ids])
    return [{word: r for word in WORDS if (r := next(readings)) is not None} for _ in results]


def _result(child: Any, words: dict[str, Reading]) -> Result:
    texts = {
        word: "" if r.bad or r.value is None else str(r.value).strip() for word, r in words.items() if word != "Stopped"
    }
    stopped = words["Stopped"].value if "Stopped" in words and not words["Stopped"].bad else None
    return Result(
        name=child.BrowseName.Name,
        node_id=child.NodeId,
        tasks=tuple(t for t in (texts.get("SupervisoryTaskId"), texts.get("SupervisoryJobId")) if t),
        run_id=texts.get("DeviceProgramRunId") or child.BrowseName.Name,
        ended=isinstance(stopped, datetime) and stopped.year > MANY_YEARS_AGO,
    )


async def _variable(client: Any, folder: Any, path: str) -> Variable | str:
    here = folder
    for name in path.strip("/").split("/"):
        children = [] if here is None else await client.get_node(here).get_children_descriptions()
        found = [c.NodeId for c in children if c.BrowseName.Name == name]
        if len(found) != 1:
            return ", ".join(c.BrowseName.Name for c in children) or "nothing"
        here = found[0]
    node = client.get_node(here)
    value = reading(await node.read_data_value(raise_on_bad_status=False))
    properties = {(await p.read_browse_name()).Name: p for p in await node.get_properties()}
    unit = await properties["EngineeringUnits"].read_value() if "EngineeringUnits" in properties else None
    if unit is None:
        return Variable(reading=value, engineering=Engineering())
    said = Engineering(unit_text=unit.DisplayName.Text, unit_namespace=unit.NamespaceUri, unit_code=unit.UnitId)
    return Variable(reading=value, engineering=said)


async def _files(client: Any, addresses: Addresses, result: Result) -> list[File]:
    from asyncua import ua

    folder = await _child(client, addresses, result.node_id, "FileSet")
    children = [] if folder is None else await client.get_node(folder).get_children_descriptions()
    found = []
    for child in children:
        if child.NodeClass != ua.NodeClass.Object:
            continue
        said = {}
        for word in ("Name", "URL"):
            node_id = await _child(client, addresses, child.NodeId, word)
            said[word] = "" if node_id is None else str(await client.get_node(node_id).read_value() or "")
        file = await _child(client, addresses, child.NodeId, "File")
        found.append(File(name=said["Name"] or child.BrowseName.Name, node_id=file, url=said["URL"]))
    return found


async def _child(client: Any, addresses: Addresses, parent: Any, name: str) -> Any:
    """Return the id of a child that LADS names, or None; it may have come since, so none are remembered."""
    index = await addresses.index(LADS)
    children = await client.get_node(parent).get_children_descriptions()
    return next(
        (c.NodeId for c in children if c.BrowseName.Name == name and c.BrowseName.NamespaceIndex == index), None
    )


async def _content(client: Any, file: File) -> bytes:
    from asyncua import ua

    node = client.get_node(file.node_id)
    handle = ua.Variant(await node.call_method("0:Open", ua.Variant(READ, ua.VariantType.Byte)), ua.VariantType.UInt32)
    parts = []
    try:
        while part := await node.call_method("0:Read", handle, ua.Variant(CHUNK, ua.VariantType.Int32)):
            parts.append(part)
    finally:
        await node.call_method("0:Close", handle)
    return b"".join(parts)
