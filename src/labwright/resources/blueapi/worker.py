"""How a blueapi server is spoken to: a task is submitted, gets an id of the server's own, and is begun by that."""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any
from urllib.parse import quote

from labwright.core.command import Command
from labwright.core.errors import ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.blueapi.options import BlueapiOptions
from labwright.resources.served.resource import Phase, Standing
from labwright.resources.served.skill import Skill
from labwright.resources.served.web import LONGEST, Web
from labwright.resources.served.wire import Lost, NotAccepted, Refused

API = "/api/v1"
PAUSE_S = 0.1
INTERRUPTED = "RunEngineInterrupted"  # what a task says that was paused, also when it is resumed or aborted then
STATES = {"abort": "ABORTING", "stop": "STOPPING"}


class BlueapiWorker:
    """A server's worker, which does one task at a time; it finds nothing by an id of ours."""

    finds_ours = False

    def __init__(self, web: Web, options: BlueapiOptions) -> None:
        self.name, self._web, self._options = web.name, web, options

    async def prepare(self, skill: Skill, command: Command, arguments: Mapping[str, Any]) -> str:
        """Submit the task, once the worker is idle."""
        environment = await self._web.ask("GET", f"{API}/environment")
        if not isinstance(environment, Mapping) or not environment.get("initialized"):
            why = environment.get("error_message") if isinstance(environment, Mapping) else None
            raise ResourceUnavailable(
                f"{self.name}: its environment is not initialized{f': {why}' if why else ''}. Nothing was begun."
            )
        if (state := await self._state()) != "IDLE":
            raise NotAccepted(f"its worker is {state.lower()}")
        task = {
            "name": skill.action.name,
            "params": dict(arguments),
            "instrument_session": self._options.instrument_session,
        }
        answer = await self._web.ask("POST", f"{API}/tasks", task)
        item = answer.get("task_id") if isinstance(answer, Mapping) else None
        if not isinstance(item, str) or not item:
            raise self._web.unavailable(Lost(f"it gave no id to {skill.action.name}"))
        return item

    async def begin(self, skill: Skill, item: str, arguments: Mapping[str, Any]) -> None:
        """Begin the task; the server does so once only."""
        try:
            await self._web.order("PUT", f"{API}/worker/task", {"task_id": item})
        except NotAccepted:
            if await self._active() != item:
                await self.withdraw(item)
                raise
        except Refused as error:
            if (await self.stands(skill, item)).phase is Phase.UNKNOWN:
                raise NotAccepted("it has restarted, and forgotten the task before it was begun") from error
            if not await self.withdraw(item):
                return
            raise

    async def stands(self, skill: Skill, item: str) -> Standing:
        """Look up the task, which the server remembers until its environment is loaded anew."""
        try:
            task = await self._web.ask("GET", f"{API}/tasks/{quote(item)}")
        except Refused as error:
            if str(error).startswith("HTTP 404"):
                return Standing(phase=Phase.UNKNOWN)
            raise self._web.unavailable(error) from error
        if not isinstance(task, Mapping):
            raise self._web.unavailable(Lost(f"the task {item} is no object"))
        if task.get("is_pending"):
            return Standing(phase=Phase.PREPARED, text="submitted")
        if not task.get("is_complete"):
            return Standing(phase=Phase.GOING, text="running")
        return await self._ended(item, task)

    async def withdraw(self, item: str) -> bool:
        """Delete a task that waits; one that was begun goes on."""
        try:
            task = await self._web.ask("GET", f"{API}/tasks/{quote(item)}")
            if isinstance(task, Mapping) and not task.get("is_pending"):
                return False
            await self._web.ask("DELETE", f"{API}/tasks/{quote(item)}")
        except Refused:
            return True  # there is no such task any more, and so none to begin
        return await self._active() != item

    async def fetch(self, skill: Skill, item: str, standing: Standing) -> tuple[Any, Mapping[str, bytes]]:
        """Keep the whole of what the plan has returned."""
        return standing.result, {"result.json": json.dumps(standing.result).encode()}

    async def stop(self) -> None:
        """End whatever task is under way; a worker that does nothing has stopped."""
        wanted = {"new_state": STATES[self._options.stop], "reason": "stopped by Labwright"}
        deadline, said = time.monotonic() + self._options.reconnect_s, ""
        while True:
            state = await self._state()
            if state == "IDLE":
                return
            if time.monotonic() > deadline:
                raise ResourceUnavailable(
                    f"{self.name} did not stop: its worker is {state.lower()}{said}. Stop it at the device."
                )
            try:
                await self._web.ask("PUT", f"{API}/worker/state", wanted)
            except Refused as error:  # it was in between two states
                said = f" ({error})"
            await asyncio.sleep(PAUSE_S)

    def watched(self, recorder: Recorder) -> AbstractAsyncContextManager[None]:
        """Stream nothing: documents go to the server's own broker."""
        return nullcontext()

    async def _state(self) -> str:
        return str(await self._web.ask("GET", f"{API}/worker/state"))

    async def _active(self) -> str | None:
        """Return the task that was begun last."""
        answer = await self._web.ask("GET", f"{API}/worker/task")
        item = answer.get("task_id") if isinstance(answer, Mapping) else None
        return item if isinstance(item, str) else None

    async def _ended(self, item: str, task: Mapping[str, Any]) -> Standing:
        found, errors = task.get("outcome"), task.get("errors")
        outcome = found if isinstance(found, Mapping) else {}
        if outcome.get("type") == INTERRUPTED:
            state = await self._state()
            if state != "IDLE" and await self._active() == item:
                return Standing(phase=Phase.GOING, text=state.lower())
            return Standing(phase=Phase.ENDED, failure="it was interrupted: paused, stopped or aborted before its end")
        if outcome.get("outcome") == "success" and not errors:
            result = outcome.get("result")
            return Standing(phase=Phase.ENDED, result=result, has_more=isinstance(result, dict | list))
        told = [outcome.get("message"), *(errors if isinstance(errors, list) else [])]
        said = "; ".join(dict.fromkeys(str(one).strip() for one in told if one))
        return Standing(phase=Phase.ENDED, failure=said[:LONGEST] or "the server does not say why it failed")
