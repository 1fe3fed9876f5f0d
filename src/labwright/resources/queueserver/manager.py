"""How an RE Manager is spoken to: a plan is executed at once, with our command's id in its metadata."""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from labwright.core.command import Command
from labwright.core.errors import ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.queueserver.connection import Connection
from labwright.resources.queueserver.options import ManagedPlanPart
from labwright.resources.queueserver.plans import called_with
from labwright.resources.served.kind import Unfit
from labwright.resources.served.resource import Phase, Standing
from labwright.resources.served.skill import Skill
from labwright.resources.served.wire import Lost, NotAccepted, Refused

MARK = "labwright_command"  # in the metadata of a plan, and so in the start document of its runs
PASSES = ("busy", "locked", "environment does not exist")
TAKEN_UP_S = 5.0  # how long the manager may take from its answer until it shows the plan
PAUSE_S = 0.1
LONGEST = 500  # characters of what it says


class Manager:
    """An RE Manager: its history tells of a command by our own id."""

    finds_ours = True

    def __init__(self, connection: Connection, plans: Mapping[str, Any]) -> None:
        self.name, self._connection, self._plans = connection.name, connection, plans
        self._history: tuple[object, dict[str, Mapping[str, Any]]] = (None, {})

    async def prepare(self, skill: Skill, command: Command, arguments: Mapping[str, Any]) -> str:
        """Return our own id, once the manager is idle and its environment open."""
        try:
            called_with(self._plans[skill.action.name], arguments)
        except Unfit as error:
            raise Refused(str(error)) from error
        status = await self._connection.ask("status")
        state, lock = status.get("manager_state"), status.get("lock")
        if isinstance(lock, Mapping) and lock.get("environment"):
            raise NotAccepted("its environment is locked by somebody")
        if state != "idle":
            raise NotAccepted(f"it is {str(state).replace('_', ' ')}{await self._whose(status)}")
        if not status.get("worker_environment_exists"):
            raise ResourceUnavailable(f"{self.name}: its environment is closed. Open it; nothing was begun.")
        if status.get("re_state") is None:
            raise ResourceUnavailable(
                f"{self.name}: there is no Run Engine in its environment. Its startup files must make one, called RE."
            )
        return command.command_id

    async def begin(self, skill: Skill, item: str, arguments: Mapping[str, Any]) -> None:
        """Have the plan executed at once, past the queue, and wait until the manager shows it."""
        args, kwargs = called_with(self._plans[skill.action.name], arguments)
        plan = {"item_type": "plan", "name": skill.action.name, "args": args, "kwargs": kwargs, "meta": {MARK: item}}
        answer = await self._connection.order("queue_item_execute", item=plan, **self._who)
        if answer.get("success") is not True:
            said = str(answer.get("msg")).removeprefix("Failed to start execution of the item: ")
            said = said.partition("\nPlan: ")[0][:LONGEST]
            raise (NotAccepted if any(word in said.lower() for word in PASSES) else Refused)(said)
        deadline = time.monotonic() + TAKEN_UP_S
        while (await self.stands(skill, item)).phase is Phase.UNKNOWN:
            if time.monotonic() > deadline:
                raise Lost("it accepted the plan, and does not show it")
            await asyncio.sleep(PAUSE_S)

    async def stands(self, skill: Skill, item: str) -> Standing:
        """Look for the command among what has ended, and at what is running."""
        status = await self._connection.ask("status")
        ended = (await self._ended(status.get("plan_history_uid"))).get(item)
        if ended is None:
            if _mark(await self._running()) == item:
                return Standing(phase=Phase.GOING, text=str(status.get("re_state") or status.get("manager_state")))
            ended = (await self._ended(None)).get(item)  # it may have ended since, for a status may be a little old
        if ended is None:
            return Standing(phase=Phase.UNKNOWN)
        return _ended(ended, has_more=isinstance(skill.part, ManagedPlanPart) and skill.part.results is not None)

    async def withdraw(self, item: str) -> bool:
        """Nothing of ours waits in a queue."""
        return False

    async def fetch(self, skill: Skill, item: str, standing: Standing) -> tuple[Any, Mapping[str, bytes]]:
        """Have the manager call the function that knows what was measured."""
        assert isinstance(skill.part, ManagedPlanPart)
        result = dict(standing.result)
        call = {"item_type": "function", "name": skill.part.results, "args": [result["run_uids"].split()]}
        answer = await self._connection.ask("function_execute", item=call, run_in_background=True, **self._who)
        if answer.get("success") is not True:
            raise Refused(str(answer.get("msg"))[:LONGEST])
        found = await self._task(str(answer.get("task_uid")))
        kept = {f"{skill.part.results}.json": json.dumps(found).encode()}
        return result | (dict(found) if isinstance(found, Mapping) else {str(skill.part.results): found}), kept

    async def stop(self) -> None:
        """Pause whatever plan is under way, and then end it; a manager that does nothing has stopped."""
        how, deadline, said = self._connection.options.stop, time.monotonic() + self._connection.options.reconnect_s, ""
        while time.monotonic() < deadline:
            state = (await self._connection.ask("status")).get("manager_state")
            if state == "idle":
                return
            if state == "paused":
                answer = await self._connection.ask(f"re_{how}")
            else:
                answer = await self._connection.ask("re_pause", option="immediate")
            said = str(answer.get("msg") or state)
            await asyncio.sleep(PAUSE_S)
        raise ResourceUnavailable(f"{self.name} did not stop: {said[:LONGEST]}. Stop it at the device.")

    def watched(self, recorder: Recorder) -> AbstractAsyncContextManager[None]:
        """Stream nothing: a manager tells of its plans only."""
        return nullcontext()

    @property
    def _who(self) -> dict[str, str]:
        options = self._connection.options
        return {"user": options.user, "user_group": options.user_group}

    async def _running(self) -> Mapping[str, Any]:
        found = (await self._connection.ask("queue_get")).get("running_item")
        return found if isinstance(found, Mapping) else {}

    async def _whose(self, status: Mapping[str, Any]) -> str:
        if not status.get("running_item_uid"):
            return ""
        running = await self._running()
        return f" the plan {running.get('name')} of {running.get('user')}"

    async def _ended(self, version: object) -> dict[str, Mapping[str, Any]]:
        """Return what has ended, as of a version or now, by our ids; of a plan that was repeated, the first."""
        if version is None or version != self._history[0]:
            answer = await self._connection.ask("history_get")
            items, found = answer.get("items"), dict[str, Mapping[str, Any]]()
            for one in items if isinstance(items, list) else []:
                mark = _mark(one) if isinstance(one, Mapping) else None
                if mark is not None:
                    found.setdefault(mark, one)
            self._history = (answer.get("plan_history_uid"), found)
        return self._history[1]

    async def _task(self, uid: str) -> Any:
        deadline = time.monotonic() + self._connection.options.reconnect_s
        while time.monotonic() < deadline:
            answer = await self._connection.ask("task_result", task_uid=uid)
            result = answer.get("result")
            if answer.get("status") == "completed" and isinstance(result, Mapping):
                if result.get("success") is not True:
                    raise Refused(str(result.get("msg") or "it does not say why")[:LONGEST])
                return result.get("return_value")
            if answer.get("status") == "not_found":
                raise Refused("the manager has forgotten the call")
            await asyncio.sleep(PAUSE_S)
        raise Refused("the function has not ended in time")


