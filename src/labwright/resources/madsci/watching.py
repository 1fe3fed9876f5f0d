"""What a node tells of its state while a command is carried out."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from labwright.core.recorder import Recorder
from labwright.core.telemetry import Channel, Gap, Stream
from labwright.resources.madsci.options import TelemetryPart
from labwright.resources.served.web import Web
from labwright.resources.served.wire import Lost, Refused


@asynccontextmanager
async def watched(web: Web, part: TelemetryPart | None, recorder: Recorder) -> AsyncIterator[None]:
    """Stream the state until it is left; what cannot be had is a gap, and does not hold up the command."""
    if part is None:
        yield
        return
    channels = [
        Channel(id=name, unit=said.unit, kind=said.kind, low=said.low, high=said.high)
        for name, said in part.channels.items()
    ]
    async with recorder.stream(channels) as stream:
        watch = asyncio.create_task(_watch(web, part, stream))
        try:
            yield
        finally:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch


async def _watch(web: Web, part: TelemetryPart, stream: Stream) -> None:
    known = {name: time.time() for name in part.channels}
    why = dict[str, str]()
    try:
        while True:
            try:
                state, lost = await web.order("GET", "/state"), ""
            except (Lost, Refused) as error:
                state, lost = {}, str(error)
            now = time.time()
            for name, said in part.channels.items():
                value = _within(state, said.state)
                if value is None:
                    why.setdefault(name, lost or f"the node's state has no {said.state}")
                    continue
                _close(stream, name, known[name], now, why)
                stream.add(name, now, value)
                known[name] = now
            await asyncio.sleep(part.every_s)
    finally:
        for name in part.channels:
            _close(stream, name, known[name], time.time(), why)


def _close(stream: Stream, name: str, start: float, end: float, why: dict[str, str]) -> None:
    """Take note of the time of which nothing was known, once something is known again or the command has ended."""
    if name in why:
        stream.gap(Gap(channel=name, start=start, end=max(start, end), why=why.pop(name)))


def _within(state: Any, path: str) -> float | int | str | None:
    """Return what a state holds under a name, whole or with dots between objects; None where it is no plain value."""
    if not isinstance(state, Mapping):
        return state if isinstance(state, int | float | str) else None
    if path in state:
        return _within(state[path], "")
    first, _, rest = path.partition(".")
    return _within(state.get(first), rest) if rest else None
