"""What came back from a resource, as it can be put on record: an adapter may return anything."""

import sys
from typing import Any

from labwright.core.command import Failure, Gathered, Measurement, Observation, Outcome
from labwright.core.run import Run
from labwright.core.values import Value, is_number, storable

LONGEST = 500  # characters of what is no outcome


def received(run: Run, found: object) -> Outcome:
    """Return the outcome of a run; what is none becomes a failure that says so."""
    if not isinstance(found, Gathered):
        return _single(run, found)
    if len(found.outcomes) != len(run.members):
        return Failure(reason=f"{run.use} returned {len(found.outcomes)} results for {len(run.members)} trials.")
    return Gathered(outcomes=tuple(_single(run, one) for one in found.outcomes))


def _single(run: Run, found: object) -> Observation | Failure:
    if isinstance(found, Failure):
        return Failure(reason=storable(str(found.reason)))
    if not isinstance(found, Observation):
        return Failure(reason=f"{run.use} returned {_text(found)}, which is no outcome.")
    try:
        values = {storable(str(name)): _measurement(m) for name, m in found.values.items()}
        objects = tuple(storable(str(o)) for o in found.objects)
    except (AttributeError, TypeError) as error:
        return Failure(reason=f"{run.use} returned an observation that cannot be read: {storable(str(error))}.")
    return Observation(values=values, quality=found.quality, objects=objects)


def _measurement(found: Measurement) -> Measurement:
    unit = None if found.unit is None else storable(str(found.unit))
    sd = _plain(found.sd)
    return Measurement(value=_plain(found.value), unit=unit, sd=None if isinstance(sd, str) else sd)


def _plain(value: Any) -> Value:
    """Return a number or a word; of anything else its text, which is no number where one is wanted."""
    if type(value) not in (float, int, str) and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float):
        return float(value)
    if is_number(value) and abs(value) <= sys.float_info.max:
        return int(value)
    return storable(value) if isinstance(value, str) else _text(value)


def _text(value: object) -> str:
    try:
        return storable(repr(value))[:LONGEST]
    except Exception:  # even its words are a stranger's code
        return f"a {type(value).__name__}"
