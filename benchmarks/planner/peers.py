"""Planners of other libraries, each in the virtual environment that holds them all; and who plays what, and when."""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
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


def play_all(ours: str, our_seeds: int, theirs: Sequence[str], their_seeds: int, screen: Console) -> None:
    """Play what is missing, two planners side by side, all of them on one seed before the next."""
    environment()
    tasks = [(name, seed) for seed in range(their_seeds) for name in (ours, *theirs)]
    tasks += [(ours, seed) for seed in range(their_seeds, our_seeds)]
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        futures = {pool.submit(_play, name, seed): (name, seed) for name, seed in tasks}
        for number, future in enumerate(as_completed(futures), start=1):
            name, seed = futures[future]
            future.result()
            screen.print(f"{number} of {len(tasks)}: {name}, seed {seed}")


def _play(name: str, seed: int) -> None:
    python = environment() if name in LIBRARIES else sys.executable
    command = [python, "-m", "planner.arena", name, str(seed), str(seed + 1)]
    subprocess.run(command, env=_environ(), check=True, stdout=subprocess.DEVNULL)


def _environ() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, PATHS))}
