"""What a monitor needs of a server: what its variables are now, and the setpoints that its safe state is written to."""

from collections.abc import Mapping, Sequence
from typing import Any

from labwright.core.errors import ResourceUnavailable
from labwright.core.telemetry import Channel, Quality, Sample
from labwright.core.values import Value
from labwright.resources.opcua.connection import Connection
from labwright.resources.opcua.options import ServerOptions
from labwright.resources.opcua.watching import Watching
from labwright.resources.opcua.wire import Refused


class Setpoints:
    """The channels of a server's telemetry, and the variables that set some of them."""

    def __init__(self, connection: Connection, channels: Mapping[str, tuple[str, Channel]], kinds: Mapping[str, Any]):
        self._connection, self._channels, self._kinds = connection, channels, kinds

    @classmethod
    async def open(cls, connection: Connection, options: ServerOptions, watching: Watching | None) -> "Setpoints":
        """Read the types of the setpoints; a variable that is not there raises InvalidInput."""
        kinds = {name: await connection.variable_type(node) for name, node in options.setpoints.items()}
        return cls(connection, {} if watching is None else watching.channels, kinds)

    async def read(self, names: Sequence[str]) -> dict[str, Sample]:
        """Return what channels are now; those that the file does not name are left out."""
        known = [name for name in names if name in self._channels]
        found = await self._connection.read([self._channels[name][0] for name in known])
        samples = {}
        for name, reading in zip(known, found, strict=True):
            channel = self._channels[name][1]
            trusted = Quality.GOOD if reading.good else Quality.BAD if reading.bad else Quality.SUSPECT
            value, quality = channel.judge(reading.value, trusted)
            samples[name] = Sample(value=value, unit=channel.unit, quality=quality)
        return samples

    async def write(self, nodes: Mapping[str, str], state: Mapping[str, Value]) -> None:
        """Write values to setpoints, all of them even where one is refused; raises Lost, or ResourceUnavailable."""
        refused = []
        for name, value in state.items():
            try:
                await self._connection.write(nodes[name], value, self._kinds[name])
            except Refused as error:
                refused.append(str(error))
        if refused:
            raise ResourceUnavailable(f"{self._connection.name}: {'; '.join(refused)}. Set it at the device.")
