"""What a campaign loses and saves that stops when the next experiment is expected to gain less than half the noise.

    python benchmarks/stopping.py --json      ten tables, 10 seeds, budget 60

Each run plays a whole budget on a measured table; afterwards it is looked where `stop: {when_gain_below: 0.5 noise}`
would have ended it. A stop is false when the rest of the budget found a result that was better by more than the noise.
The regret is what the table's best row is better than the best found at the stop, as a part of the spread (standard
deviation) of the table.
"""

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import statistics
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table as Grid

from beliefs import CHOSEN
from labwright.core.campaign import StopRule
from labwright.planning.gp import GaussianProcessPlanner
from labwright.planning.stopping import enough, noted
from planner.arena import observed
from planner.tables import TABLES, read

screen = Console(stderr=True)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: the regret after each trial, and what was noted before it: (gain, left, noise), None without."""

    table: str
    spread: float
    budget: int
    losses: tuple[float, ...]
    best: float
    notes: tuple[tuple[float, float, float] | None, ...]
    stops: int | None

    def regret(self, trials: int) -> float:
        """Return how far the best after so many trials is from the table's best."""
        return (min(self.losses[:trials]) - self.best) / self.spread

    @property
    def is_false(self) -> bool:
        """Whether more than the noise was found after the stop."""
        noise = self.notes[self.stops][2]
        return min(self.losses[: self.stops]) - min(self.losses) > noise


def run(job) -> Run:
    """Play one campaign to the end of its budget."""
    folder, seed, budget, factor = job
    table = read(folder)
    rule, history, notes, stops = StopRule(gain=factor, of_noise=True), [], [], None
    budget = min(budget, len(table.outcomes))
    for number in range(1, budget + 1):
        (proposal,) = GaussianProcessPlanner().propose(table.problem, history, [], 1, seed=seed)
        if stops is None and enough(rule, table.problem, history, proposal) is not None:
            stops = number - 1
        found = noted(proposal)
        notes.append(None if found is None else (found.gain, found.left, found.noise))
        history.append(observed(table, number, proposal))
    objective = table.problem.objective
    losses = tuple(objective.loss(t.outcomes[objective.name]) for t in history)
    spread = statistics.pstdev(table.losses)
    return Run(
        table=table.name,
        spread=spread,
        budget=budget,
        losses=losses,
        best=table.losses[0],
        notes=tuple(notes),
        stops=stops,
    )


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=TABLES, help="the folder of the measured tables")
    parser.add_argument("--only", nargs="+", default=CHOSEN, help="names of tables")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--factor", type=float, default=0.5, help="the gain that ends it, in multiples of the noise")
    parser.add_argument("--json", action="store_true", help="end with one line of figures")
    return parser.parse_args()


def play(folders, chosen) -> list[Run]:
    """Play every seed on every table, two at a time."""
    jobs = [(f, s, chosen.budget, chosen.factor) for f in folders for s in range(chosen.seeds)]
    with get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
        return list(track(pool.imap_unordered(run, jobs), "Running", total=len(jobs), console=screen))


def covered(runs) -> float:
    """Return in what share of all moments the bound was no less than the regret."""
    moments = [
        (note[1], run.regret(i) * run.spread) for run in runs for i, note in enumerate(run.notes) if note is not None
    ]
    return sum(left >= regret - 1e-9 for left, regret in moments) / len(moments)


def row(name, runs) -> tuple[list[str], dict[str, float]]:
    """Return the cells of one table, or of all, and its figures."""
    stopped = [r for r in runs if r.stops is not None]
    figures = {
        "stopped": len(stopped) / len(runs),
        "false": sum(r.is_false for r in stopped) / len(runs),
        "saved": statistics.mean(1 - r.stops / r.budget if r.stops is not None else 0.0 for r in runs),
        "regret_at_stop": statistics.mean(r.regret(r.stops or r.budget) for r in runs),
        "regret_at_end": statistics.mean(r.regret(r.budget) for r in runs),
        "bound_holds": covered(runs),
    }
    cells = [f"{100 * v:.0f} %" if k[:6] != "regret" else f"{v:.3f}" for k, v in figures.items()]
    return [name, *cells], figures


def main() -> None:
    """Run, print the table, and the line of figures if it is asked for."""
    chosen = arguments()
    folders = [chosen.tables / name for name in chosen.only if (chosen.tables / name / "meta.json").exists()]
    figures: dict[str, float | None] = {"saved": None, "false": None, "regret_at_stop": None, "regret_at_end": None}
    if folders:
        runs = play(folders, chosen)
        title = (
            f"Stop at gain < {chosen.factor:g} noise: {chosen.seeds} seeds, budget {chosen.budget}; regret in spreads"
        )
        headings = ("table", "stopped", "falsely", "saved", "regret at stop", "at the end", "bound holds")
        grid = Grid(*headings, title=title)
        for folder in folders:
            grid.add_row(*row(folder.name, [r for r in runs if r.table == folder.name])[0])
        cells, found = row("all", runs)
        grid.add_row(*cells)
        figures = {name: round(value, 3) for name, value in found.items()}
        Console(width=120).print(grid)
    else:
        print(f"No measured tables in {chosen.tables}: nothing was run.")
    if chosen.json:
        print(json.dumps({"name": "stopping", "figures": figures}))


if __name__ == "__main__":
    main()
