"""A connection to a SiLA server: its features, and the requests to them."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from labwright.core.errors import InvalidInput, MissingExtra, ResourceUnavailable
from labwright.resources.sila import trust
from labwright.resources.sila.definition import Definition, Order, Property, read_definition
from labwright.resources.sila.options import ServerOptions
from labwright.resources.sila.wire import Garbled, Lost, Refused, Silent, is_as_defined, translated

T = TypeVar("T")
SERVICE = "org.silastandard/core/SiLAService/v1"
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0
LARGEST, CHUNK = 64 * 2**20, 2**20
CHANNEL: tuple[tuple[str, int | str], ...] = (
    ("grpc.enable_retries", 0),  # a command is sent once, by us
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel is a new connection
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 330_000),  # servers take more than one in five minutes for an attack
    ("grpc.max_receive_message_length", LARGEST),
)
UNREADABLE = (
    SyntaxError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    ImportError,
    AttributeError,
)  # as sila2 says it
SLOW = "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"  # sila2 sets it, and our children would inherit it
_COMPILING = threading.Lock()  # sila2 imports what it has compiled by way of sys.path and sys.modules


@dataclass(frozen=True, kw_only=True, eq=False)
class Feature:
    """A feature: what its definition says, and its messages as sila2 has compiled them."""

    definition: Definition
    compiled: Any

    def message(self, name: str, fields: Mapping[str, Any]) -> Any:
        """Make a message of the feature."""
        return getattr(self.compiled._pb2_module, name)(**fields)

    def execution(self, uuid: str) -> Any:
        """Make the message that names an execution of an observable command."""
        return self.compiled._pb2_module.SiLAFramework__pb2.CommandExecutionUUID(value=uuid)


class Connection:
    """Sends requests, each with a time limit.

    What only asks is tried again for `reconnect_s`, on new connections, then raises ResourceUnavailable. `order` is
    tried once: a lost one raises Lost.
    """

    def __init__(self, name: str, options: ServerOptions, folder: Path, credentials: Any, service: Feature) -> None:
        self.name, self.options = name, options
        self._folder, self._credentials, self._service = folder, credentials, service
        self.features: tuple[Feature, ...] = ()
        self._channels = [self._channel()]

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, name: str, options: ServerOptions, folder: Path) -> AsyncIterator["Connection"]:
        """Connect once and read the features; raises ResourceUnavailable where that cannot be."""
        _require_sila2(name)
        credentials = await trust.credentials(name, options, folder)
        connection = cls(name, options, folder, credentials, await asyncio.to_thread(_service))
        try:
            connection.features = await connection._read_features()
            yield connection
        finally:
            for channel in connection._channels:
                await channel.close()

    @contextlib.asynccontextmanager
    async def anew(self) -> AsyncIterator["Connection"]:
        """Connect once more, with the features as they are known."""
        other = Connection(self.name, self.options, self._folder, self._credentials, self._service)
        other.features = self.features
        try:
            yield other
        finally:
            await other._channels[0].close()

    def unavailable(self, error: Exception) -> ResourceUnavailable:
        """Return the error that names the server, what happened and what to do."""
        return ResourceUnavailable(trust.unreachable(self.name, self.options, str(error)))

    def command(self, path: str) -> tuple[Feature, Order]:
        """Find a command by `Feature/Command`; one that is not there, or not the only one, raises InvalidInput."""
        return self._member(path, "command", lambda definition: definition.orders)

    def property(self, path: str) -> tuple[Feature, Property]:
        """Find a property by `Feature/Property`; one that is not there, or not the only one, raises InvalidInput."""
        return self._member(path, "property", lambda definition: definition.properties)

    async def order(self, feature: Feature, method: str, message: Any, within_s: float) -> Any:
        """Send a request once and return the answer; raises Refused or Lost."""
        with translated():
            return await getattr(self._stub(feature), method)(message, timeout=within_s)

    async def consult(self, feature: Feature, method: str, message: Any) -> Any:
        """Send a request that changes nothing, again if need be, and return the answer; raises Refused."""
        return await self.patiently(lambda: self.order(feature, method, message, self.options.timeout_s))

    async def reach(self) -> None:
        """Return when the server answers; raises ResourceUnavailable."""
        service = self._service
        with contextlib.suppress(Refused):
            await self.consult(service, "Get_ServerUUID", service.message("Get_ServerUUID_Parameters", {}))

    async def follow(
        self, feature: Feature, method: str, message: Any, *, quiet_s: float | None = None
    ) -> AsyncGenerator[Any, None]:
        """Yield what a server tells, until it ends that; raises Refused, Lost, or Silent where it is quiet too long."""
        import grpc

        with translated():
            call = getattr(self._stub(feature), method)(message)
            try:
                while True:
                    async with asyncio.timeout(quiet_s):
                        found = await call.read()
                    if found is grpc.aio.EOF:
                        return
                    yield found
            except TimeoutError as error:
                raise Silent(f"nothing was told for {quiet_s:g} s") from error
            finally:
                call.cancel()

    async def get(self, feature: Feature, found: Property) -> Any:
        """Return the message that holds a property's value; raises Refused."""
        return await self.patiently(lambda: self._get(feature, found))

    async def binary(self, uuid: str) -> bytes:
        """Fetch what was too large for an answer; raises Refused."""
        return await self.patiently(lambda: self._binary(uuid))

    async def patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what may be done again until it is not lost; raises ResourceUnavailable after `reconnect_s`."""
        deadline, wait_s = time.monotonic() + self.options.reconnect_s, FIRST_WAIT_S
        while True:
            try:
                return await work()
            except Lost as error:
                if time.monotonic() + wait_s > deadline:
                    raise self.unavailable(error) from error
                if isinstance(error, Silent):
                    self._renew()
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _renew(self) -> None:
        """Use a new channel from now on; what is under way on the others goes on."""
        self._channels.append(self._channel())

    def _channel(self) -> Any:
        import grpc

        options = list(CHANNEL)
        if self.options.certificate_name:
            options.append(("grpc.ssl_target_name_override", self.options.certificate_name))
        if self._credentials is None:
            return grpc.aio.insecure_channel(self.options.target, options)
        return grpc.aio.secure_channel(self.options.target, self._credentials, options)

    def _stub(self, feature: Feature) -> Any:
        stub = getattr(feature.compiled._grpc_module, f"{feature.definition.name}Stub")
        return stub(self._channels[-1])

    async def _get(self, feature: Feature, found: Property) -> Any:
        prefix = "Subscribe" if found.observable else "Get"
        method, message = f"{prefix}_{found.name}", feature.message(f"{prefix}_{found.name}_Parameters", {})
        if not found.observable:
            return await self.order(feature, method, message, self.options.timeout_s)
        with translated():
            call = getattr(self._stub(feature), method)(message, timeout=self.options.timeout_s)
            try:
                async for value in call:
                    return value
            finally:
                call.cancel()
        raise Lost(f"{found.name} was not told")

    async def _binary(self, uuid: str) -> bytes:
        from sila2.framework.abc.binary_transfer_handler import grpc_module
        from sila2.framework.abc.binary_transfer_handler import pb2_module as pb2

        stub, within_s = grpc_module.BinaryDownloadStub(self._channels[-1]), self.options.timeout_s
        try:
            with translated():
                info = await stub.GetBinaryInfo(pb2.GetBinaryInfoRequest(binaryTransferUUID=uuid), timeout=within_s)
                wanted = (
                    pb2.GetChunkRequest(binaryTransferUUID=uuid, offset=o, length=min(CHUNK, info.binarySize - o))
                    for o in range(0, info.binarySize, CHUNK)
                )
                chunks = {c.offset: c.payload async for c in stub.GetChunk(wanted, timeout=self.options.answer_s)}
        except Garbled as error:
            raise Refused(f"the server does not hand it over ({error})") from error
        data = b"".join(chunks[offset] for offset in sorted(chunks))
        if len(data) != info.binarySize:
            raise Refused(f"{len(data)} of {info.binarySize} bytes came")
        return data

    async def _read_features(self) -> tuple[Feature, ...]:
        wanted = self._service.message("Get_ImplementedFeatures_Parameters", {})
        try:
            answer = await self.order(self._service, "Get_ImplementedFeatures", wanted, self.options.timeout_s)
            ids = [found.value for found in answer.ImplementedFeatures if found.value != SERVICE]
            return tuple([await self._feature(feature_id) for feature_id in ids])
        except Lost as error:
            raise await self._why_lost(error) from error
        except Refused as error:
            raise ResourceUnavailable(
                f"{self.name}: {self.options.url} is no SiLA 2 server, or not ours: {error}"
            ) from error

    async def _why_lost(self, error: Lost) -> ResourceUnavailable:
        words = str(error)
        if self._credentials is not None and any(found in words for found in trust.OF_TRUST):
            why = "is not that of `root_certificate`"
            if trust.OF_TRUST[1] in words:
                why = "does not name that host (see `certificate_name`)"
            return ResourceUnavailable(await trust.untrusted(self.name, self.options, self._folder, why))
        if self._credentials is None and "Socket closed" in words:
            words += ". It may offer a protected connection only: leave `insecure` out"
        return self.unavailable(Lost(words))

    async def _feature(self, feature_id: str) -> Feature:
        wanted = {"FeatureIdentifier": {"value": feature_id}}
        message = self._service.message("GetFeatureDefinition_Parameters", wanted)
        answer = await self.order(self._service, "GetFeatureDefinition", message, self.options.timeout_s)
        try:
            return await asyncio.to_thread(_compiled, feature_id, answer.FeatureDefinition.value)
        except UNREADABLE as error:
            raise InvalidInput(f"{self.name}: the server's feature {feature_id} cannot be read: {error}") from error

    def _member(self, path: str, what: str, members: Callable[[Definition], Sequence[T]]) -> tuple[Feature, T]:
        where, _, name = path.rpartition("/")
        features = [f for f in self.features if where in (f.definition.id, f.definition.name)]
        found = [(f, m) for f in features for m in members(f.definition) if getattr(m, "name", None) == name]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(f"{f.definition.id}/{name}" for f, _ in found)
            raise InvalidInput(f"{self.name}: more than one feature has the {what} {path!r}. Write one of {ids}.")
        there = ", ".join(
            f"{f.definition.name}/{getattr(m, 'name', '')}" for f in self.features for m in members(f.definition)
        )
        raise InvalidInput(f"{self.name}: there is no {what} {path!r}. The server has: {there or 'none'}.")


def _compiled(feature_id: str, text: str) -> Feature:
    from sila2.framework import Feature as Compiled

    if not text.lstrip().startswith("<"):
        raise ValueError("it is not XML")  # sila2 would take it for the name of a file
    with _COMPILING:
        compiled = Compiled(text)
    if compiled.fully_qualified_identifier != feature_id:
        raise ValueError(f"it calls itself {compiled.fully_qualified_identifier}")
    if not is_as_defined(compiled._pb2_module.DESCRIPTOR):
        raise ValueError(
            "another server has a feature of that name with another definition, and one process can hold only one."
            " Use that server in another folder's campaign"
        )
    return Feature(definition=read_definition(feature_id, compiled._fdl_node), compiled=compiled)


def _service() -> Feature:
    with _COMPILING:
        before = os.environ.get(SLOW)
        from sila2.features.silaservice import SiLAServiceFeature as Compiled

        if before is None:
            os.environ.pop(SLOW, None)
    return Feature(definition=Definition(id=SERVICE, name="SiLAService", orders=(), properties=()), compiled=Compiled)


def _require_sila2(name: str) -> None:
    # gRPC's core would print about each connection that fails, which is reported as an error of ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if find_spec("grpc") is None or find_spec("sila2") is None:
        raise MissingExtra("sila", f"The SiLA resource {name!r}")
