"""Planners play campaigns on measured tables; each is kept as one row of a file, so that none is played twice.

python -m planner.arena PLANNER FROM TO       play the seeds FROM to TO - 1 on every table that is not on record
python -m planner.arena PLANNER FROM TO on    the same on the tables made continuous
"""

import ast
import csv
import hashlib
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import numpy as np

from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.planning.planner import Planner
from labwright.plugins import load
from planner.emulator import Emulated, all_emulated
from planner.tables import TABLES, Table, read

ROOT = Path(__file__).resolve().parents[2]
PLANNING = ROOT / "src" / "labwright" / "planning"
RESULTS = ROOT / "benchmarks" / "results"
BUDGET = 60
LIBRARIES = {"ax": "ax-platform", "baybe": "baybe", "botorch": "botorch", "optuna": "optuna"}
ADAPTERS = {"optuna": Path(__file__).with_name("tpe.py")}  # those that are not in the package
SHARED = ("foreign",)  # what the adapters of other libraries have in common
REFUSALS = "refusals"  # says what they do not take; what they play does not depend on it

AnyTable: TypeAlias = Table | Emulated


@dataclass(frozen=True, kw_only=True)
class Run:
    """One campaign. `ranks`: how many rows of the table are better than the best so far, wherever that changed.

    `code` says what played: other code is another planner. `area` lies under the curve of the best so far, from 1 (as
    good as the median row, all the way) to 0 (the best row at once). It ends at the best row, or with the budget.
    """

    planner: str
    code: str
    table: str
    seed: int
    budget: int
    trials: int
    ranks: str
    area: float
    cpu_s: float

    def needed(self, good: int) -> int:
        """Return the experiments up to one of the `good` best rows; budget + 1 when it did not get there."""
        for change in self.ranks.split():
            number, _, better = change.partition(":")
            if int(better) < good:
                return int(number)
        return self.budget + 1


def code_of(planner: str) -> str:
    """Return what a planner's choices depend on: the version of its library, and a digest of the code of its own.

    Comments, docstrings and layout are not code.
    """
    if library := LIBRARIES.get(planner):
        own = [ADAPTERS[planner]] if planner in ADAPTERS else [PLANNING / f"{name}.py" for name in (planner, *SHARED)]
        return f"{library} {version(library)} {digest(own)}"
    rooms = [PLANNING, PLANNING.parent / "inference"]
    foreign = (*LIBRARIES, *SHARED, REFUSALS)
    own = (file for room in rooms for file in sorted(room.glob("*.py")) if file.stem not in foreign)
    return f"labwright {digest(own)}"


def digest(files: Iterable[Path]) -> str:
    """Return twelve hexadecimal digits of what the modules do."""
    return hashlib.sha256("".join(_bare(file) for file in files).encode()).hexdigest()[:12]


def _bare(file: Path) -> str:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def play(planner: Planner, name: str, table: AnyTable, seed: int, budget: int = BUDGET) -> Run:
    """Play one campaign until the best row is found or the budget is spent."""
    objective, start = table.problem.objective, time.process_time()
    losses: list[float] = []
    history: list[Trial] = []
    while len(history) < min(budget, len(table.losses)) and not (losses and losses[-1] <= table.losses[0]):
        (proposal,) = planner.propose(table.problem, history, [], 1, seed=seed)
        history.append(observed(table, len(history) + 1, proposal))
        losses.append(objective.loss(table.outcome(proposal.point)))
    return Run(
        planner=name,
        code=code_of(name),
        table=table.name,
        seed=seed,
        budget=budget,
        trials=len(losses),
        ranks=ranks(table, losses),
        area=round(area(table, losses, budget), 5),
        cpu_s=round(time.process_time() - start, 2),
    )


def observed(table: AnyTable, number: int, proposal: Proposal) -> Trial:
    """Return the trial of a proposal, its outcome read from the table."""
    outcomes = {table.problem.objective.name: table.outcome(proposal.point)}
    return Trial(number=number, proposal=proposal, state=TrialState.OBSERVED, outcomes=outcomes)


def ranks(table: AnyTable, losses: list[float]) -> str:
    """Return `number:rank` for each trial after which fewer rows are better than the best so far."""
    found = np.searchsorted(table.losses, np.minimum.accumulate(losses))
    changed = [i for i in range(len(found)) if i == 0 or found[i] < found[i - 1]]
    return " ".join(f"{i + 1}:{found[i]}" for i in changed)


def area(table: AnyTable, losses: list[float], budget: int) -> float:
    """Return the mean over the budget of how far the best so far is from the best row, the median row being at 1."""
    best = np.minimum.accumulate(losses)
    whole = np.concatenate([best, np.full(max(budget - len(best), 0), best[-1])])
    span = float(np.median(table.losses)) - table.losses[0]
    return float(np.mean(whole - table.losses[0]) / (span or 1.0))


def file_of(planner: str) -> Path:
    """Return the file that keeps a planner's runs."""
    return RESULTS / f"planner-{planner}.csv"


def on_record(planner: str) -> list[Run]:
    """Return the runs of a planner that are on record, of whatever code."""
    if not file_of(planner).exists():
        return []
    with file_of(planner).open(newline="", encoding="utf-8") as file:
        kinds = {f.name: f.type for f in fields(Run)}
        return [Run(**{name: kinds[name](value) for name, value in row.items()}) for row in csv.DictReader(file)]


def keep(run: Run) -> None:
    """Write a run behind the others."""
    file = file_of(run.planner)
    file.parent.mkdir(exist_ok=True)
    new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, [f.name for f in fields(Run)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(run))


def missing(planner: str, seeds: range, tables: Iterable[AnyTable]) -> Iterator[tuple[AnyTable, int]]:
    """Yield what a planner has still to play: all tables of a seed before the next seed."""
    code = code_of(planner)
    played = {(r.table, r.seed) for r in on_record(planner) if r.code == code and r.budget == BUDGET}
    tables = list(tables)
    return ((table, seed) for seed in seeds for table in tables if (table.name, seed) not in played)


def all_tables(folder: Path = TABLES) -> list[Table]:
    """Return the tables of a folder from which something can be learned."""
    return [table for meta in sorted(folder.glob("*/meta.json")) if (table := read(meta.parent)) is not None]


def planner_of(name: str) -> Planner:
    """Return a planner by its name, as a campaign does; Optuna is no planner of campaigns."""
    if name in ADAPTERS:
        from planner.tpe import OptunaPlanner

        return OptunaPlanner()
    planner: Planner = load("labwright.planners", name)()
    return planner


def main() -> None:
    """Play what is asked for on the command line."""
    name, first, last, *continuous = sys.argv[1:]
    tables = all_emulated() if continuous else all_tables()
    for table, seed in missing(name, range(int(first), int(last)), tables):
        keep(play(planner_of(name), name, table, seed))


if __name__ == "__main__":
    main()
