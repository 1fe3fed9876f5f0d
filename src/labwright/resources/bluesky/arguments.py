"""What a plan is called with: inputs and devices, by their names."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from labwright.core.capability import Input
from labwright.core.errors import InvalidInput
from labwright.core.values import Value, is_number
from labwright.resources.bluesky.devices import find
from labwright.resources.stranger import text

Made = Callable[[Mapping[str, Value]], Any]
LITERAL = {"value"}


def made(place: str, written: Any, inputs: Mapping[str, Any], devices: Mapping[str, Any]) -> Made:
    """Return what makes an argument of the inputs of a command; a name that nobody knows raises InvalidInput."""
    if isinstance(written, list | tuple):
        parts = [made(place, one, inputs, devices) for one in written]
        return lambda values: [part(values) for part in parts]
    if isinstance(written, Mapping):
        if set(written) != LITERAL:
            raise InvalidInput(
                f"{place}: found {dict(written)}, expected a name, a number, a list, or {{value: text}}."
            )
        literal = written["value"]
        return lambda _: literal
    if not isinstance(written, str):
        return lambda _: written
    device = find(devices, written)
    if device is not None and written in inputs:
        raise InvalidInput(f"{place}: {written!r} is an input and a device. Name the input differently.")
    if device is not None:
        return lambda _: device
    if written not in inputs:
        raise InvalidInput(
            f"{place}: {written!r} is no input ({', '.join(inputs) or 'there are none'}) and no device"
            f" ({', '.join(devices) or 'there are none'}). A text that is meant as it stands is written"
            f" {{value: {written}}}."
        )
    return lambda values: values[written]


def unfit(inputs: tuple[Input, ...], values: Mapping[str, Value]) -> str | None:
    """Say why a plan cannot be run with these values; None where it can."""
    if set(values) != {i.name for i in inputs}:
        found, expected = (", ".join(sorted(names)) or "nothing" for names in (values, (i.name for i in inputs)))
        return f"it was given {found}; it takes {expected}"
    for i in inputs:
        if wrong := _problem(i, values[i.name]):
            return f"{i.name}: {wrong}"
    return None


def _problem(given: Input, value: object) -> str | None:
    short = text(value)[:60]
    if given.levels is not None:
        fits = type(value) in (int, float, str) and value in given.levels
        return None if fits else f"found {short}, expected one of {', '.join(map(str, given.levels))}"
    if isinstance(value, str) and (given.low, given.high, given.unit) == (None, None, None):
        return None
    if not is_number(value):
        return f"found {short}, expected a number"
    assert isinstance(value, int | float)
    low = -math.inf if given.low is None else given.low
    high = math.inf if given.high is None else given.high
    if not low <= value <= high or not abs(value) <= 1.7976931348623157e308:
        return f"{short} is not within {low:g} to {high:g}"
    return None
