"""The watch: a process beside an instrument, with a connection of its own, that brings it to its safe state.

It does so when it is told to, when the heartbeat of who told it to watch is missing, and when that process is gone,
however it went. `python -m labwright.sites.watch` is started by `Line`; both speak lines of JSON.
"""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from labwright.core.campaign import PlugIn
from labwright.core.errors import PlatformError, ResourceUnavailable
from labwright.core.values import Value
from labwright.resources.opening import opened
from labwright.resources.resource import Resource, Settles
from labwright.resources.stranger import guarded, words

_TOLD = os.dup(1) if __name__ == "__main__" else 1  # whatever an adapter prints goes elsewhere
AGAIN_S = 0.5  # between two tries to reach the safe state
ALONE_S = 3600.0  # how long it is tried when nobody is there any more


async def to_safe_state(resource: Resource, state: Mapping[str, Value], stop_is_safe: bool) -> None:
    """Stop a resource, then set what is declared; raises ResourceUnavailable where either cannot be."""
    try:
        await guarded(resource.stop)
        if state and not stop_is_safe:
            if not isinstance(resource, Settles):
                raise ResourceUnavailable(f"{resource.name} was stopped, and cannot be told to set its safe state.")
            settling: Settles = resource
            await guarded(lambda: settling.settle(state))
    except PlatformError:
        raise
    except Exception as error:  # an adapter may raise anything
        raise ResourceUnavailable(f"{resource.name} did not stop: {words(error)}. Stop it by hand.") from error


class Watch:
    """Looks after one resource; `armed` as long as it is to be brought to safety when nobody is heard of."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._heard: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._armed: dict[str, Any] | None = None
        self._is_safe = False

    async def serve(self) -> None:
        """Do as it is told until told to end, or until whoever tells it is gone and the instrument is safe."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
        settable = list(self._resource.settable) if isinstance(self._resource, Settles) else []
        say({"ready": True, "settable": settable})
        while True:
            try:
                said = await asyncio.wait_for(self._heard.get(), self._patience)
            except TimeoutError:
                say({"missed": self._patience})  # whoever sends it may be alive again before the next is due
                self._is_safe = await self._rescued()
                continue
            if said is None:
                await self._alone()
                return
            if said.get("end"):
                return
            await self._obey(said)

    @property
    def _patience(self) -> float | None:
        if self._armed is None or self._is_safe:
            return None
        return float(self._armed["heartbeat_s"])

    async def _obey(self, said: dict[str, Any]) -> None:
        if "armed" in said:
            self._armed, self._is_safe = said["armed"], False
        elif "beat" in said:
            self._is_safe = False
        elif "safe" in said:
            try:
                await to_safe_state(self._resource, said["safe"], said["stop_is_safe"])
                say({"done": said["id"]})
            except ResourceUnavailable as error:
                say({"done": said["id"], "error": str(error)})

    async def _rescued(self) -> bool:
        """Try to bring it to its safe state; say whether it is there."""
        assert self._armed is not None
        with suppress(ResourceUnavailable):
            await to_safe_state(self._resource, self._armed["state"], self._armed["stop_is_safe"])
            return True
        await asyncio.sleep(AGAIN_S)
        return False

    async def _alone(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(ALONE_S):
                while self._armed is not None and not await self._rescued():
                    pass

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(self._heard.put_nowait, json.loads(line))
        loop.call_soon_threadsafe(self._heard.put_nowait, None)


def say(what: dict[str, Any]) -> None:
    """Tell one thing; nobody may be there to hear it."""
    with suppress(OSError):
        os.write(_TOLD, json.dumps(what).encode() + b"\n")


async def watch(told: dict[str, Any]) -> None:
    """Open the resource, and look after it."""
    plug_in = PlugIn(kind=told["kind"], options=told["options"], capacity=told["capacity"])
    try:
        async with opened(told["name"], plug_in, Path(told["folder"])) as resource:
            await Watch(resource).serve()
    except PlatformError as error:
        say({"ready": False, "error": str(error)})


if __name__ == "__main__":
    # An interrupt at the terminal is for the process that was told to work; this one outlives it.
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(watch(json.loads(sys.stdin.readline())))
