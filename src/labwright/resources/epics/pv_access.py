"""PVAccess, by p4p."""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any

from labwright.core.values import Value
from labwright.resources.epics.engineering import Form, Pv, finite_range
from labwright.resources.epics.wire import Lost, Reading, Refused, Tell

SCALAR, ENUM = "epics:nt/NTScalar:1.0", "epics:nt/NTEnum:1.0"
_NONE = (0, 0)
_FORMS: Mapping[tuple[str, str], tuple[Form, tuple[int, int]]] = {
    (ENUM, "S"): (Form.ENUM, _NONE),
    (SCALAR, "s"): (Form.TEXT, _NONE),
    (SCALAR, "?"): (Form.INTEGER, (0, 1)),
    **{(SCALAR, spec): (Form.NUMBER, _NONE) for spec in "fd"},
    **{(SCALAR, s): (Form.INTEGER, (-(2**bits), 2**bits - 1)) for s, bits in zip("bhil", (7, 15, 31, 63), strict=True)},
    **{(SCALAR, s): (Form.INTEGER, (0, 2**bits - 1)) for s, bits in zip("BHIL", (8, 16, 32, 64), strict=True)},
}  # by p4p's letters


class PvAccess:
    """One client, with connections of its own; `conf` are its settings, or else the environment's."""

    def __init__(self, conf: Mapping[str, str] | None) -> None:
        from p4p.client.asyncio import Context

        self._conf = conf
        self._context = Context("pva", conf=dict(conf or {}), useenv=conf is None, nt=False)

    async def describe(self, name: str, *, within_s: float) -> Pv:
        """Read what the IOC says of it."""
        return _described(name, await _once(name, self._context.get(name), within_s))

    async def get(self, name: str, *, words: bool, within_s: float) -> Reading:
        """Read it now."""
        request = "field(value,alarm,timeStamp)"
        return _reading(await _once(name, self._context.get(name, request=request), within_s))

    async def put(self, name: str, value: Value, *, words: bool, within_s: float, complete: bool) -> None:
        """Put a value."""
        putting = self._context.put(name, _OnlyOnce(name, value), wait=complete)
        await _once(name, putting, within_s)

    async def put_anew(self, name: str, value: Value, *, words: bool, within_s: float) -> None:
        """Put a value over a new connection, and wait until the IOC has it."""
        other = PvAccess(self._conf)
        try:
            await other.put(name, value, words=words, within_s=within_s, complete=False)
        finally:
            other.close()

    def watch(self, name: str, tell: Tell, *, words: bool) -> Callable[[], None]:
        """Have every change told, and each loss."""

        async def take(found: Any) -> None:
            tell(None if isinstance(found, Exception) else _reading(found))

        request = "field(value,alarm,timeStamp)"
        subscription = self._context.monitor(name, take, request=request, notify_disconnect=True)
        return subscription.close  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the connections."""
        self._context.close()


class _OnlyOnce:
    """Fills in a value to be put. p4p asks again when it has found the IOC again, and would put it twice."""

    def __init__(self, name: str, value: Value) -> None:
        self._name, self._value, self._asked = name, value, False

    def __call__(self, found: Any) -> None:
        if self._asked:
            raise Lost(f"{self._name}: the IOC was gone")
        self._asked = True
        if found.getID() != ENUM:
            found["value"] = self._value
            return
        choices = list(found["value.choices"])
        if self._value not in choices:
            raise Refused(f"{self._name}: found {self._value!r}, expected one of {', '.join(choices)}")
        found["value.index"] = choices.index(self._value)


async def _once(name: str, request: Any, within_s: float) -> Any:
    from p4p.client.asyncio import RemoteError
    from p4p.client.raw import Cancelled, Disconnected

    try:
        async with asyncio.timeout(within_s):  # wait_for may swallow a cancellation in Python 3.11
            return await request
    except TimeoutError as error:
        raise Lost(f"{name} did not answer within {within_s:g} s") from error
    except (Disconnected, Cancelled) as error:
        raise Lost(f"{name}: the IOC is gone") from error
    except (RemoteError, OverflowError, ValueError, TypeError, KeyError) as error:
        raise Refused(f"{name}: {error}") from error


def _described(name: str, found: Any) -> Pv:
    spec = found.type("value").aspy()
    form, whole = _FORMS.get((found.getID(), spec if isinstance(spec, str) else spec[0]), (Form.OTHER, _NONE))
    low, high = _range(found, "control")
    if low is None and high is None:
        low, high = _range(found, "display")
    return Pv(
        source=f"pva://{name}",
        form=form,
        egu=_field(found, "display.units", ""),
        low=low,
        high=high,
        choices=tuple(found["value.choices"]) if form is Form.ENUM else (),
        whole=whole,
    )


def _range(found: Any, part: str) -> tuple[float | None, float | None]:
    return finite_range(_field(found, f"{part}.limitLow", math.nan), _field(found, f"{part}.limitHigh", math.nan))


def _field(found: Any, path: str, missing: Any) -> Any:
    try:
        return found[path]
    except KeyError:
        return missing


def _reading(found: Any) -> Reading:
    value, alarm, stamp = found["value"], found["alarm"], found["timeStamp"]
    if found.getID() == ENUM:
        choices, index = value["choices"], value["index"]
        value = choices[index] if 0 <= index < len(choices) else str(index)
    status = alarm["message"] or str(alarm["status"])
    at = stamp["secondsPastEpoch"] + 1e-9 * stamp["nanoseconds"]
    return Reading(value=value, at=at, severity=alarm["severity"], status=status)
