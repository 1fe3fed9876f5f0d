"""From the text of a node, a path under Objects or a node id, to the node on a server."""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from labwright.core.errors import InvalidInput

NODE_ID = re.compile(r"^(ns=\d+;)?[isgb]=.+$")
PREFIX = re.compile(r"^(?:(\d+):)?(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Below:
    """A node below another, by browse names that a namespace or OPC UA itself defines, whatever their index."""

    base: str
    names: tuple[str, ...]
    namespace: str

    def __str__(self) -> str:
        return "/".join((self.base, *self.names))


Node: TypeAlias = str | Below


class Addresses:
    """Finds nodes and remembers them for as long as one session lasts."""

    def __init__(self, name: str, client: Any) -> None:
        self._name, self._client = name, client
        self._found: dict[Node, Any] = {}
        self._children: dict[Any, list[Any]] = {}
        self._namespaces: list[str] = []
        self._names: dict[Any, str] = {}

    async def find(self, node: Node) -> Any:
        """Return the node's id; one that is not there, or is not the only one, raises InvalidInput."""
        if node not in self._found:
            self._found[node] = await self._find(node)
        return self._found[node]

    async def parent(self, node: Node) -> Any:
        """Return the id of the object that a method belongs to."""
        if isinstance(node, Below):
            return await self.find(Below(node.base, node.names[:-1], node.namespace))
        if not NODE_ID.match(node):
            return await self._walk(node.rpartition("/")[0])
        parent = await self._client.get_node(await self.find(node)).get_parent()
        if parent is None:
            raise InvalidInput(f"{self._name}: {node} belongs to no object; name it by its path.")
        return parent.nodeid

    async def index(self, namespace: str) -> int:
        """Return the index that a namespace has on this server; one that it does not offer raises InvalidInput."""
        if not self._namespaces:
            self._namespaces = await self._client.get_namespace_array()
        if namespace not in self._namespaces:
            raise InvalidInput(
                f"{self._name}: the server does not offer {namespace}. It has: {', '.join(self._namespaces)}."
            )
        return self._namespaces.index(namespace)

    async def browse_name(self, node_id: Any) -> str:
        """Return the name of a node without its namespace."""
        if node_id not in self._names:
            self._names[node_id] = (await self._client.get_node(node_id).read_browse_name()).Name
        return self._names[node_id]

    async def _find(self, node: Node) -> Any:
        if isinstance(node, Below):
            return await self._descend(node)
        return self._node_id(node) if NODE_ID.match(node) else await self._walk(node)

    async def _descend(self, node: Below) -> Any:
        here, passed, indexes = await self.find(node.base), node.base, (0, await self.index(node.namespace))
        for name in node.names:
            children = await self._children_of(here)
            found = {c.NodeId for c in children if c.BrowseName.Name == name and c.BrowseName.NamespaceIndex in indexes}
            if len(found) != 1:
                there = ", ".join(c.BrowseName.Name for c in children) or "nothing"
                problem = "no" if not found else "more than one"
                raise InvalidInput(f"{self._name}: {passed} has {problem} {name}. It has: {there}.")
            here, passed = found.pop(), f"{passed}/{name}"
        return here

    def _node_id(self, node: str) -> Any:
        from asyncua import ua

        try:
            return ua.NodeId.from_string(node)
        except ua.UaStringParsingError as error:
            raise InvalidInput(f"{self._name}: {node!r} is not a node id such as ns=2;i=5.") from error

    async def _walk(self, path: str) -> Any:
        from asyncua import ua

        here, passed = ua.NodeId(ua.ObjectIds.ObjectsFolder), "Objects"
        for part in [part for part in path.strip("/").split("/") if part]:
            here = await self._child(here, part, passed, path)
            passed = f"{passed}/{part}"
        return here

    async def _child(self, parent: Any, part: str, passed: str, path: str) -> Any:
        children = await self._children_of(parent)
        match = PREFIX.match(part)
        assert match is not None
        index, name = match.groups()
        found = [
            c.NodeId
            for c in children
            if c.BrowseName.Name == name and (index is None or c.BrowseName.NamespaceIndex == int(index))
        ]
        if len(set(found)) == 1:
            return found[0]
        there = ", ".join(f"{c.BrowseName.NamespaceIndex}:{c.BrowseName.Name}" for c in children) or "nothing"
        problem = f"{passed} has no {part!r}" if not found else f"{passed} has more than one {part!r}"
        raise InvalidInput(f"{self._name}: there is no single node {path!r}: {problem}. It has: {there}.")

    async def _children_of(self, parent: Any) -> list[Any]:
        if parent not in self._children:
            self._children[parent] = await self._client.get_node(parent).get_children_descriptions()
        return self._children[parent]
