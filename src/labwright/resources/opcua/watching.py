"""What a server's variables say all the time while a command is carried out."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from labwright.core.errors import ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.core.telemetry import Channel, Gap, Quality, Stream
from labwright.resources.opcua.connection import Connection
from labwright.resources.opcua.engineering import agreed_unit
from labwright.resources.opcua.options import TelemetryPart
from labwright.resources.opcua.wire import Lost, Refused

LOOK_S = 0.1  # whether the session is still the one that was subscribed on
AGAIN_S = 0.5
OVERFLOW = 0x480  # of a status: it is of a data value, and others before it were dropped (OPC 10000-4, 7.39)


class Watching:
    """Streams the channels of a server to a recorder, over lost connections, which are gaps."""

    def __init__(self, connection: Connection, part: TelemetryPart, channels: Mapping[str, Channel]) -> None:
        self._connection, self._part, self._channels = connection, part, channels

    @classmethod
    async def open(cls, connection: Connection, part: TelemetryPart) -> "Watching":
        """Read what the channels are; a variable that is not there raises InvalidInput."""
        channels = {}
        for name, said in part.channels.items():
            place = f"{connection.name}.telemetry.{name}"
            await connection.variable_type(said.node)
            unit = agreed_unit(place, said.unit, await connection.engineering(said.node))
            channels[said.node] = Channel(id=name, unit=unit, kind=said.kind, low=said.low, high=said.high)
        return cls(connection, part, channels)

    @property
    def channels(self) -> dict[str, tuple[str, Channel]]:
        """The node and the channel of each, by its name."""
        return {channel.id: (node, channel) for node, channel in self._channels.items()}

    @asynccontextmanager
    async def during(self, recorder: Recorder) -> AsyncIterator[None]:
        """Stream until it is left; what cannot be had does not hold up the command."""
        async with recorder.stream(list(self._channels.values())) as stream:
            ended = asyncio.Event()
            task = asyncio.create_task(self._keep(_Inlet(stream, self._channels), ended))
            try:
                yield
            finally:
                ended.set()
                await asyncio.shield(task)

    async def _keep(self, inlet: "_Inlet", ended: asyncio.Event) -> None:
        while not ended.is_set():
            try:
                async with self._connection.subscribed(list(self._channels), self._part, inlet.take) as goes_on:
                    while goes_on() and not ended.is_set():
                        await _wait(ended, LOOK_S)
                    if ended.is_set():
                        await asyncio.sleep(self._part.publishing_s)  # what the server still holds
                        return
                inlet.lost("the connection broke")
            except (Lost, Refused, ResourceUnavailable) as error:
                inlet.lost(str(error))
                await _wait(ended, AGAIN_S)
        inlet.end()


async def _wait(ended: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), seconds)


class _Inlet:
    """Takes data values as they come, and finds what is missing between them."""

    def __init__(self, stream: Stream, channels: Mapping[str, Channel]) -> None:
        self._stream, self._channels = stream, channels
        self._last: dict[str, float] = {}
        self._began = time.time()
        self._lost: str | None = None

    def take(self, node: str, found: Any) -> None:
        """Stream one data value of a node."""
        channel, at, status = self._channels[node], _time(found), found.StatusCode
        if self._lost is not None and at > self._known:
            self._stream.gap(Gap(channel=None, start=self._known, end=at, why=self._lost))
            self._lost = None
        code = 0 if status is None else status.value
        if code & OVERFLOW == OVERFLOW:
            start = self._last.get(channel.id, self._began)
            self._stream.gap(Gap(channel=channel.id, start=start, end=at, why="the server could not hold them all"))
        value = None if found.Value is None else found.Value.Value
        self._stream.add(channel.id, at, value, _quality(status))
        self._last[channel.id] = max(at, self._last.get(channel.id, at))

    @property
    def _known(self) -> float:
        """Up to when something is known of some channel."""
        return max(self._last.values(), default=self._began)

    def lost(self, why: str) -> None:
        """Take note that nothing comes any more; the gap ends with the next sample."""
        self._lost = self._lost or why

    def end(self) -> None:
        """Close a gap that nothing came after."""
        if self._lost is not None:
            self._stream.gap(Gap(channel=None, start=self._known, end=max(time.time(), self._known), why=self._lost))


def _time(found: Any) -> float:
    """Return when a value was measured, by the source's clock or else the server's, in seconds since 1970."""
    at: datetime | None = found.SourceTimestamp or found.ServerTimestamp
    if at is None:
        return time.time()
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _quality(status: Any) -> Quality:
    if status is None or status.is_good():
        return Quality.GOOD
    return Quality.BAD if status.is_bad() else Quality.SUSPECT
