"""Finds plug-ins, ours and those of others, by their entry points or by the file that they are in."""

import importlib.util
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from labwright.core.errors import InvalidInput, PluginNotFound

FILE = ".py:"  # stands in a kind such as `heater.py:Heater`


def installed(group: str) -> list[str]:
    """Return the names of the plug-ins in a group such as `labwright.resources`."""
    return sorted({point.name for point in entry_points(group=group)})


def load(group: str, name: str, folder: Path | None = None) -> Any:
    """Return the class behind a plug-in's name; its group has its contract. An unknown name raises PluginNotFound.

    `FILE.py:Class` is a class in a file, from that folder; what cannot be loaded raises InvalidInput.
    """
    if folder is not None and FILE in name:
        return _in_file(name, folder)
    points: list[EntryPoint] = list(entry_points(group=group, name=name))
    if not points:
        kind = group.rpartition(".")[2].removesuffix("s")
        raise PluginNotFound(f"No {kind} named {name!r}. Known: {', '.join(installed(group)) or 'none'}.")
    return points[0].load()


def load_file(path: Path) -> Any:
    """Import a file by its path."""
    spec = importlib.util.spec_from_file_location(f"labwright_function_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look there
    spec.loader.exec_module(module)
    return module


def _in_file(name: str, folder: Path) -> Any:
    file, _, wanted = name.rpartition(":")
    if not (folder / file).is_file():
        raise InvalidInput(f"{name!r}: there is no file {folder / file}; it is sought from the campaign's folder.")
    try:
        module = load_file(folder / file)
    except (Exception, SystemExit) as error:  # importing runs a stranger's code
        raise InvalidInput(f"{name!r} cannot be imported: {type(error).__name__}: {error}.") from error
    found = getattr(module, wanted, None)
    missing = [part for part in ("Options", "open") if not hasattr(found, part)]
    if not isinstance(found, type) or missing:
        what = "no class of that name" if not isinstance(found, type) else f"a class without {' and '.join(missing)}"
        raise InvalidInput(f"{name!r}: {folder / file} has {what}; a class with Options and open was expected.")
    return found
