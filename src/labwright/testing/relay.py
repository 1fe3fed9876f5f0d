"""Stands between a client and a server on loopback, so that their connection can be cut, and a reply harmed."""

import asyncio
import contextlib
import re
from types import TracebackType
from typing import Self


class Relay:
    """Hands bytes on both ways. `url` is the server's with the port of the relay."""

    def __init__(self, url: str) -> None:
        found = re.search(r":(\d+)(?=/|$)", url)
        if found is None:
            raise ValueError(f"{url!r} names no port.")
        self._server, self._port = url, int(found[1])
        self._at = found.span(1)
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._fault = ""

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        self.url = f"{self._server[: self._at[0]]}{port}{self._server[self._at[1] :]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self.cut()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection; new ones are let through."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def lose_reply(self) -> None:
        """Lose what the server says next, and break the connection then."""
        self._fault = "lose"

    def double_reply(self) -> None:
        """Hand on twice what the server says next."""
        self._fault = "double"

    def close(self) -> None:
        """Let nobody connect any more."""
        self._listener.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, server_writer]
        self._clients.add(writer)
        for way in (self._pump(reader, server_writer), self._pump(server_reader, writer)):
            pump = asyncio.create_task(way)
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(self._harmed(data) if writer in self._clients else data)
                await writer.drain()
        self._clients.discard(writer)
        writer.close()

    def _harmed(self, data: bytes) -> bytes:
        fault, self._fault = self._fault, ""
        if fault == "lose":
            self.cut()
            return b""
        return 2 * data if fault == "double" else data
