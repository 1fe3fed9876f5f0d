"""How a MADSci node is spoken to: an action is created under an id of the node's own, then started by it."""

import io
import zipfile
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from labwright.core.command import Command
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.recorder import Recorder
from labwright.resources.madsci.info import ALONE, merged
from labwright.resources.madsci.options import NodeActionPart, NodeOptions
from labwright.resources.madsci.watching import watched
from labwright.resources.served.resource import Phase, Standing
from labwright.resources.served.skill import Skill
from labwright.resources.served.web import LONGEST, Web
from labwright.resources.served.wire import Lost, NotAccepted, Refused

PASSING = ("busy", "initializing", "paused", "locked")
LASTING = {
    "stopped": "it was stopped for safety: see to it, then reset it",
    "errored": "it is in an error state: see to it, then reset it",
    "disconnected": "it has lost its device: connect that again",
    "waiting_for_config": "it waits for its configuration: give it that",
}
STOPS = ("safety_stop", "cancel")
GOING = ("not_started", "running", "paused")
LARGEST = 2**30  # bytes of the files of one action


class Node:
    """A node's server; it finds nothing by an id of ours."""

    finds_ours = False

    def __init__(self, web: Web, folder: Path, admin_commands: list[str]) -> None:
        self.name, self.options, self._web, self._folder = web.name, web.options, web, folder
        assert isinstance(self.options, NodeOptions)
        self._telemetry = self.options.telemetry
        self._stop = self._stop_command(self.options.stop, admin_commands)

    async def prepare(self, skill: Skill, command: Command, arguments: Mapping[str, Any]) -> str:
        """Create the action and upload its files, once the node is ready."""
        await self._ready()
        part, path = skill.part, f"/action/{quote(skill.action.name)}"
        assert isinstance(part, NodeActionPart)
        files = {name: self._files(name, paths) for name, paths in part.files.items()}
        answer = await self._web.ask("POST", path, {"args": dict(arguments)})
        item = answer.get("action_id") if isinstance(answer, Mapping) else None
        if not isinstance(item, str) or not item:
            raise self._web.unavailable(Lost(f"it gave no id to {skill.action.name}"))
        for name, parts in files.items():
            await self._web.ask("POST", f"{path}/{quote(item)}/upload/{quote(name)}", files=parts)
        return item

    async def begin(self, skill: Skill, item: str, arguments: Mapping[str, Any]) -> None:
        """Start the action; the node does so once only."""
        path = f"/action/{quote(skill.action.name)}/{quote(item)}"
        answer = await self._web.order("POST", f"{path}/start")
        status = answer.get("status") if isinstance(answer, Mapping) else None
        if status == "not_ready":
            raise NotAccepted(_errors(answer) or "it is not ready")
        if status == "failed" and await self._status(item) == "unknown":
            raise NotAccepted("it has restarted, and forgot the action before it was started")

    async def stands(self, skill: Skill, item: str) -> Standing:
        """Look up the action in the node's history, which is lost when the node restarts."""
        status = await self._status(item)
        if status in GOING:
            return Standing(phase=Phase.GOING, text=status.replace("_", " "))
        found = await self._web.ask("GET", f"/action/{quote(item)}/result")
        if not isinstance(found, Mapping):
            raise self._web.unavailable(Lost(f"the result of {item} is no object"))
        said = _errors(found)
        match found.get("status"):
            case "succeeded":
                return Standing(phase=Phase.ENDED, result=_result(found), has_more=bool(found.get("files")))
            case "unknown" if "ActionHistoryNotFound" in _error_types(found):
                return Standing(phase=Phase.UNKNOWN)
            case "unknown":
                return Standing(phase=Phase.ENDED, failure=said or "the node does not know what came of it")
            case "not_ready":
                return Standing(phase=Phase.ENDED, failure=f"it did not begin: {said}")
            case "cancelled":
                return Standing(phase=Phase.ENDED, failure=f"it was cancelled{': ' if said else ''}{said}")
            case other:
                return Standing(phase=Phase.ENDED, failure=said or f"the node says {other}, and not why")

    async def withdraw(self, item: str) -> bool:
        """Nothing of a node's waits to be begun that can be seen."""
        return False

    async def fetch(self, skill: Skill, item: str, standing: Standing) -> tuple[Any, Mapping[str, bytes]]:
        """Download the files that the action has made."""
        data = await self._web.ask("GET", f"/action/{quote(item)}/download")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(info.file_size for info in archive.infolist()) > LARGEST:
                    raise Refused(f"they are more than {LARGEST} bytes")
                members = [info for info in archive.infolist() if not info.is_dir()]
                return standing.result, {PurePosixPath(m.filename).name: archive.read(m) for m in members}
        except (zipfile.BadZipFile, TypeError, NotImplementedError, RuntimeError) as error:
            raise Refused(f"what the node hands over is no archive: {error}") from error

    async def stop(self) -> None:
        """Give the admin command that the node has for it."""
        if self._stop is None:
            raise ResourceUnavailable(
                f"{self.name}: the node has neither of the admin commands {' and '.join(STOPS)}. Stop it at the device."
            )
        try:
            answer = await self._web.ask("POST", f"/admin/{quote(self._stop)}")
        except Refused as error:
            raise ResourceUnavailable(f"{self.name} refused to stop: {error}. Stop it at the device.") from error
        if not isinstance(answer, Mapping) or answer.get("success") is not True:
            said = _errors(answer) if isinstance(answer, Mapping) else str(answer)
            raise ResourceUnavailable(f"{self.name} refused to stop: {said}. Stop it at the device.")

    def watched(self, recorder: Recorder) -> AbstractAsyncContextManager[None]:
        """Stream the parts of its state that the file names."""
        return watched(self._web, self._telemetry, recorder)

    def _stop_command(self, chosen: str | None, there: list[str]) -> str | None:
        if chosen is not None and chosen not in there:
            raise InvalidInput(
                f"{self.name}.stop: the node has no admin command {chosen!r}. It has: {', '.join(there) or 'none'}."
            )
        return chosen or next((command for command in STOPS if command in there), None)

    async def _ready(self) -> None:
        """Return if the node takes actions; raises NotAccepted where that may pass, or else ResourceUnavailable."""
        status = await self._web.ask("GET", "/status")
        if not isinstance(status, Mapping):
            raise self._web.unavailable(Lost("its status is no object"))
        for word, what in LASTING.items():
            if status.get(word):
                raise ResourceUnavailable(f"{self.name}: the node takes no action: {what}. Nothing was begun.")
        if now := [word for word in PASSING if status.get(word)]:
            raise NotAccepted(f"it is {' and '.join(now)}")

    async def _status(self, item: str) -> str:
        return str(await self._web.ask("GET", f"/action/{quote(item)}/status"))

    def _files(self, name: str, paths: Path | list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
        """Return what is uploaded for one argument."""
        key = "files" if isinstance(paths, list) else "file"
        try:
            return [
                (key, (path.name, (self._folder / path).read_bytes()))
                for path in (paths if isinstance(paths, list) else [paths])
            ]
        except OSError as error:
            raise Refused(f"the file for {name} cannot be read: {error}") from error


def _result(found: Mapping[str, Any]) -> Any:
    """Return the values of a result, and the ids of its datapoints beside them."""
    result, datapoints = merged(found.get("json_result")), found.get("datapoints")
    if not isinstance(datapoints, Mapping) or not datapoints:
        return result
    return dict(datapoints) | (dict(result) if isinstance(result, Mapping) else {ALONE: result})


def _errors(found: Mapping[str, Any]) -> str:
    """Return what a node says went wrong."""
    errors = found.get("errors")
    listed = errors if isinstance(errors, list) else [errors] if errors else []
    told = [e.get("message") or e.get("error_type") if isinstance(e, Mapping) else e for e in listed]
    return "; ".join(str(one) for one in told if one)[:LONGEST]


def _error_types(found: Mapping[str, Any]) -> list[str]:
    errors = found.get("errors")
    return [str(e.get("error_type")) for e in errors if isinstance(e, Mapping)] if isinstance(errors, list) else []
