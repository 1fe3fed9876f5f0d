"""The line to the watch beside an instrument, from any thread: it waits for no event loop and no storage."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from labwright.core.campaign import PlugIn
from labwright.core.errors import ResourceUnavailable
from labwright.core.values import Value

OPEN_S = 30.0  # what a watch may take to reach its instrument
SAFE_S = 5.0  # and to bring it to its safe state


class Line:
    """Starts the watch, and tells it what to do.

    `lost` is called, in a thread, with the reason, when a watch has acted or ended by itself.

    A watch that has ended is started again where the safe state is asked for.
    """

    def __init__(self, name: str, plug_in: PlugIn, folder: Path, *, lost: Callable[[str], None]) -> None:
        self._name = name
        about = {"kind": plug_in.kind, "options": dict(plug_in.options), "capacity": plug_in.capacity}
        self._about = {"name": name, "folder": str(folder), **about}
        self._lost = lost
        self._lock = threading.Lock()
        self._numbers = count()
        self._waiting: dict[int, Future[None]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = False
        self.settable: frozenset[str] = frozenset()  # the channels that its instrument can be told to set
        self.stop_is_safe = False

    def open(self) -> None:
        """Start the watch, and wait until it has reached its instrument; raises ResourceUnavailable."""
        with self._lock:
            self._process = self._started()

    def close(self) -> None:
        """Let the watch end; the instrument stays as it is."""
        self._closing = True
        with self._lock:
            process = self._process
        if process is None:
            return
        with suppress(OSError, ValueError):
            self._write(process, {"end": True})
        with suppress(subprocess.TimeoutExpired):
            process.wait(SAFE_S)
        _ended(process)

    def safe(self, state: Mapping[str, Value]) -> None:
        """Bring the instrument to its safe state, now; ResourceUnavailable where that is not known to be done."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = self._started()
            process, number = self._process, next(self._numbers)
            done = self._waiting[number] = Future()
            try:
                self._write(process, {"safe": dict(state), "stop_is_safe": self.stop_is_safe, "id": number})
            except (OSError, ValueError) as error:
                raise ResourceUnavailable(f"The watch of {self._name} is gone: {error}.") from error
        try:
            done.result(SAFE_S)
        except TimeoutError as error:
            process.kill()  # the next time another is started
            raise ResourceUnavailable(
                f"{self._name} was not known to be in its safe state after {SAFE_S:g} s. Stop it at the device."
            ) from error
        finally:
            self._waiting.pop(number, None)

    def arm(self, state: Mapping[str, Value], heartbeat_s: float) -> None:
        """Have the instrument brought to this state when no beat comes for so long, or when this process is gone."""
        armed = {"state": dict(state), "heartbeat_s": heartbeat_s, "stop_is_safe": self.stop_is_safe}
        self._tell({"armed": armed})

    def rest(self) -> None:
        """Have it left as it is, whoever is gone."""
        self._tell({"armed": None})

    def beat(self) -> None:
        """Tell that this process is alive."""
        self._tell({"beat": True})

    def _tell(self, what: dict[str, Any]) -> None:
        with self._lock, suppress(OSError, ValueError):  # a watch that has ended is told of by its reader
            if self._process is not None:
                self._write(self._process, what)

    def _started(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-m", "labwright.sites.watch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)  # nobody waits here for a watch that does not read
        ready: Future[dict[str, Any]] = Future()
        threading.Thread(target=self._read, args=(process, ready), name="line", daemon=True).start()
        try:
            self._write(process, self._about)
            said = ready.result(OPEN_S)
        except (OSError, TimeoutError) as error:
            process.kill()
            raise ResourceUnavailable(f"The watch of {self._name} does not begin: {error}.") from error
        if not said.get("ready"):
            _ended(process)
            raise ResourceUnavailable(f"The watch of {self._name} cannot reach it: {said.get('error', 'it ended')}")
        self.settable = frozenset(said["settable"])
        return process

    def _read(self, process: "subprocess.Popen[bytes]", ready: "Future[dict[str, Any]]") -> None:
        """Take what a watch says, in a thread of its own, until it ends."""
        assert process.stdout is not None
        for text in process.stdout:
            said = json.loads(text)
            if "ready" in said:
                ready.set_result(said)
            elif "missed" in said:
                why = f"the watch beside the instrument has heard nothing for {said['missed']:g} s"
                threading.Thread(target=self._lost, args=(why,), name="missed", daemon=True).start()
            elif (done := self._waiting.get(said["done"])) is not None and not done.done():
                error = said.get("error")
                done.set_result(None) if error is None else done.set_exception(ResourceUnavailable(error))
        was_ready = ready.done()
        if not was_ready:
            ready.set_result({})
        gone = ResourceUnavailable(f"The watch of {self._name} has ended.")
        for done in list(self._waiting.values()):
            if not done.done():
                done.set_exception(gone)
        if was_ready and not self._closing:
            self._lost("the watch beside the instrument has ended")

    @staticmethod
    def _write(process: "subprocess.Popen[bytes]", what: dict[str, Any]) -> None:
        assert process.stdin is not None
        text = json.dumps(what).encode() + b"\n"
        if os.write(process.stdin.fileno(), text) < len(text):
            raise OSError("it does not take what it is told")


def _ended(process: "subprocess.Popen[bytes]") -> None:
    """End a watch that does not end by itself, and take note of its end."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
