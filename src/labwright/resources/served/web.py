"""A server that is spoken to over HTTP, with JSON."""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.resources.served.options import WebOptions
from labwright.resources.served.wire import Lost, NotAccepted, Refused

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0
LATER = (429, 503)  # it has not let the request in: too many of them
LONGEST = 500  # characters of what a server says


class Web:
    """Sends requests, each with a time limit and over a connection of its own, so that no dead one is used.

    What only asks is tried again for `reconnect_s`, then raises ResourceUnavailable. `order` is tried once: a lost one
    raises Lost.
    """

    def __init__(self, name: str, options: WebOptions, client: "httpx.AsyncClient") -> None:
        self.name, self.options, self._client = name, options, client

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: WebOptions, folder: Path) -> AsyncIterator["Web"]:
        """Make ready to send; nothing is sent yet."""
        import httpx

        client = httpx.AsyncClient(
            base_url=options.url,
            headers=_headers(name, options, folder),
            timeout=options.timeout_s,
            verify=_trust(name, options, folder),
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,  # an instrument is reached directly
        )
        async with client:
            yield cls(name, options, client)

    async def order(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Send a request once and return the JSON of the answer; raises Refused, NotAccepted or Lost."""
        import httpx

        try:
            answer = await self._client.request(method, path.lstrip("/"), json=body, **more)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotAccepted(f"it cannot be reached: {_why(error)}") from error
        except httpx.HTTPError as error:
            raise Lost(_why(error)) from error
        _raise_for(answer)
        if answer.headers.get("content-type", "").startswith("application/json"):
            try:
                return answer.json()
            except ValueError as error:
                raise Lost(f"its answer is no JSON: {answer.text[:100]!r}") from error
        return answer.content

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Send a request that may be sent again, if need be, and return the answer; raises Refused."""
        return await self.patiently(lambda: self.order(method, path, body, **more))

    async def patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what may be done again until it gets through; raises ResourceUnavailable after `reconnect_s`."""
        deadline, wait_s = time.monotonic() + self.options.reconnect_s, FIRST_WAIT_S
        while True:
            try:
                return await work()
            except (Lost, NotAccepted) as error:
                if time.monotonic() + wait_s > deadline:
                    raise self.unavailable(error) from error
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def unavailable(self, error: Exception) -> ResourceUnavailable:
        """Return the error that names the server, what happened and what to do."""
        return ResourceUnavailable(
            f"{self.name}: the server at {self.options.url} cannot be used: {error}. Is it running, and is that"
            " its url?"
        )


def detail(answer: "httpx.Response") -> str:
    """Return what a server says of a request that it refuses."""
    try:
        found = answer.json()
    except ValueError:
        return answer.text.strip()[:LONGEST] or f"HTTP {answer.status_code}"
    said = found.get("detail", found) if isinstance(found, Mapping) else found
    if isinstance(said, list):
        said = "; ".join(_of_field(one) for one in said)
    return str(said)[:LONGEST]


def _raise_for(answer: "httpx.Response") -> None:
    code = answer.status_code
    if code in LATER:
        raise NotAccepted(f"HTTP {code}: {detail(answer)}")
    if code >= 500:
        raise Lost(f"HTTP {code}: {detail(answer)}")
    if code == 409:
        raise NotAccepted(detail(answer))
    if not 200 <= code < 300:
        raise Refused(f"HTTP {code}: {detail(answer)}")


def _of_field(said: Any) -> str:
    """Write one of the problems that FastAPI lists."""
    if not isinstance(said, Mapping) or "msg" not in said:
        return str(said)
    where = ".".join(str(part) for part in said.get("loc", ()) if part not in ("body", "args", "params"))
    return f"{where}: {said['msg']}" if where else str(said["msg"])


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


def _trust(name: str, options: WebOptions, folder: Path) -> ssl.SSLContext:
    if options.root_certificate is None:
        return ssl.create_default_context()
    path = folder / options.root_certificate
    try:
        return ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"{name}: root_certificate: {path} cannot be read: {error}") from error


def _headers(name: str, options: WebOptions, folder: Path) -> dict[str, str]:
    token = None
    if options.token_env is not None and not (token := os.environ.get(options.token_env)):
        raise InvalidInput(
            f"{name}: the token should stand in the environment variable {options.token_env}, which is not set."
            " Set it and try again."
        )
    if options.token_file is not None:
        try:
            token = (folder / options.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{name}: token_file cannot be read: {error}") from error
    return {"Authorization": f"Bearer {token}"} if token else {}
