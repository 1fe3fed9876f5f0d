"""Several processes at work at once, begun together."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parents[1]
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}


def launch(module: str, *words: str, python: str = sys.executable, **options: Any) -> subprocess.Popen[str]:
    """Start a module of this folder in a process of its own."""
    path = os.pathsep.join(filter(None, [str(BENCHMARKS), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [python, "-m", module, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ONE_THREAD | {"PYTHONPATH": path},
        **options,
    )


def work(works: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Have each piece of work done by a process of its own, all begun at one moment; return what they saw."""
    processes: list[subprocess.Popen[str]] = []
    try:
        for one in works:  # one after another: the first makes the tables
            processes.append(launch("engine.process", json.dumps(one)))
            assert processes[-1].stdout is not None
            if processes[-1].stdout.readline() != "ready\n":
                raise RuntimeError(f"A process did not begin: {one}")
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [json.loads(process.communicate(timeout=600)[0]) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def rates(seen: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return what a fleet did: trials a second, and the CPU time of each trial in our processes."""
    trials = sum(len(s["acts"]) for s in seen)
    wall_s = max(s["ended"] for s in seen) - min(s["began"] for s in seen)
    return {
        "trials_per_s": trials / wall_s,
        "cpu_ms": 1000 * sum(s["cpu_s"] for s in seen) / trials,
    }


def overheads(seen: dict[str, Any]) -> dict[str, float]:
    """Return p50 and p95, in ms, of the time from one act's end to the next one's start, and the commits between."""
    acts = seen["acts"]
    between = sorted(1000 * (after[0] - before[1]) for before, after in pairwise(acts))
    return {
        "commits": (acts[-1][2] - acts[0][2]) / (len(acts) - 1),
        "overhead_ms_p50": statistics.median(between),
        "overhead_ms_p95": between[min(int(0.95 * len(between)), len(between) - 1)],
    }


def share(seen: Sequence[dict[str, Any]], for_s: float) -> float:
    """Return the part of its fair share that the slowest of some processes had, while all of them worked."""
    began = max(s["began"] for s in seen)
    counts = [sum(began <= act[1] <= began + for_s for act in s["acts"]) for s in seen]
    return min(counts) * len(counts) / sum(counts)
