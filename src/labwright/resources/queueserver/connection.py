"""Requests to an RE Manager over 0MQ, with JSON."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

from labwright.core.errors import InvalidInput, MissingExtra, ResourceUnavailable
from labwright.resources.queueserver.options import ManagerOptions
from labwright.resources.served.wire import Lost, NotAccepted

FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0


class Connection:
    """Sends requests, each with a time limit and on a socket of its own, so that none is delivered later.

    What only asks is tried again for `reconnect_s`, then raises ResourceUnavailable. `order` is tried once: a lost one
    raises Lost.
    """

    def __init__(self, name: str, options: ManagerOptions, context: Any) -> None:
        self.name, self.options, self._context = name, options, context

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: ManagerOptions) -> AsyncIterator["Connection"]:
        """Make ready to send; nothing is sent yet."""
        if find_spec("zmq") is None:
            raise MissingExtra("bluesky", f"The queueserver resource {name!r}")
        context = _zmq().asyncio.Context()
        try:
            yield cls(name, options, context)
        finally:
            context.destroy(linger=0)

    async def order(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request once and return the answer; raises NotAccepted where it was not sent, or Lost."""
        zmq, request = _zmq(), json.dumps({"method": method, "params": params}, allow_nan=False).encode()
        with self._socket() as socket:
            try:
                async with asyncio.timeout(self.options.timeout_s):
                    await socket.send(request)
            except (TimeoutError, zmq.ZMQError) as error:
                raise NotAccepted(f"it cannot be reached: {error or 'nobody answers there'}") from error
            try:
                async with asyncio.timeout(self.options.timeout_s):
                    answer = json.loads(await socket.recv())
            except TimeoutError as error:
                raise Lost("no answer in time") from error
            except (zmq.ZMQError, ValueError) as error:
                raise Lost(f"its answer cannot be read: {error}") from error
        if not isinstance(answer, dict):
            raise Lost(f"its answer is no object: {str(answer)[:100]}")
        return answer

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request that may be sent again, if need be; raises ResourceUnavailable."""
        deadline, wait_s = time.monotonic() + self.options.reconnect_s, FIRST_WAIT_S
        while True:
            try:
                return await self.order(method, **params)
            except (Lost, NotAccepted) as error:
                if time.monotonic() + wait_s > deadline:
                    raise self.unavailable(error) from error
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def unavailable(self, error: Exception) -> ResourceUnavailable:
        """Return the error that names the manager, what happened and what to do."""
        key = "" if self.options.public_key is None else ", and is `public_key` its own"
        return ResourceUnavailable(
            f"{self.name}: the RE Manager at {self.options.url} cannot be used: {error}. Is it running, is that its"
            f" control address{key}?"
        )

    def _socket(self) -> Any:
        zmq = _zmq()
        socket = self._context.socket(zmq.REQ)
        socket.linger = 0
        socket.immediate = 1  # a message is handed over to a connection that there is, or to none
        try:
            if self.options.public_key is not None:
                socket.curve_serverkey = self.options.public_key.encode()
                socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
            socket.connect(self.options.url)
        except (zmq.ZMQError, ValueError) as error:
            socket.close()
            raise InvalidInput(f"{self.name}: {self.options.url} or its public_key cannot be: {error}.") from error
        return socket


def _zmq() -> Any:
    import zmq.asyncio

    return zmq
