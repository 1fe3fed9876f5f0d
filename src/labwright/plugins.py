"""Finds plug-ins, ours and those of others, by their entry points."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from labwright.core.errors import PluginNotFound


def installed(group: str) -> list[str]:
    """Return the names of the plug-ins in a group such as `labwright.resources`."""
    return sorted({point.name for point in entry_points(group=group)})


def load(group: str, name: str) -> Any:
    """Return the class behind a plug-in's name; its group has its contract. An unknown name raises PluginNotFound."""
    points: list[EntryPoint] = list(entry_points(group=group, name=name))
    if not points:
        kind = group.rpartition(".")[2].removesuffix("s")
        raise PluginNotFound(f"No {kind} named {name!r}. Known: {', '.join(installed(group)) or 'none'}.")
    return points[0].load()
