"""From the text of a node, a path under Objects or a node id, to the node on a server."""

import re
from typing import Any

from labwright.core.errors import InvalidInput

NODE_ID = re.compile(r"^(ns=\d+;)?[isgb]=.+$")
PREFIX = re.compile(r"^(?:(\d+):)?(.*)$", re.DOTALL)


class Addresses:
    """Finds nodes and remembers them for as long as one session lasts."""

    def __init__(self, name: str, client: Any) -> None:
        self._name, self._client = name, client
        self._found: dict[str, Any] = {}
        self._children: dict[Any, list[Any]] = {}

    async def find(self, node: str) -> Any:
        """Return the node's id; one that is not there, or is not the only one, raises InvalidInput."""
        if node not in self._found:
            self._found[node] = self._node_id(node) if NODE_ID.match(node) else await self._walk(node)
        return self._found[node]

    async def parent(self, node: str) -> Any:
        """Return the id of the object that a method belongs to."""
        if not NODE_ID.match(node):
            return await self._walk(node.rpartition("/")[0])
        parent = await self._client.get_node(await self.find(node)).get_parent()
        if parent is None:
            raise InvalidInput(f"{self._name}: {node} belongs to no object; name it by its path.")
        return parent.nodeid

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
        if parent not in self._children:
            self._children[parent] = await self._client.get_node(parent).get_children_descriptions()
        children = self._children[parent]
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
