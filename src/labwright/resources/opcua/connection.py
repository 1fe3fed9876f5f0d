"""One session with an OPC UA server, opened again when it is lost."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from labwright.core.errors import InvalidInput, MissingExtra, ResourceUnavailable
from labwright.core.values import Value
from labwright.resources.opcua.addresses import Addresses, Node
from labwright.resources.opcua.engineering import Engineering, plain_range
from labwright.resources.opcua.options import ServerOptions, TelemetryPart
from labwright.resources.opcua.security import Security
from labwright.resources.opcua.wire import (
    Argument,
    Handler,
    Lost,
    Method,
    Reading,
    Refused,
    reading,
    refusal,
    translated,
    variant,
)

T = TypeVar("T")
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0


class Connection:
    """Reads, writes and calls by node text: a path under Objects, or a node id.

    What only asks is tried again on a new session for `reconnect_s`, then raises ResourceUnavailable. `write` and
    `call` are tried once: a lost one raises Lost, for only the caller can find out whether it arrived.
    """

    def __init__(self, name: str, options: ServerOptions, security: Security) -> None:
        self.name, self.url = name, options.url
        self._timeout_s, self._reconnect_s = options.timeout_s, options.reconnect_s
        self._security = security
        self._client: Any = None
        self._addresses: Addresses | None = None
        self._lock = asyncio.Lock()
        self.sessions = 0  # opened so far: a server that has restarted has lost the one before

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, name: str, options: ServerOptions, folder: Path) -> AsyncIterator["Connection"]:
        """Connect once; raises ResourceUnavailable where nobody answers, or either side does not trust the other."""
        _require_asyncua(name)
        with _quiet():
            connection = cls(name, options, Security(name, options, folder))
            try:
                await connection._session()
                yield connection
            except Lost as error:
                raise connection.unavailable(error) from error
            finally:
                await connection._drop()

    def unavailable(self, error: Exception) -> ResourceUnavailable:
        """Return the error that names the server, what happened and what to do."""
        what = str(error) or type(error).__name__
        return ResourceUnavailable(
            f"{self.name}: the OPC UA server at {self.url} cannot be reached: {what}."
            " Is it running, and is the url right?"
        )

    async def read(self, nodes: Sequence[Node]) -> list[Reading]:
        """Read the variables in one request."""
        try:
            return await self._patiently(lambda: self._read(nodes))
        except Refused as error:
            raise ResourceUnavailable(f"{self.name}: {error}. Look at the device.") from error

    async def is_method(self, node: Node) -> bool:
        """Say whether the node is a method; one that is not there raises InvalidInput."""
        return await self._patiently(lambda: self._is_method(node))

    async def method(self, node: Node) -> Method:
        """Read what a method takes and gives."""
        return await self._patiently(lambda: self._method(node))

    async def engineering(self, node: Node) -> Engineering:
        """Read the unit and the range of a variable."""
        return await self._patiently(lambda: self._engineering(node))

    async def variable_type(self, node: Node) -> Any:
        """Read the type of a variable's value."""
        return await self._patiently(lambda: self._variable_type(node))

    async def consult(self, node: Node, arguments: Sequence[Argument]) -> list[object]:
        """Call a method that changes nothing."""
        return await self._patiently(lambda: self._call(node, arguments))

    async def write(self, node: Node, value: Value, kind: Any) -> None:
        """Write a variable; a server that will not raises Refused."""
        await self._once(lambda: self._write(node, value, kind))

    async def call(self, node: Node, arguments: Sequence[Argument] = ()) -> list[object]:
        """Call a method with named, typed arguments; a server that will not raises Refused."""
        return await self._once(lambda: self._call(node, arguments))

    @contextlib.asynccontextmanager
    async def subscribed(
        self, nodes: Sequence[str], part: TelemetryPart, tell: Callable[[str, Any], None]
    ) -> AsyncIterator[Callable[[], bool]]:
        """Have each change of some variables told, as (node, data value); yields what says whether it goes on.

        Raises Lost where the session breaks, and ResourceUnavailable where the server will not.
        """
        addresses, client = await self._session(), self._client
        try:
            with translated():
                found = {await addresses.find(node): node for node in nodes}
                handler = Handler(lambda node, value: tell(found[node], value))
                subscription = await client.create_subscription(1000 * part.publishing_s, handler)
                results = await subscription.subscribe_data_change(
                    [client.get_node(node) for node in found],
                    queuesize=part.queue_size,
                    sampling_interval=1000 * part.sampling_s,
                )
        except Refused as error:
            raise ResourceUnavailable(f"{self.name}: its samples cannot be had: {error}.") from error
        refused = [found[node] for node, result in zip(found, results, strict=True) if not isinstance(result, int)]
        if refused:
            raise ResourceUnavailable(f"{self.name}: the server does not let {', '.join(refused)} be watched.")
        try:
            yield lambda: self._client is client
        finally:
            with contextlib.suppress(Lost, Refused), translated():
                if self._client is client:
                    await asyncio.wait_for(subscription.delete(), self._timeout_s)

    async def look(self, work: Callable[[Any, Addresses], Awaitable[T]]) -> T:
        """Ask what needs asyncua's client itself."""

        async def ask() -> T:
            addresses = await self._session()
            return await work(self._client, addresses)

        return await self._patiently(ask)

    async def find(self, node: Node) -> None:
        """Raise InvalidInput where there is no such node."""
        await self.look(lambda _, addresses: addresses.find(node))

    async def has(self, node: Node) -> bool:
        """Say whether there is such a node."""
        try:
            await self.find(node)
        except InvalidInput:
            return False
        return True

    async def _once(self, work: Callable[[], Awaitable[T]]) -> T:
        try:
            await self._session()
            with translated():
                return await work()
        except Lost:
            await self._drop()
            raise

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        deadline, wait_s = time.monotonic() + self._reconnect_s, FIRST_WAIT_S
        while True:
            try:
                await self._session()
                with translated():
                    return await work()
            except Lost as error:
                await self._drop()
                if time.monotonic() + wait_s > deadline:
                    raise self.unavailable(error) from error
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _session(self) -> Addresses:
        from asyncua import Client

        async with self._lock:
            if self._addresses is None:
                client = Client(self.url, timeout=self._timeout_s)
                await self._connect(client)
                self._client, self._addresses = client, Addresses(self.name, client)
                self.sessions += 1
            return self._addresses

    async def _connect(self, client: Any) -> None:
        try:
            with translated():
                await asyncio.wait_for(self._security.apply(client), 2 * self._timeout_s)
                await asyncio.wait_for(client.connect(), 2 * self._timeout_s)
        except Refused as error:
            raise ResourceUnavailable(
                f"{self.name}: the OPC UA server at {self.url} refused the connection ({error.status}):"
                f" {self._security.why_refused(error.status)}."
            ) from error

    async def _drop(self) -> None:
        client, self._client, self._addresses = self._client, None, None
        if client is not None:
            with contextlib.suppress(Lost), translated():
                await asyncio.wait_for(client.disconnect(), self._timeout_s)

    async def _find(self, node: Node) -> Any:
        return self._client.get_node(await (await self._session()).find(node))

    async def _read(self, nodes: Sequence[Node]) -> list[Reading]:
        from asyncua import ua

        addresses = await self._session()
        ids = [await addresses.find(node) for node in nodes]
        found = await self._client.uaclient.read_attributes(ids, ua.AttributeIds.Value)
        return [reading(value) for value in found]

    async def _write(self, node: Node, value: Value, kind: Any) -> None:
        from asyncua import ua

        written = ua.DataValue(variant(node, value, kind))
        node_id = await (await self._session()).find(node)
        [status] = await self._client.uaclient.write_attributes([node_id], [written])
        if not status.is_good():
            raise Refused(f"{node} cannot be written: {status.name}: {status.doc}")

    async def _call(self, node: Node, arguments: Sequence[Argument]) -> list[object]:
        from asyncua import ua

        addresses = await self._session()
        request = ua.CallMethodRequest(
            ObjectId=await addresses.parent(node),
            MethodId=await addresses.find(node),
            InputArguments=[variant(name, value, kind) for name, value, kind in arguments],
        )
        [result] = await self._client.uaclient.call([request])
        if not result.StatusCode.is_good():
            raise Refused(refusal(node, result, arguments))
        return [variant.Value for variant in result.OutputArguments or []]

    async def _is_method(self, node: Node) -> bool:
        from asyncua import ua

        return bool(await (await self._find(node)).read_node_class() == ua.NodeClass.Method)

    async def _method(self, node: Node) -> Method:
        properties = await self._properties(await self._find(node))
        takes = {a.Name: await self._type(a.DataType) for a in properties.get("InputArguments") or []}
        return Method(takes=takes, gives=tuple(a.Name for a in properties.get("OutputArguments") or []))

    async def _engineering(self, node: Node) -> Engineering:
        properties = await self._properties(await self._find(node))
        unit, limits = properties.get("EngineeringUnits"), properties.get("EURange")
        low, high = plain_range(limits.Low, limits.High) if limits else (None, None)
        if unit is None:
            return Engineering(low=low, high=high)
        text, namespace = unit.DisplayName.Text, unit.NamespaceUri
        return Engineering(unit_text=text, unit_namespace=namespace, unit_code=unit.UnitId, low=low, high=high)

    async def _variable_type(self, node: Node) -> Any:
        return await self._type(await (await self._find(node)).read_data_type())

    async def _type(self, data_type: Any) -> Any:
        from asyncua.common.ua_utils import data_type_to_variant_type

        return await data_type_to_variant_type(self._client.get_node(data_type))

    async def _properties(self, node: Any) -> dict[str, Any]:
        wanted = ("InputArguments", "OutputArguments", "EngineeringUnits", "EURange")
        found = {(await p.read_browse_name()).Name: p for p in await node.get_properties()}
        return {name: await p.read_value() for name, p in found.items() if name in wanted}


def _require_asyncua(name: str) -> None:
    try:
        import asyncua  # noqa: F401
    except ImportError as error:
        raise MissingExtra("opcua", f"The OPC UA resource {name!r}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep asyncua from logging what is reported as an error of ours, unless somebody has set its level."""
    unset = [log for log in map(logging.getLogger, ("asyncua", "asyncuagds")) if log.level == logging.NOTSET]
    for logger in unset:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger in unset:
            logger.setLevel(logging.NOTSET)
