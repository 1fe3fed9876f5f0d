"""How fast the engine is, how fair, how soon it is back, and what kills and crashes do to it.

    python benchmarks/engine.py --quick          one small round, now
    python benchmarks/engine.py --run            the whole measurement into benchmarks/results; goes on where it was
    python benchmarks/engine.py --json           the newest complete run, and one line of figures

What each figure is stands in docs/explanation/engine-evidence.md.
"""

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from engine.parts import FULL, ON_POSTGRES, ONCE, QUICK, ROUNDS, Bench, Size
from engine.results import NoResult, Results, commit
from labwright.core.errors import PlatformError
from labwright.testing.postgres import PrivateServer

screen = Console(stderr=True)

# Each figure: its part, its number there, how many digits, what it is, and its target.
FIGURES = {
    "sqlite_trials_per_s": ("sqlite", "trials_per_s", 1, "trials/s, SQLite, 1 process", ">= 100"),
    "postgres_trials_per_s_1": ("postgres_1", "trials_per_s", 1, "trials/s, PostgreSQL, 1 process", ""),
    "postgres_trials_per_s_8": ("postgres_8", "trials_per_s", 1, "trials/s, PostgreSQL, 8 processes", ">= 300"),
    "repeatable_trials_per_s": ("repeatable", "trials_per_s", 1, "trials/s, repeatable, 64 in flight", ">= 1000"),
    "commits_per_trial": ("sqlite", "commits", 2, "commits a trial", "<= 3"),
    "fsync_ms_p50": ("fsync", "ms", 3, "ms, fsync of 4 KiB", ""),
    "overhead_ms_p50": ("sqlite", "overhead_ms_p50", 2, "ms from act to act, p50", "<= 10"),
    "overhead_ms_p95": ("sqlite", "overhead_ms_p95", 2, "ms from act to act, p95", "<= 10"),
    "restart_s": ("restart", "s", 3, "s from opening to the first dispatch", "<= 0.2"),
    "idle_over_bound": ("idle", "over_bound", 4, "idle over the bound, simulated", "<= 0.05"),
    "fair_share_min": ("writers", "share", 2, "of its fair share, the slowest of 4 writers", ">= 0.5"),
    "sim_schedules": ("simulation", "sim_schedules", 0, "simulated crash schedules", ""),
    "sim_repeated": ("simulation", "sim_repeated", 0, "of them repeated an act", "0"),
    "sim_lost": ("simulation", "sim_lost", 0, "of them lost a result", "0"),
    "naive_repeated": ("simulation", "naive_repeated", 0, "repeated in naive mode", "> 0"),
    "kills": ("kills", "kills", 0, "times killed", ""),
    "kills_repeated": ("kills", "repeated", 0, "acts repeated after kills", "0"),
    "kills_lost": ("kills", "lost", 0, "results lost after kills", "0"),
    "dbos_repeated": ("peer", "dbos_repeated", 0, "acts that DBOS repeated on the same work", ""),
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one small round, without writing anything down")
    parser.add_argument("--run", action="store_true", help="fill benchmarks/results")
    parser.add_argument("--only", nargs="+", choices=[*ROUNDS, *ONCE], help="parts to measure, with --quick")
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    return parser.parse_args()


@contextmanager
def opened(size: Size) -> Iterator[Bench]:
    """Give a bench, with a PostgreSQL server that writes to disk as it should, where there is one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="engine-")))
        server = None
        try:
            server = stack.enter_context(PrivateServer(fsync=True))
        except PlatformError as error:
            screen.print(f"Without PostgreSQL: {error}")
        yield Bench(folder, server, size)


def measure(results: Results, size: Size, only: list[str] | None) -> None:
    """Measure what is still to be measured; what cannot run is said and left out."""
    left_out: dict[str, str] = results.found.setdefault("left_out", {})
    with opened(size) as bench:
        todo = [(n, f, i) for i in range(size.rounds) for n, f in ROUNDS.items()] + [(n, f, 0) for n, f in ONCE.items()]
        for name, part, number in todo:
            if (only and name not in only) or len(results.rounds(name)) > number:
                continue
            if bench.server is None and name in ON_POSTGRES:
                left_out[name] = "there is no PostgreSQL server"
                continue
            screen.print(f"Round {number + 1} of {size.rounds if name in ROUNDS else 1}: {name}")
            try:
                results.add(name, part(bench))
                left_out.pop(name, None)
            except (OSError, RuntimeError, subprocess.SubprocessError, PlatformError) as error:
                left_out[name] = str(error)


def values(results: Results, figure: str) -> list[float]:
    """Return what was measured for a figure, one number for each round."""
    part, name, _, _, _ = FIGURES[figure]
    found = [r[name] for r in results.rounds(part)]
    return [statistics.median(v) if isinstance(v, list) else v for v in found]


def figures(results: Results) -> dict[str, float | int | None]:
    """Return the median of each figure; null where nothing was measured."""
    found: dict[str, float | int | None] = {}
    for figure, (_, _, digits, _, _) in FIGURES.items():
        measured = values(results, figure)
        found[figure] = None if not measured else round(statistics.median(measured), digits or None)
    return found


def show(results: Results) -> None:
    """Print the table, the CPU time beside the wall time, and what is not there."""
    grid = Table(title=f"The engine, {results.found.get('commit', 'as it stands')}")
    for heading in ("figure", "median", "least", "most", "what it is", "target"):
        grid.add_column(heading, justify="right" if heading in ("median", "least", "most") else "left")
    for figure, (_, _, digits, words, target) in FIGURES.items():
        measured = values(results, figure)
        told = [f"{f(measured):.{digits}f}" for f in (statistics.median, min, max)] if measured else ["null", "", ""]
        grid.add_row(figure, *told, words, target)
    Console(width=130).print(grid)
    for part in ("sqlite", "repeatable", "writers", "postgres_1", "postgres_8"):
        if rounds := results.rounds(part):
            cpu = statistics.median(r["cpu_ms"] for r in rounds)
            print(f"{part}: {cpu:.2f} ms of CPU for each trial in our processes, {len(rounds)} rounds.")
    for told in results.rounds("peer"):
        words = (
            "{ours_kills} kills of our process on the work that DBOS did: {ours_repeated} repeated, {ours_lost} lost."
        )
        print(words.format(**told))
    for told in results.rounds("kills"):
        print("Of {kills} kills, {in_act} came in an act; {unknown} runs became unknown.".format(**told))
    for part, why in results.found.get("left_out", {}).items():
        print(f"{part} was not measured: {why}")


def chosen_results(chosen: argparse.Namespace) -> Results:
    """Measure, or find what was measured."""
    if chosen.quick:
        with tempfile.TemporaryDirectory() as folder:
            results = Results(Path(folder) / "engine.json")
            measure(results, QUICK, chosen.only)
            return results
    if chosen.run:
        results = Results.of(commit())
        results.found.setdefault("machine", {"processors": os.cpu_count(), "python": sys.version.split()[0]})
        measure(results, FULL, None)
        results.found["ended_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        results.save()
        return results
    return Results.newest()


def main() -> None:
    """Measure or look up, show, and end with the line of figures if it is asked for."""
    chosen = arguments()
    try:
        results = chosen_results(chosen)
    except NoResult as error:
        sys.exit(str(error))
    show(results)
    if chosen.json:
        line = {"name": "engine", "figures": figures(results)}
        if "commit" in results.found:
            line["commit"] = results.found["commit"]
        print(json.dumps(line))


if __name__ == "__main__":
    main()
