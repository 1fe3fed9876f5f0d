"""What a server tells all the time while a command is carried out: properties, and intermediate responses."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from labwright.core.errors import InvalidInput
from labwright.core.recorder import Recorder
from labwright.core.telemetry import Channel, Gap, Kind, Stream
from labwright.resources.sila.connection import Connection, Feature
from labwright.resources.sila.definition import Field, Property
from labwright.resources.sila.options import ChannelPart, TelemetryPart
from labwright.resources.sila.skill import Skill
from labwright.resources.sila.units import agreed_unit
from labwright.resources.sila.wire import Forgotten, Lost, Refused, plain

AGAIN_S = 0.5
SETTLE_S = 1.0  # how long the last intermediate responses may take after the end


@dataclass(frozen=True, kw_only=True, eq=False)
class Watched:
    """A property that is followed, and the channel that its values go to."""

    feature: Feature
    property: Property
    channel: Channel


def watched(connection: Connection, part: TelemetryPart | None, skills: Sequence[Skill]) -> tuple[Watched, ...]:
    """Return what is followed; a property that cannot be raises InvalidInput."""
    found = tuple(_watched(connection, name, said) for name, said in (part.channels if part else {}).items())
    own = {channel.id for skill in skills for channel in skill.channels.values()}
    if both := [w.channel.id for w in found if w.channel.id in own]:
        raise InvalidInput(
            f"{connection.name}.telemetry: {both[0]!r} is an intermediate response as well. Name it differently."
        )
    return found


def _watched(connection: Connection, name: str, said: ChannelPart) -> Watched:
    place = f"{connection.name}.telemetry.{name}"
    feature, known = connection.property(said.property)
    if not known.observable:
        raise InvalidInput(f"{place}: {said.property} is not observable, so the server does not tell its changes.")
    if not known.type.is_plain or (known.type.basic == "String") != (said.kind is Kind.WORD):
        raise InvalidInput(f"{place}: {said.property} is {known.type.words}; its kind here is {said.kind}.")
    unit = agreed_unit(place, said.unit, known.type.unit)
    channel = Channel(id=name, unit=unit, kind=said.kind, low=said.low, high=said.high)
    return Watched(feature=feature, property=known, channel=channel)


class Watch:
    """Streams what is followed during one command, over lost connections, which are gaps."""

    def __init__(self, connection: Connection, stream: Stream | None) -> None:
        self._connection, self._stream = connection, stream
        self._tasks: list[asyncio.Task[None]] = []
        self._ending: list[asyncio.Task[None]] = []

    @classmethod
    @asynccontextmanager
    async def during(
        cls, connection: Connection, properties: Sequence[Watched], skill: Skill, recorder: Recorder
    ) -> AsyncIterator["Watch"]:
        """Follow the properties until it is left; what cannot be had does not hold up the command."""
        channels = [*(w.channel for w in properties), *skill.channels.values()]
        if not channels:
            yield cls(connection, None)
            return
        async with recorder.stream(channels) as stream:
            watch = cls(connection, stream)
            try:
                for one in properties:
                    watch._follow_property(one)
                yield watch
                if watch._ending:
                    await asyncio.wait(watch._ending, timeout=SETTLE_S)
            finally:
                await asyncio.shield(watch._end())

    def follow_execution(self, skill: Skill, uuid: str) -> None:
        """Stream the intermediate responses of an execution as well."""
        if self._stream is None or not skill.channels:
            return
        fields = {channel.id: field for field, channel in skill.channels.items()}
        method, message = f"{skill.order.name}_Intermediate", skill.feature.execution(uuid)
        self._ending.append(asyncio.create_task(self._keep(skill.feature, method, message, fields, ends=True)))

    def _follow_property(self, one: Watched) -> None:
        method = f"Subscribe_{one.property.name}"
        message = one.feature.message(f"{method}_Parameters", {})
        fields: dict[str, Field] = {one.channel.id: one.property}
        self._tasks.append(asyncio.create_task(self._keep(one.feature, method, message, fields)))

    async def _end(self) -> None:
        tasks = [*self._tasks, *self._ending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(
        self, feature: Feature, method: str, message: Any, fields: Mapping[str, Field], *, ends: bool = False
    ) -> None:
        """Stream what a method tells, again where it broke; one that `ends` with the command is then left."""
        gaps = _Gaps(self._stream, list(fields))
        try:
            while True:
                try:
                    async for told in self._connection.follow(feature, method, message):
                        gaps.close()
                        self._take(fields, told)
                    if ends:
                        return
                    gaps.begin("the server ended it")
                except Forgotten as error:
                    gaps.begin(str(error))
                    return
                except (Lost, Refused) as error:
                    gaps.begin(str(error))
                await asyncio.sleep(AGAIN_S)
        finally:
            gaps.close()

    def _take(self, fields: Mapping[str, Field], told: Any) -> None:
        assert self._stream is not None
        for channel, field in fields.items():
            value = plain(field, told)
            if value is not None:
                self._stream.add(channel, time.time(), value)


class _Gaps:
    """Takes note of the time between the last that was told and the next."""

    def __init__(self, stream: Stream | None, channels: Sequence[str]) -> None:
        self._stream, self._channels = stream, channels
        self._known, self._why = time.time(), ""

    def begin(self, why: str) -> None:
        self._why = self._why or why

    def close(self) -> None:
        """Something is told again, or nothing more will be."""
        now = max(time.time(), self._known)
        for channel in self._channels if self._why and self._stream else ():
            assert self._stream is not None
            self._stream.gap(Gap(channel=channel, start=self._known, end=now, why=self._why))
        self._known, self._why = now, ""
