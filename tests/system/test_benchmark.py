"""The benchmark of the engine runs, in small; no timing is asserted."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_small_round_gives_every_figure_a_number_or_null():
    command = [sys.executable, ROOT / "benchmarks" / "engine.py", "--quick", "--json", "--only", "fsync", "sqlite"]

    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()

    found = json.loads(told[-1])
    assert found["name"] == "engine"
    assert found["figures"]["commits_per_trial"] <= 3
    measured = {name for name, value in found["figures"].items() if value is not None}
    assert measured == {
        "commits_per_trial",
        "fsync_ms_p50",
        "overhead_ms_p50",
        "overhead_ms_p95",
        "sqlite_trials_per_s",
    }
    assert len(found["figures"]) == 19
