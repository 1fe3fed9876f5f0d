"""Channel Access, by aioca: one client of libca for the whole process."""

import asyncio
import ctypes
import logging
import math
from collections.abc import Callable
from typing import Any

from labwright.core.values import Value
from labwright.resources.epics.engineering import Form, Pv, finite_range
from labwright.resources.epics.wire import ALARMS, Lost, Reading, Refused, Tell

log = logging.getLogger(__name__)
_OPEN: list["ChannelAccess"] = []
_KEPT: list[Any] = []  # libca calls it for as long as the process lives
LONGEST_TEXT = 39  # bytes of a string in Channel Access
_NONE = (0, 0)
_FORMS = (
    (Form.TEXT, _NONE),
    (Form.INTEGER, (-(2**15), 2**15 - 1)),
    (Form.NUMBER, _NONE),
    (Form.ENUM, _NONE),
    (Form.INTEGER, (0, 2**8 - 1)),
    (Form.INTEGER, (-(2**31), 2**31 - 1)),
    (Form.NUMBER, _NONE),
)  # as Channel Access numbers the types of values


class ChannelAccess:
    """Every resource of a process shares its connections, for libca has one client for each process."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        _OPEN.append(self)

    async def describe(self, name: str, *, within_s: float) -> Pv:
        """Read what the IOC says of it."""
        from aioca import FORMAT_CTRL, caget, cainfo

        said = await _once(name, cainfo(name, timeout=None), within_s)
        _listen()
        found = await _once(name, caget(name, format=FORMAT_CTRL, timeout=None), within_s)
        return _described(name, said, found)

    async def get(self, name: str, *, words: bool, within_s: float) -> Reading:
        """Read it now."""
        from aioca import FORMAT_TIME, caget

        reading = caget(name, datatype=_read_as(words), format=FORMAT_TIME, timeout=None)
        return _reading(await _once(name, reading, within_s))

    async def put(self, name: str, value: Value, *, words: bool, within_s: float, complete: bool) -> None:
        """Put a value; libca sends it on the connection of now, or never."""
        from aioca import caput

        putting = caput(name, value, datatype=_read_as(words), wait=complete, timeout=None)
        await _once(name, putting, within_s)
        if not complete:
            await self.get(name, words=words, within_s=within_s)  # answered after the put has arrived

    async def put_anew(self, name: str, value: Value, *, words: bool, within_s: float) -> None:
        """Put a value over a new connection, and wait until the IOC has it."""
        await asyncio.to_thread(_put_anew, name, value, within_s)

    def watch(self, name: str, tell: Tell, *, words: bool) -> Callable[[], None]:
        """Have every change told, and each loss."""
        from aioca import FORMAT_TIME, camonitor

        return camonitor(  # type: ignore[no-any-return]
            name,
            lambda found: tell(_reading(found) if found.ok else None),
            datatype=_read_as(words),
            format=FORMAT_TIME,
            all_updates=True,
            notify_disconnect=True,
            connect_timeout=None,
        ).close

    def close(self) -> None:
        """Close the connections of this event loop, unless another resource uses them, or they would outlive it."""
        from aioca._catools import _Context  # its own function closes those of every loop

        _OPEN.remove(self)
        if all(other._loop is not self._loop for other in _OPEN):
            cache = _Context._channel_caches.pop(self._loop, None)
            if cache is not None:
                cache.purge()


def _put_anew(name: str, value: Value, within_s: float) -> None:
    """Put as a text, in a client of libca's that lives in this thread only."""
    from epicscorelibs.ca import cadef

    text = value if isinstance(value, str) else repr(value)
    cadef.ca_context_create(0)
    try:
        _listen()
        channel = ctypes.c_void_p()
        cadef.ca_create_channel(name, cadef.connection_handler(), None, 0, ctypes.byref(channel))
        _pend(name, within_s)
        sent, back = (ctypes.create_string_buffer(t, LONGEST_TEXT + 1) for t in (text.encode(), b""))
        cadef.ca_array_put(0, 1, channel, sent)
        cadef.libca.ca_array_get(ctypes.c_long(0), ctypes.c_ulong(1), channel, back)
        _pend(name, within_s)
    except cadef.CAException as error:
        raise Refused(f"{name}: {error}") from error
    finally:
        cadef.ca_context_destroy()


def _pend(name: str, within_s: float) -> None:
    from epicscorelibs.ca import cadef

    if cadef.libca.ca_pend_io(ctypes.c_double(within_s)) != cadef.ECA_NORMAL:
        raise Lost(f"{name} did not answer within {within_s:g} s")


def _note(args: Any) -> None:
    """Log what libca tells of no request; by itself it would print it."""
    from epicscorelibs.ca import cadef

    level = logging.DEBUG if args.stat == cadef.ECA_DISCONN else logging.WARNING
    log.log(level, "Channel Access: %s (%s)", cadef.ca_message(args.stat), (args.ctx or b"").decode(errors="replace"))


def _listen() -> None:
    """Have the client of this thread log instead of print."""
    from epicscorelibs.ca import cadef

    if not _KEPT:
        _KEPT.append(cadef.exception_handler(_note))
    cadef.ca_add_exception_event(_KEPT[0], None)


def _described(name: str, said: Any, found: Any) -> Pv:
    form, whole = _FORMS[said.datatype] if said.count == 1 and said.datatype < len(_FORMS) else (Form.OTHER, _NONE)
    nan = math.nan
    low, high = finite_range(getattr(found, "lower_ctrl_limit", nan), getattr(found, "upper_ctrl_limit", nan))
    if low is None and high is None:
        low, high = finite_range(getattr(found, "lower_disp_limit", nan), getattr(found, "upper_disp_limit", nan))
    return Pv(
        source=f"ca://{name}",
        form=form,
        egu=getattr(found, "units", ""),
        low=low,
        high=high,
        choices=tuple(found.enums) if form is Form.ENUM else (),
        longest=LONGEST_TEXT,
        whole=whole,
        writable=said.write,
    )


async def _once(name: str, request: Any, within_s: float) -> Any:
    from aioca import CANothing
    from epicscorelibs.ca import cadef

    try:
        async with asyncio.timeout(within_s):  # wait_for may swallow a cancellation in Python 3.11
            return await request
    except TimeoutError as error:
        raise Lost(f"{name} did not answer within {within_s:g} s") from error
    except CANothing as error:
        if error.errorcode in (cadef.ECA_DISCONN, cadef.ECA_TIMEOUT):
            raise Lost(f"{name}: the IOC is gone") from error
        raise Refused(str(error)) from error
    except cadef.Disconnected as error:
        raise Lost(f"{name}: the IOC is gone") from error
    except (cadef.CAException, OverflowError, ValueError) as error:
        raise Refused(f"{name}: {error}") from error


def _read_as(words: bool) -> Any:
    from epicscorelibs.ca import dbr

    return dbr.DBR_STRING if words else None


def _reading(found: Any) -> Reading:
    status = ALARMS[found.status] if found.status < len(ALARMS) else str(found.status)
    return Reading(value=+found, at=found.timestamp, severity=found.severity, status=status)
