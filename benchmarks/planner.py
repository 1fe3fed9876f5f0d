"""How many experiments the planner needs on measured tables, against exact random choice.

    python benchmarks/planner.py --quick --json      all tables, 5 seeds, budget 40

A run chooses rows of a table, one at a time, until it has found a row of the best 5 % and of the best 1 % (at least
one row). A run that does not get there within the budget counts as budget + 1, for random choice as well.
"""

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import math
import statistics
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table as Grid

from labwright.core.states import TrialState
from labwright.core.trial import Trial
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.sampling import SamplingPlanner
from tables import NOTHING_TO_LEARN, TABLES, Table, read

SHARES = (0.05, 0.01)
SPEED = "crossed_barrel"
screen = Console(stderr=True)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of the planner on one table."""

    folder: Path
    seed: int
    budget: int


@dataclass(frozen=True, kw_only=True)
class Score:
    """How many experiments a run, or random choice, needed to the top 5 % and to the top 1 %."""

    table: str
    needed: tuple[float, ...]


def run(job: Job) -> Score:
    """Play one campaign on a table until the top 1 % is found or the budget is spent."""
    table = read(job.folder)
    assert table is not None
    limits = [table.top(share)[0] for share in SHARES]
    losses: list[float] = []
    history: list[Trial] = []
    for number in range(1, min(job.budget, len(table.outcomes)) + 1):
        (proposal,) = GaussianProcessPlanner().propose(table.problem, history, [], 1, seed=job.seed)
        history.append(observe(table, number, proposal))
        losses.append(table.problem.objective.loss(table.outcome(proposal.point)))
        if losses[-1] <= min(limits):
            break
    return Score(table=table.name, needed=tuple(first(losses, limit, job.budget) for limit in limits))


def observe(table, number, proposal):
    """Return the trial of a proposal, its outcome read from the table."""
    outcomes = {table.problem.objective.name: table.outcome(proposal.point)}
    return Trial(number=number, proposal=proposal, state=TrialState.OBSERVED, outcomes=outcomes)


def first(losses, limit, budget) -> int:
    """Return which loss was the first to reach the limit, from 1; budget + 1 when none did."""
    return next((number for number, loss in enumerate(losses, start=1) if loss <= limit), budget + 1)


def survival(rows, good, budget) -> list[float]:
    """Return, for t = 0 to budget, the chance that t rows drawn without replacement hold none of the good ones."""
    return [math.comb(rows - good, t) / math.comb(rows, t) if t <= rows else 0.0 for t in range(budget + 1)]


def random_mean(rows, good, budget) -> float:
    """Return the expected experiments of random choice, E[min(T, budget + 1)], exactly."""
    return sum(survival(rows, good, budget))


def random_median(rows, good, budget) -> int:
    """Return the median experiments of random choice: the least t with P(T <= t) >= 1/2; at most budget + 1."""
    return next((t for t, chance in enumerate(survival(rows, good, budget)) if chance <= 0.5), budget + 1)


def ask_cpu_ms(table: Table, observations: int = 50, repeats: int = 9) -> float:
    """Return the median CPU time, in ms, of one choice after so many observations of sampled rows."""
    spread = SamplingPlanner().propose(table.problem, [], [], observations, seed=0)
    history = [observe(table, number, proposal) for number, proposal in enumerate(spread, start=1)]
    times = []
    for seed in range(repeats + 1):
        start = time.process_time()
        GaussianProcessPlanner().propose(table.problem, history, [], 1, seed=seed)
        times.append(1000 * (time.process_time() - start))
    # The first loads what is loaded once.
    return statistics.median(times[1:])


def show(table: Table, scores: list[Score], budget: int, grid: Grid) -> float:
    """Add a table's line to the grid; return random over ours to the top 1 %, means of experiments."""
    cells, ratios = [], []
    for column, share in enumerate(SHARES):
        ours = [score.needed[column] for score in scores]
        rows, good = len(table.outcomes), table.top(share)[1]
        chance = random_mean(rows, good, budget)
        ratios.append(chance / statistics.mean(ours))
        cells += [f"{statistics.median(ours):g}", str(random_median(rows, good, budget))]
        cells += [f"{statistics.mean(ours):.1f}", f"{chance:.1f}", f"{ratios[-1]:.2f}"]
    grid.add_row(table.name, str(len(table.outcomes)), *cells)
    return ratios[-1]


def empty_grid(seeds, budget) -> Grid:
    """Return the grid with its headings."""
    grid = Grid(title=f"Experiments needed: {seeds} seeds, budget {budget}, not reached = {budget + 1}")
    grid.add_column("table")
    grid.add_column("rows", justify="right")
    for share in SHARES:
        for heading in ("median gp", "random", "mean gp", "random", "ratio"):
            grid.add_column(f"{heading}\ntop {share:.0%}", justify="right")
    return grid


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=TABLES, help="the folder of the measured tables")
    parser.add_argument("--only", nargs="+", help="names of tables")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="5 seeds, budget 40")
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.seeds, chosen.budget = 5, 40
    return chosen


def found(folder: Path, only: list[str] | None) -> dict[Path, Table]:
    """Return the tables of a folder; say which are left out, and why."""
    tables = {}
    for meta in sorted(folder.glob("*/meta.json")):
        if only and meta.parent.name not in only:
            continue
        table = read(meta.parent)
        if table is None:
            screen.print(f"{meta.parent.name} is left out: {NOTHING_TO_LEARN}.")
        else:
            tables[meta.parent] = table
    return tables


def play(tables: dict[Path, Table], seeds: int, budget: int) -> list[Score]:
    """Run every seed on every table, two at a time."""
    jobs = [Job(folder=folder, seed=seed, budget=budget) for folder in tables for seed in range(seeds)]
    with get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
        runs = pool.imap_unordered(run, jobs)
        return list(track(runs, "Running", total=len(jobs), console=screen))


def main() -> None:
    """Run, print the table, and the line of figures if it is asked for."""
    chosen = arguments()
    tables = found(chosen.tables, chosen.only)
    figures: dict[str, float | None] = {"ask_cpu_ms_n50": None, "random_over_gp_top1": None}
    if tables:
        scores = play(tables, chosen.seeds, chosen.budget)
        grid = empty_grid(chosen.seeds, chosen.budget)
        ratios = [show(t, [s for s in scores if s.table == t.name], chosen.budget, grid) for t in tables.values()]
        figures["random_over_gp_top1"] = round(statistics.geometric_mean(ratios), 3)
        Console(width=140).print(grid)
        report(tables, figures)
    else:
        print(f"No measured tables in {chosen.tables}: nothing was run.")
    if chosen.json:
        print(json.dumps({"name": "planner", "figures": figures}))


def report(tables: dict[Path, Table], figures: dict[str, float | None]) -> None:
    """Measure the time of one choice, and say what the figures mean."""
    print(
        f"random_over_gp_top1 = {figures['random_over_gp_top1']}: the geometric mean over {len(tables)} tables of the "
        "expected experiments of random choice over our mean experiments, to the first row of the top 1 %."
    )
    timed = next((t for t in tables.values() if t.name == SPEED), None)
    if timed is None:
        print(f"ask_cpu_ms_n50 was not measured: the table {SPEED} is not there.")
        return
    figures["ask_cpu_ms_n50"] = round(ask_cpu_ms(timed), 1)
    print(f"ask_cpu_ms_n50 = {figures['ask_cpu_ms_n50']} ms of CPU for one choice after 50 observations of {SPEED}.")


if __name__ == "__main__":
    main()
