"""The whole example: start the cell, run the campaign, and compare what it found with the best constant current."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from cell import Cell, ensure_cell
from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from compare import Judged

HERE = Path(__file__).resolve().parent
CAMPAIGN_FILE, CAMPAIGN = HERE / "campaign.yaml", "fast-charge"
CONSTANT, PICTURE = HERE / "output" / "constant.json", HERE / "output" / "fast_charge.png"
FINISHED = (0, 5)  # exit codes: finished; finished, but some trials failed


def main() -> None:
    """Run it to its end; run again, it shows the answer."""
    console, environment = Console(), dict(os.environ)
    if not _best():
        with console.status("Starting the simulated cell, an OPC UA server in a process of its own"):
            endpoint = ensure_cell(Cell(folder=HERE / "cell"))
        console.print(f"The cell listens at {endpoint.url}\n")
        environment["LABWRIGHT_URLS"] = json.dumps({"cell": endpoint.url})
    command = [sys.executable, "-m", "labwright", "run", _shown(CAMPAIGN_FILE)]  # as the caller would type it
    run = subprocess.run(command, env=environment, check=False)
    if run.returncode not in FINISHED:
        raise SystemExit(run.returncode)
    best = _best()
    if best is None:
        raise SystemExit("No charge kept all limits, so there is nothing to compare.")
    _compare(console, best)


def _best() -> dict[str, Any] | None:
    """Return the best trial of the finished campaign, or None."""
    if not (HERE / "labwright.db").exists():
        return None
    finished = [c for c in _asked("status") if c["name"] == CAMPAIGN and c["state"] == "finished"]
    return finished[0]["best"] if finished else None


def _compare(console: Console, best: dict[str, Any]) -> None:
    from answer import print_answer
    from plots import draw

    found, constant = _judged(console, best["proposal"]["point"])
    print_answer(console, best["id"], found, constant)
    if not PICTURE.exists() or PICTURE.stat().st_mtime < (HERE / "labwright.db").stat().st_mtime:
        draw(PICTURE, _minutes_within_limits(), found, constant)
    _print_next(console, best["id"])


def _asked(*words: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "labwright", *words, "--json"]
    return json.loads(subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _judged(console: Console, point: dict[str, float]) -> "list[Judged]":
    from compare import Protocol, fastest_constant, judge

    found = Protocol(currents=tuple(point[f"current_{part}"] for part in (1, 2, 3)), chamber=point["chamber"])
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("Constant currents from 3C downwards, in every chamber", total=None)
        constant = fastest_constant(CONSTANT, lambda tried, of: progress.update(task, completed=tried, total=of))
    return judge([found, constant])


def _minutes_within_limits() -> list[float]:
    """Return the minutes of every trial, NaN where one did not keep the campaign's limits."""
    limits = yaml.safe_load(CAMPAIGN_FILE.read_text())["constraints"]
    return [_minutes(trial["outcomes"], limits) for trial in _asked("trials", CAMPAIGN)]


def _minutes(outcomes: dict[str, float], limits: dict[str, dict[str, float]]) -> float:
    for name, limit in limits.items():
        value = outcomes.get(name, math.nan)
        if not limit.get("at_least", -math.inf) <= value <= limit.get("at_most", math.inf):
            return math.nan
    return outcomes["minutes"]


def _print_next(console: Console, trial: str) -> None:
    """Print what to look at next, besides what the run itself has named."""
    labwright, number = _shown(Path(sys.executable).parent / "labwright"), trial.rpartition("/")[2]
    console.print("\nLook next:")
    for what, where in (
        ("the picture", _shown(PICTURE)),
        ("why this charge was chosen", f"{labwright} show {_shown(CAMPAIGN_FILE)}/{number}"),
        ("how it works", "docs/tutorials/fast-charge.md"),
    ):
        console.print(f"  {what:28}{where}", highlight=False, soft_wrap=True)


def _shown(path: Path) -> str:
    """Return a path as it is typed from here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


if __name__ == "__main__":
    main()
