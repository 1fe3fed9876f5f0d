"""How many experiments a belief of where the best lies saves on measured tables, and what a wrong one costs.

    python benchmarks/beliefs.py --json      ten tables, 10 seeds, budget 60

A right belief stands near the table's best row, a wrong one near its worst: of every number a value off by a tenth of
its range, held to 15 % of the range, and of every word a chance of 0.6, in 4 of 10 cases at random. A run
chooses rows, one at a time, until it has found one of the best 1 % (at least one row); one that does not within the
budget counts as budget + 1.
"""

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import statistics
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table as Grid

from labwright.core.belief import Belief
from labwright.core.space import Categorical, Ordinal
from labwright.planning.gp import GaussianProcessPlanner
from planner.arena import observed
from planner.tables import TABLES, read

CHOSEN = (
    "agnp",
    "autoam",
    "crossed_barrel",
    "direct_arylation",
    "fullerenes",
    "hplc",
    "p3ht_cnt",
    "photo_pce10",
    "reizman_suzuki_1",
    "snar",
)
KINDS = ("none", "right", "wrong")
screen = Console(stderr=True)


def first(losses, limit, budget) -> int:
    """Return which loss was the first to reach the limit, from 1; budget + 1 when none did."""
    return next((number for number, loss in enumerate(losses, start=1) if loss <= limit), budget + 1)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run on one table with one kind of belief."""

    folder: Path
    kind: str
    seed: int
    budget: int


def belief_of(parameter, value, rng) -> Belief:
    """Return what somebody believes who has a value in mind, and is not quite right."""
    if isinstance(parameter, Categorical | Ordinal):
        word = str(value) if rng.random() < 0.6 else str(rng.choice(parameter.levels))
        return Belief(parameter=parameter.name, likely={word: 0.6})
    low, high = getattr(parameter, "low", None), getattr(parameter, "high", None)
    low, high = (parameter.values[0], parameter.values[-1]) if low is None else (low, high)
    width = (high - low) or 1.0
    near = float(np.clip(value + 0.1 * width * rng.standard_normal(), low, high))
    return Belief(parameter=parameter.name, near=near, within=0.15 * width)


def beliefs_of(table, kind, seed) -> tuple[Belief, ...]:
    """Return the beliefs about every parameter of a table: near its best row, near its worst, or none."""
    if kind == "none":
        return ()
    rng, space = np.random.default_rng([seed, KINDS.index(kind)]), table.problem.space
    losses = [table.problem.objective.loss(y) for y in table.outcomes]
    row = space.pool.row(int(np.argmin(losses) if kind == "right" else np.argmax(losses)))
    return tuple(belief_of(p, row[p.name], rng) for p in space.parameters)


def run(job: Job) -> tuple[str, str, int]:
    """Play one campaign; return the table, the kind of belief and the experiments needed."""
    table = read(job.folder)
    problem = replace(table.problem, beliefs=beliefs_of(table, job.kind, job.seed))
    limit, losses, history = table.top(0.01)[0], [], []
    for number in range(1, min(job.budget, len(table.outcomes)) + 1):
        (proposal,) = GaussianProcessPlanner().propose(problem, history, [], 1, seed=job.seed)
        history.append(observed(table, number, proposal))
        losses.append(table.problem.objective.loss(table.outcome(proposal.point)))
        if losses[-1] <= limit:
            break
    return table.name, job.kind, first(losses, limit, job.budget)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=TABLES, help="the folder of the measured tables")
    parser.add_argument("--only", nargs="+", default=CHOSEN, help="names of tables")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    return parser.parse_args()


def play(folders, seeds, budget) -> dict[str, dict[str, list[int]]]:
    """Return the experiments needed, by table and kind of belief."""
    jobs = [Job(folder=f, kind=k, seed=s, budget=budget) for f in folders for s in range(seeds) for k in KINDS]
    found = {folder.name: {kind: [] for kind in KINDS} for folder in folders}
    with get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
        for name, kind, needed in track(pool.imap_unordered(run, jobs), "Running", total=len(jobs), console=screen):
            found[name][kind].append(needed)
    return found


def main() -> None:
    """Run, print the table, and the line of figures if it is asked for."""
    chosen = arguments()
    folders = [chosen.tables / name for name in chosen.only if (chosen.tables / name / "meta.json").exists()]
    figures: dict[str, float | None] = {"right_over_none": None, "wrong_over_none": None, "wrong_not_reached": None}
    if folders:
        found = play(folders, chosen.seeds, chosen.budget)
        title = f"Mean experiments to the top 1 %: {chosen.seeds} seeds, budget {chosen.budget}"
        grid = Grid("table", *KINDS, "right / none", "wrong / none", "not reached: none", "wrong", title=title)
        ratios: dict[str, list[float]] = {"right": [], "wrong": []}
        missed = dict.fromkeys(KINDS, 0)
        for name, by_kind in found.items():
            means = {kind: statistics.mean(by_kind[kind]) for kind in KINDS}
            lost = {kind: sum(n > chosen.budget for n in by_kind[kind]) for kind in KINDS}
            for kind in KINDS:
                missed[kind] += lost[kind]
            for kind, some in ratios.items():
                some.append(means[kind] / means["none"])
            cells = [f"{means[k]:.1f}" for k in KINDS] + [f"{some[-1]:.2f}" for some in ratios.values()]
            grid.add_row(name, *cells, str(lost["none"]), str(lost["wrong"]))
        Console(width=120).print(grid)
        for kind, some in ratios.items():
            figures[f"{kind}_over_none"] = round(statistics.geometric_mean(some), 3)
        figures["wrong_not_reached"] = missed["wrong"] - missed["none"]
        print(f"Geometric means over {len(found)} tables; of {chosen.seeds * len(found)} runs each, {missed} missed.")
    else:
        print(f"No measured tables in {chosen.tables}: nothing was run.")
    if chosen.json:
        print(json.dumps({"name": "beliefs", "figures": figures}))


if __name__ == "__main__":
    main()
