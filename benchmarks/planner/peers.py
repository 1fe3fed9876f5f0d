"""Planners of other libraries, each in the virtual environment that holds them all; and who plays what, and when."""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.console import Console

from planner.arena import LIBRARIES, ROOT

VENV = ROOT / ".peers"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
# What is imported there without being installed: the package, so that the files as they stand are measured.
PATHS = (ROOT / "src", ROOT / "benchmarks")


def environment() -> Path:
    """Return the interpreter of the virtual environment, made where it is not there."""
    python = VENV / "bin" / "python"
    done = VENV / ".installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", REQUIREMENTS, "-e", ROOT], check=True)
        done.touch()
    return python


@cache
def code(planner: str) -> str | None:
    """Return what a planner of another library is there; None where the environment has not been made."""
    if not (VENV / ".installed").exists():
        return None
    command = "import sys; from planner.arena import code_of; print(code_of(sys.argv[1]))"
    done = subprocess.run(
        [VENV / "bin" / "python", "-c", command, planner], env=_environ(), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@dataclass(frozen=True)
class Part:
    """What one process plays: all tables, or all that can be made continuous, with one seed."""

    planner: str
    seed: int
    continuous: bool = False

    def __str__(self) -> str:
        return f"{self.planner}, seed {self.seed}{', continuous' if self.continuous else ''}"


def parts(planners: dict[str, int], *, continuous: bool) -> list[Part]:
    """Return what is to be played by planners with so many seeds each, all of them on one seed before the next."""
    seeds = range(max(planners.values()))
    return [Part(name, seed, continuous) for seed in seeds for name, count in planners.items() if seed < count]


def play_all(wanted: Sequence[Part], screen: Console) -> None:
    """Play what is missing, two planners side by side."""
    environment()
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        futures = {pool.submit(_play, part): part for part in wanted}
        for number, future in enumerate(as_completed(futures), start=1):
            future.result()
            screen.print(f"{number} of {len(wanted)}: {futures[future]}")


def _play(part: Part) -> None:
    python = environment() if part.planner in LIBRARIES else sys.executable
    command = [python, "-m", "planner.arena", part.planner, str(part.seed), str(part.seed + 1)]
    command += ["on"] if part.continuous else []
    subprocess.run(command, env=_environ(), check=True, stdout=subprocess.DEVNULL)


def _environ() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, PATHS))}
