"""Holds the adapter to what every resource promises, with faults on its line: `python -m pytest`."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from reactor import Reactor

from labwright.core.errors import ResourceUnavailable
from labwright.resources.resource import Resource
from labwright.testing import Relay
from labwright.testing.contract import ResourceContract, Stand

SIMULATED = Path(__file__).with_name("simulated_reactor.py")


class Device:
    """The simulated instrument; its end by `kill` is a loss of power."""

    def __init__(self, folder: Path, *how: str) -> None:
        self.log = folder / "log"
        self._how, self.port = how, 0

    def start(self) -> None:
        """Begin, at the port that it had before, and wait until it listens."""
        call = [sys.executable, str(SIMULATED), "--port", str(self.port), "--log", str(self.log), *self._how]
        self._process = subprocess.Popen(call, stdout=subprocess.PIPE)  # noqa: S603
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().split()[-1])

    def kill(self) -> None:
        """End at once."""
        self._process.kill()
        self._process.communicate()

    def begun(self) -> list[str]:
        """Return the ids of what it has physically begun."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split('"')[3] for line in lines if '"end"' not in line]


@asynccontextmanager
async def stand(folder: Path, *how: str) -> AsyncIterator[Stand]:
    """Put the adapter before the instrument, with a relay between them that loses and doubles replies."""
    device = Device(folder, *how)
    device.start()
    try:
        async with Relay(f"127.0.0.1:{device.port}") as relay, AsyncExitStack() as stack:
            options = Reactor.Options(address=relay.url)

            async def reopened() -> Resource:
                return await stack.enter_async_context(Reactor.open("reactor", options, folder))

            async def crash() -> Resource:
                device.kill()
                device.start()
                return await reopened()

            yield Stand(
                resource=await reopened(),
                inputs={"temperature": 80.0, "hold": 10.0},
                other={"temperature": 60.0, "hold": 20.0},
                slow={"temperature": 80.0, "hold": 3600.0},
                started=device.begun,
                lose_reply=relay.lose_reply,
                double_reply=relay.double_reply,
                cut=relay.cut,
                crash=crash,
            )
    finally:
        device.kill()


class TestReactor(ResourceContract):
    """With an instrument that keeps a log of its runs."""

    @classmethod
    def stand_in(cls, folder: Path) -> AbstractAsyncContextManager[Stand]:
        """Open it on its stand."""
        return stand(folder)


class TestForgetfulReactor(ResourceContract):
    """With one that remembers its last run only: it cannot tell, and says so."""

    @classmethod
    def stand_in(cls, folder: Path) -> AbstractAsyncContextManager[Stand]:
        """Open it on its stand."""
        return stand(folder, "--forgetful")


@pytest.mark.asyncio
async def test_one_that_cannot_be_reached_says_where_it_was_sought(tmp_path: Path) -> None:
    """The words that a person reads name the place."""
    with pytest.raises(ResourceUnavailable, match=r"127\.0\.0\.1:9.*Is it on"):
        async with Reactor.open("reactor", Reactor.Options(address="127.0.0.1:9"), tmp_path):
            pass
