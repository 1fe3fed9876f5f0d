"""What the blueapi server of the tests can do; each plan writes to a file what it physically begins."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator
from pydantic import Field

FOLDER = Path(os.environ["OVEN"])


def begin(what):
    with (FOLDER / "begun").open("a") as file:
        file.write(f"{what}\n")


def double(x: Annotated[float, Field(ge=0, le=200)]) -> MsgGenerator[float]:
    """Double a number."""
    begin(f"double {x:g}")
    yield from bps.null()
    if x == 13:
        raise RuntimeError("the door is open")
    return float("nan") if x == 17 else 2 * x


def heat(target: float, seconds: float = 0.1, ramp: list[float] | None = None) -> MsgGenerator[dict[str, Any]]:
    """Heat something."""
    begin(f"heat {target:g}")
    for _ in range(10):
        yield from bps.checkpoint()
        yield from bps.sleep(seconds / 10)
    return {"reached": target, "fit": {"peak": 2 * target}, "curve": [1, 2]}


def tune(speed: int, mode: Literal["slow", "fast"], quiet: bool, note: str = "") -> MsgGenerator[None]:
    """Set words, and yes or no."""
    begin(f"tune {speed} {mode} {quiet} {note}")
    yield from bps.null()


def program(ramp: list[float]) -> MsgGenerator[float]:
    """Take a list."""
    begin(f"program {ramp}")
    yield from bps.null()
    return max(ramp)
