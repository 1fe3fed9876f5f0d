"""What an IOC's PVs say all the time while a command is carried out."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from labwright.core.errors import InvalidInput
from labwright.core.recorder import Recorder
from labwright.core.telemetry import Channel, Gap, Kind, Stream
from labwright.resources.epics.connection import Connection
from labwright.resources.epics.engineering import Form, Pv, agreed_unit
from labwright.resources.epics.options import ChannelPart, TelemetryPart
from labwright.resources.epics.wire import Reading

FIRST_S = 1.0  # how long the first reading may take


class Watching:
    """Streams the channels to a recorder, over lost connections, which are gaps."""

    def __init__(self, connection: Connection, channels: Mapping[str, tuple[Pv, Channel]]) -> None:
        self._connection, self._channels = connection, channels

    @classmethod
    async def open(cls, connection: Connection, part: TelemetryPart) -> "Watching":
        """Read what the channels are; a PV that cannot be one raises InvalidInput."""
        return cls(connection, {name: await _channel(connection, name, said) for name, said in part.channels.items()})

    @asynccontextmanager
    async def during(self, recorder: Recorder) -> AsyncIterator[None]:
        """Stream until it is left; what cannot be had does not hold up the command."""
        channels = [channel for _, channel in self._channels.values()]
        async with recorder.stream(channels) as stream:
            inlets: dict[str, list[_Inlet]] = {}
            for pv, channel in self._channels.values():
                inlets.setdefault(pv.source, []).append(_Inlet(stream, channel.id))
            pvs = {pv.source: pv for pv, _ in self._channels.values()}

            def take(pv: Pv, reading: Reading | None) -> None:
                for inlet in inlets[pv.source]:
                    inlet.take(reading)

            try:
                with self._connection.watched(list(pvs.values()), take):
                    yield
            finally:
                for inlet in (i for of_pv in inlets.values() for i in of_pv):
                    inlet.end()


async def _channel(connection: Connection, name: str, said: ChannelPart) -> tuple[Pv, Channel]:
    place, pv = f"{connection.name}.telemetry.{name}", await connection.pv(said.pv)
    is_word = pv.form in (Form.TEXT, Form.ENUM)
    if pv.form is Form.OTHER or is_word != (said.kind is Kind.WORD):
        raise InvalidInput(f"{place}: {pv.source} is {pv.form}; its kind here is {said.kind}.")
    unit = agreed_unit(place, said.unit, pv)
    return pv, Channel(id=name, unit=unit, kind=said.kind, low=said.low, high=said.high)


class _Inlet:
    """Takes the readings of one channel as they come, and notes where there were none."""

    def __init__(self, stream: Stream, channel: str) -> None:
        self._stream, self._channel = stream, channel
        self._lost_at: float | None = time.time()
        self._seen = False

    def take(self, reading: Reading | None) -> None:
        """Stream a reading; None: the PV is lost."""
        if reading is None:
            self._lost_at = self._lost_at or time.time()
            return
        self.end()
        self._stream.add(self._channel, reading.at, reading.value, reading.quality)
        self._seen = True

    def end(self) -> None:
        """Note the time without readings that ends now."""
        since, self._lost_at = self._lost_at, None
        now = time.time()
        if since is not None and (self._seen or now - since > FIRST_S):
            gap = Gap(channel=self._channel, start=since, end=max(now, since), why="the PV was not connected")
            self._stream.gap(gap)
