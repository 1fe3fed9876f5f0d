"""PVs by their names: what they are, readings, puts and monitors."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.values import Value
from labwright.resources.epics.engineering import Pv, encoded
from labwright.resources.epics.network import confine_ca, pva_settings, require_clients, searched
from labwright.resources.epics.options import EpicsOptions, Protocol
from labwright.resources.epics.wire import Lost, Reading, Refused, Tell, Transport

T = TypeVar("T")
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0


class Connection:
    """What only asks is tried again for `reconnect_s`, then raises ResourceUnavailable. `put` is tried once."""

    def __init__(self, name: str, options: EpicsOptions) -> None:
        self.name, self.options = name, options
        self._pvs: dict[str, Pv] = {}
        self._transports: dict[str, Transport] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, name: str, options: EpicsOptions) -> AsyncIterator["Connection"]:
        """Make ready to search; nothing is searched yet."""
        require_clients(name)
        confine_ca(name, options.addresses)
        connection = cls(name, options)
        try:
            yield connection
        finally:
            for transport in connection._transports.values():
                transport.close()

    async def pv(self, text: str) -> Pv:
        """Return what the IOC says of a PV; ResourceUnavailable where none answers."""
        source = self.options.full(text)
        if source not in self._pvs:
            protocol, _, name = source.partition("://")
            transport = self._transport(protocol)
            try:
                self._pvs[source] = await transport.describe(name, within_s=self.options.timeout_s)
            except Lost as error:
                raise ResourceUnavailable(
                    f"{self.name}: no IOC answered for {source} within {self.options.timeout_s:g} s, searched"
                    f" {searched(self.options.addresses, protocol)}. Is it running, and is the name right?"
                ) from error
            except Refused as error:
                raise ResourceUnavailable(f"{self.name}: {source} cannot be read: {error}") from error
        return self._pvs[source]

    async def read(self, pvs: Sequence[Pv]) -> list[Reading]:
        """Read them now."""
        return await self._patiently(lambda: self._read(pvs))

    async def put(self, pv: Pv, value: Value, *, complete: bool = True, at_least_s: float = 0) -> None:
        """Put a value once; raises Lost or Refused."""
        options = self.options
        within_s = max(options.answer_s, at_least_s) if complete else options.timeout_s
        transport, name = self._of(pv)
        await transport.put(name, encoded(pv, value), words=pv.words, within_s=within_s, complete=complete)

    async def put_anew(self, pv: Pv, value: Value) -> None:
        """Put a value over a new connection, without waiting for its end; raises Lost or Refused."""
        transport, name = self._of(pv)
        await transport.put_anew(name, encoded(pv, value), words=pv.words, within_s=self.options.timeout_s)

    @contextlib.contextmanager
    def watched(self, pvs: Sequence[Pv], tell: Callable[[Pv, Reading | None], None]) -> Iterator[None]:
        """Have every change of some PVs told, and None where one is lost, until it is left."""
        ends = []
        try:
            for pv in pvs:
                transport, name = self._of(pv)
                ends.append(transport.watch(name, _telling(tell, pv), words=pv.words))
            yield
        finally:
            for end in ends:
                end()

    def _of(self, pv: Pv) -> tuple[Transport, str]:
        protocol, _, name = pv.source.partition("://")
        return self._transport(protocol), name

    def _transport(self, protocol: str) -> Transport:
        from labwright.resources.epics.channel_access import ChannelAccess
        from labwright.resources.epics.pv_access import PvAccess

        addresses = self.options.addresses
        if addresses is not None and not any(a.startswith(f"{protocol}://") for a in addresses):
            raise InvalidInput(f"{self.name}: addresses: there is none with {protocol}://, so its PVs cannot be found.")
        if protocol not in self._transports:
            made = ChannelAccess() if protocol == Protocol.CA else PvAccess(pva_settings(addresses))
            self._transports[protocol] = made
        return self._transports[protocol]

    async def _read(self, pvs: Sequence[Pv]) -> list[Reading]:
        requests = []
        for pv in pvs:
            transport, name = self._of(pv)
            requests.append(transport.get(name, words=pv.words, within_s=self.options.timeout_s))
        return list(await asyncio.gather(*requests))

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        deadline, wait_s = time.monotonic() + self.options.reconnect_s, FIRST_WAIT_S
        while True:
            try:
                return await work()
            except Lost as error:
                if time.monotonic() + wait_s > deadline:
                    raise ResourceUnavailable(f"{self.name}: the IOC cannot be reached: {error}.") from error
            except Refused as error:
                raise ResourceUnavailable(f"{self.name}: {error}. Look at the IOC.") from error
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def _telling(tell: Callable[[Pv, Reading | None], None], pv: Pv) -> Tell:
    return lambda reading: tell(pv, reading)
