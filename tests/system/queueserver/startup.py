"""What the RE Worker of the tests can do; each plan writes to a file what it physically begins."""

import json
import os
import typing
from pathlib import Path

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
from bluesky import RunEngine
from bluesky_queueserver import parameter_annotation_decorator

RE = RunEngine({})
FOLDER = Path(os.environ["OVEN"])


def begin(what):
    with (FOLDER / "begun").open("a") as file:
        file.write(f"{what}\n")


@parameter_annotation_decorator({"parameters": {"x": {"min": 0, "max": 200}}})
def double(x: float):
    begin(f"double {x:g}")
    if x == 13:
        raise RuntimeError("the door is open")
    yield from bps.null()
    (FOLDER / "last.json").write_text(json.dumps({"y": 2 * x, "shape": {"peak": x}}))


def heat(target: float, seconds: float = 0.1):
    begin(f"heat {target:g}")

    @bpp.run_decorator(md={"target": target})
    def inner():
        for _ in range(10):
            yield from bps.checkpoint()
            yield from bps.sleep(seconds / 10)

    yield from inner()
    (FOLDER / "last.json").write_text(json.dumps({"reached": target}))


@parameter_annotation_decorator(
    {
        "parameters": {
            "mode": {"annotation": "Modes", "enums": {"Modes": ["slow", "fast"]}},
        }
    }
)
def tune(speed: int, mode: str, quiet: bool, anything=None, note: str = ""):
    begin(f"tune {speed} {mode} {quiet} {anything} {note}")
    yield from bps.null()


def program(ramp: typing.List[float], *rest, factor: float = 1):  # noqa: UP006
    begin(f"program {ramp} {rest} {factor:g}")
    yield from bps.null()


def last_values(run_uids):
    if (FOLDER / "mute").exists():
        raise RuntimeError("the detector is mute")
    return {"runs": len(run_uids), **json.loads((FOLDER / "last.json").read_text())}