def _mark(item: Mapping[str, Any]) -> str | None:
    """Return our id in the metadata of a plan."""
    meta = item.get("meta")
    for one in meta if isinstance(meta, list) else [meta]:
        if isinstance(one, Mapping) and isinstance(one.get(MARK), str):
            return str(one[MARK])
    return None


def _ended(item: Mapping[str, Any], *, has_more: bool) -> Standing:
    result = item.get("result")
    found = result if isinstance(result, Mapping) else {}
    status, said = found.get("exit_status"), str(found.get("msg") or "").strip()
    if status != "completed":
        what = said or f"the plan was {status}" if status in ("aborted", "stopped", "halted") else said
        return Standing(phase=Phase.ENDED, failure=(what or f"its exit status is {status}")[:LONGEST])
    listed = found.get("run_uids")
    uids = [str(uid) for uid in listed] if isinstance(listed, list) else []
    start, end = found.get("time_start"), found.get("time_stop")
    told: dict[str, Any] = {"exit_status": status, "runs": len(uids), "run_uids": " ".join(uids)}
    if uids:
        told["run_uid"] = uids[0]
    if isinstance(start, int | float) and isinstance(end, int | float):
        told["duration_s"] = end - start
    return Standing(phase=Phase.ENDED, result=told, has_more=has_more)
