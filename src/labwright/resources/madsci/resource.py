"""Any instrument behind a MADSci node: its actions are found by asking it, and each is started once."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from labwright.core.errors import ResourceUnavailable
from labwright.resources.madsci.info import read_actions
from labwright.resources.madsci.node import Node
from labwright.resources.madsci.options import NodeActionPart, NodeOptions
from labwright.resources.served import ServedResource
from labwright.resources.served.docket import Docket
from labwright.resources.served.skill import read_skills
from labwright.resources.served.web import Web
from labwright.resources.served.wire import Lost, NotAccepted, Refused


class MadsciResource(ServedResource):
    """Offers the actions of a node.

    A node gives each action an id before it is started, and tells by it what came of the action until it restarts.
    """

    Options = NodeOptions

    @classmethod
    def identity(cls, options: NodeOptions, folder: Path) -> str:
        """Return the node's address: whatever a campaign calls on it, it is the same instrument."""
        return options.url.rstrip("/")

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: NodeOptions, folder: Path) -> AsyncIterator["MadsciResource"]:
        """Connect, and read actions, types and limits from the node."""
        async with Web.open(name, options, folder) as web:
            info = await _read_info(web)
            actions = read_actions(info, await _read_schema(web))
            skills = read_skills(name, options.capabilities, actions, lambda action: NodeActionPart(action=action))
            node = Node(web, folder, _admin_commands(info))
            yield cls(node, skills, options, Docket(folder, cls.identity(options, folder)))


async def _read_info(web: Web) -> Mapping[str, Any]:
    try:
        info = await web.order("GET", "/info")
    except (Lost, NotAccepted) as error:
        raise web.unavailable(error) from error
    except Refused as error:
        raise ResourceUnavailable(f"{web.name}: {web.options.url} is no MADSci node, or not ours: {error}") from error
    if not isinstance(info, Mapping) or not isinstance(info.get("actions"), Mapping):
        raise ResourceUnavailable(f"{web.name}: {web.options.url} is no MADSci node: its /info names no actions.")
    return info


async def _read_schema(web: Web) -> Mapping[str, Any]:
    """Return the node's OpenAPI page, which it need not have."""
    try:
        schema = await web.order("GET", "/openapi.json")
    except (Lost, Refused):
        return {}
    return schema if isinstance(schema, Mapping) else {}


def _admin_commands(info: Mapping[str, Any]) -> list[str]:
    capabilities = info.get("capabilities")
    found = capabilities.get("admin_commands") if isinstance(capabilities, Mapping) else None
    return [str(command) for command in found] if isinstance(found, list) else []
