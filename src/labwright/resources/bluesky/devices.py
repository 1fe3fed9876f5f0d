"""The devices that plans use: a user's own, and single PVs."""

import importlib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.values import is_number
from labwright.plugins import load_file
from labwright.resources.bluesky.engine import Engine
from labwright.resources.bluesky.options import BlueskyOptions, DevicePart
from labwright.resources.stranger import words

VERBS = ("read", "set", "trigger", "kickoff")
CLOSE = 1e-6


def load_module(place: str, name: str, folder: Path) -> types.ModuleType:
    """Import a module; one that cannot be imported raises InvalidInput."""
    try:
        found: types.ModuleType = load_file(folder / name) if name.endswith(".py") else importlib.import_module(name)
    except (Exception, SystemExit) as error:  # importing runs a stranger's code
        raise InvalidInput(f"{place}: {name!r} cannot be imported: {words(error)}.") from error
    return found


def devices_of(module: types.ModuleType) -> dict[str, Any]:
    """Return what looks like a device, by the name of its variable."""
    return {name: found for name, found in vars(module).items() if not name.startswith("_") and _is_device(found)}


def engine_of(module: types.ModuleType | None) -> Any:
    """Return the module's own RunEngine, `RE`; None where it has none."""
    from bluesky.run_engine import RunEngine

    found = getattr(module, "RE", None)
    return found if isinstance(found, RunEngine) else None


def find(devices: Mapping[str, Any], path: str) -> Any:
    """Return a device, or a part of one by its dotted name; None where there is none."""
    first, *rest = path.split(".")
    found = devices.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return found if _is_device(found) else None


async def connect(place: str, engine: Engine, devices: Mapping[str, Any], within_s: float) -> None:
    """Connect each device, as its library does; ResourceUnavailable names the one that cannot be."""
    for name, device in devices.items():
        try:
            await _connect(engine, name, device, within_s)
        except Exception as error:  # a stranger's code
            raise ResourceUnavailable(
                f"{place}: the device {name!r} cannot be connected within {within_s:g} s: {words(error)}"
            ) from error


async def _connect(engine: Engine, name: str, device: Any, within_s: float) -> None:
    from ophyd_async.core import Device

    if isinstance(device, Device):
        if not device.name:
            device.set_name(name)
        await engine.await_there(lambda: device.connect(timeout=within_s))
    elif callable(wait := getattr(device, "wait_for_connection", None)):
        await engine.call_there(lambda: wait(timeout=within_s))


def pv_devices(options: BlueskyOptions) -> dict[str, Any]:
    """Make a device of each PV; they are connected later, in the RunEngine's event loop."""
    return {name: _pv_device(name, part, options.settle_s) for name, part in options.pvs.items()}


def _is_device(found: Any) -> bool:
    if isinstance(found, type | types.ModuleType | types.FunctionType):
        return False
    return isinstance(getattr(found, "name", None), str) and any(callable(getattr(found, v, None)) for v in VERBS)


def _pv_device(name: str, part: DevicePart, settle_s: float) -> Any:
    """Make a device that is read by its readback, and is set when that shows it.

    A put that the IOC did not carry out raises what ophyd-async 0.21 takes for success, so the value itself is judged.
    """
    from ophyd_async.core import AsyncStatus, StandardReadable, observe_value
    from ophyd_async.core import StandardReadableFormat as Format
    from ophyd_async.epics.core import epics_signal_rw

    signal = epics_signal_rw(None, part.readback or part.pv, part.pv, timeout=settle_s)

    class PvDevice(StandardReadable):  # type: ignore[misc]
        def __init__(self) -> None:
            with self.add_children_as_readables(Format.HINTED_SIGNAL):
                self.value = signal
            super().__init__(name=name)

        def set_name(self, name: str, **more: Any) -> None:
            super().set_name(name, **more)
            self.value.set_name(name)  # the column is named like the device

        @AsyncStatus.wrap  # type: ignore[untyped-decorator]
        async def set(self, value: Any) -> None:
            await signal.set(value)
            async for found in observe_value(signal, done_timeout=settle_s):
                if _agrees(value, found, part.tolerance):
                    return

    return PvDevice()


def _agrees(wanted: Any, found: Any, tolerance: float | None) -> bool:
    if not is_number(wanted) or not is_number(found):
        return bool(wanted == found)
    allowed = CLOSE * max(abs(wanted), abs(found)) if tolerance is None else tolerance
    return bool(abs(found - wanted) <= allowed)
