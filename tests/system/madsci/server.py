"""A MADSci node in a process of its own: an oven that writes to a file what it physically begins.

`server.py FOLDER PORT [bare] [safe]`: `bare` cannot cancel, `safe` has a safety stop. It ends when its input does.
"""

# ruff: noqa: UP045 -- MADSci reads no other way of writing it

import contextlib
import json
import os
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Annotated, Literal, Optional

from madsci.common.types.action_types import ActionFailed, ActionFiles, ActionJSON
from madsci.common.types.admin_command_types import AdminCommandResponse
from madsci.common.types.node_types import RestNodeConfig
from madsci.node_module.helpers import action
from madsci.node_module.rest_node_module import RestNode
from pydantic import Field

FOLDER, PORT, HOW = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]


class Heated(ActionJSON):
    reached: float
    steps: int
    where: Optional[str] = None


class Curves(ActionFiles):
    curve: Path
    log: Path


class Oven(RestNode):
    config = RestNodeConfig(
        node_name="oven",
        node_url=f"http://127.0.0.1:{PORT}",
        enable_registry_resolution=False,
        state_update_interval=0.05,
        status_update_interval=0.05,
        uvicorn_kwargs={"log_level": "critical", "limit_concurrency": 50},
    )
    temperature = 20.0
    halted = threading.Event()

    def state_handler(self):
        self.node_state = {"oven": {"temperature": self.temperature}, "door": "closed", "bad": float("inf")}
        if self.temperature > 20:
            self.node_state["late"] = self.temperature

    def begin(self, what):
        with (FOLDER / "begun").open("a") as file:
            file.write(f"{what}\n")

    @action
    def double(self, x: Annotated[float, Field(ge=0, le=200)]) -> float:
        """Double a number."""
        self.begin(f"double {x:g}")
        if x == 13:
            return ActionFailed(errors="the door is open")
        if x == 14:
            raise RuntimeError("the fuse")
        return float("nan") if x == 17 else 2 * x

    @action
    def heat(self, target: float, seconds: float = 0.1, ramp: Optional[list[float]] = None) -> tuple[Heated, Curves]:
        """Heat something."""
        self.halted.clear()
        self.begin(f"heat {target:g}")
        for step in range(1, 11):
            if self.halted.wait(seconds / 10):
                return ActionFailed(errors="it was halted")
            self.temperature = target * step / 10
        (FOLDER / "curve.csv").write_text("t,T\n" * (200_000 if target == 199 else 1))
        (FOLDER / "log.txt").write_text("warm")
        return Heated(reached=target, steps=10), Curves(curve=FOLDER / "curve.csv", log=FOLDER / "log.txt")

    @action
    def tune(self, speed: int, mode: Literal["slow", "fast"], quiet: bool, note: str = "") -> Heated:
        """Set words, and yes or no."""
        self.begin(f"tune {speed} {mode} {quiet} {note}")
        return Heated(reached=1.5, steps=speed, where=mode)

    @action
    def program(self, ramp: list[float]) -> dict:
        """Take a list."""
        self.begin(f"program {ramp}")
        return {"peak": {"height": max(ramp), "name": "top"}, "rows": [1, 2]}

    @action
    def read(self, protocol: Path) -> Path:
        """Take a file, and give one."""
        self.begin(f"read {protocol.read_text()}")
        (FOLDER / "answer.txt").write_text(protocol.read_text().upper())
        return FOLDER / "answer.txt"

    @action(blocking=False)
    def halt(self) -> str:
        """Take nothing."""
        self.begin("halt")
        return "halted"


def cancel(self):
    self.begin("cancel")
    self.halted.set()
    return not (FOLDER / "stubborn").exists()


def safety_stop(self):
    self.begin("safety_stop")
    self.halted.set()
    self.node_status.stopped = True
    return AdminCommandResponse(success=True)


if "bare" not in HOW:
    Oven.cancel = cancel
if "safe" in HOW:
    Oven.safety_stop = safety_stop


def tells_and_ends(say):
    """Say when it takes actions, and end when the input does."""
    status = f"http://127.0.0.1:{PORT}/status"
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(status, timeout=1) as answer:
            if not json.load(answer)["initializing"]:
                break
        time.sleep(0.02)
    say.write("ready\n")
    say.flush()
    sys.stdin.read()
    os._exit(0)  # whatever goes on in its threads


if __name__ == "__main__":
    said = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # it prints its log
    threading.Thread(target=tells_and_ends, args=(said,), daemon=True).start()
    Oven().start_node()
