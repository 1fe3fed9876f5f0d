"""What an earlier campaign on a related system saves, and what the same costs with its outcomes shuffled.

python -m planner.transfer       play what is not on record
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from labwright.core.problem import Problem
from labwright.core.source import Answer, Source
from labwright.core.space import Categorical, Pool, Space
from labwright.planning.gp import GaussianProcessPlanner
from planner.arena import Run, code_of, keep, on_record, play
from planner.score import Ratio, ratio
from planner.tables import TABLES, Table, read

PLANNER = "transfer"  # the runs stand in a file of their own
CASES = (("buchwald_b", "buchwald_a"), ("buchwald_d", "buchwald_a"), ("photo_pce10", "photo_wf3"))
SEEDS = 20
SHARE = 0.01
KINDS = ("as it is", "shuffled")
HALOGENS = ("Br", "Cl", "I")


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Experiments without a source over those with it, and with its outcomes shuffled over those without."""

    gain: Ratio | None
    cost: Ratio | None
    runs: int


def cases(folder: Path = TABLES) -> list[tuple[Table, Table]]:
    """Return the pairs whose tables are there."""
    return [
        (tabled(folder / a), tabled(folder / b)) for a, b in CASES if (folder / a).exists() and (folder / b).exists()
    ]


def tabled(folder: Path) -> Table:
    """Return a table, an aryl halide named by its halogen: the rest of it is what makes it another campaign."""
    table = read(folder)
    assert table is not None
    space = table.problem.space
    if "aryl_halide" not in space.names or space.pool is None:
        return table
    words = [next(h for h in HALOGENS if h in smiles) for smiles in space.pool.columns["aryl_halide"]]
    renamed = Categorical(name="aryl_halide", levels=HALOGENS)
    parameters = tuple(renamed if p.name == "aryl_halide" else p for p in space.parameters)
    pool = Pool(columns={**space.pool.columns, "aryl_halide": words})
    return replace(table, problem=replace(table.problem, space=Space(parameters=parameters, pool=pool)))


def source_of(table: Table, seed: int | None = None) -> Source:
    """Return all that was measured of a table; with a seed, its outcomes shuffled among its points."""
    pool, outcomes = table.problem.space.pool, np.array(table.outcomes)
    assert pool is not None
    if seed is not None:
        outcomes = np.random.default_rng([seed, len(outcomes)]).permutation(outcomes)
    name = table.problem.objective.name
    answers = (Answer(point=pool.row(i), outcomes={name: float(y)}) for i, y in enumerate(outcomes))
    return Source(name=table.name, answers=tuple(answers))


def play_missing(folder: Path = TABLES) -> None:
    """Play what is not on record of the present code: each case without a source, with it, and with it shuffled."""
    done = {(run.table, run.seed) for run in current()}
    planner = GaussianProcessPlanner()
    for seed in range(SEEDS):
        for source, target in cases(folder):
            for kind in (None, *KINDS):
                called = label(source, target, kind)
                if (called, seed) not in done:
                    keep(play(planner, PLANNER, _posed(source, target, kind, seed), seed))
                    done.add((called, seed))


def _posed(source: Table, target: Table, kind: str | None, seed: int) -> Table:
    known = () if kind is None else (source_of(source, seed if kind == "shuffled" else None),)
    problem: Problem = replace(target.problem, sources=known)
    return replace(target, name=label(source, target, kind), problem=problem)


def label(source: Table, target: Table, kind: str | None) -> str:
    """Return what the runs of a case are called; those without a source belong to every case of their target."""
    return target.name if kind is None else f"{target.name} with {source.name} {kind}"


def current() -> list[Run]:
    """Return the runs on record of the planner as it is now."""
    code = code_of(PLANNER)
    return [run for run in on_record(PLANNER) if run.code == code]


def measured(folder: Path = TABLES) -> Transfer:
    """Return what is on record."""
    runs, known = current(), cases(folder)
    return Transfer(
        gain=_compared(known, runs, None, KINDS[0]), cost=_compared(known, runs, KINDS[1], None), runs=len(runs)
    )


def _compared(
    known: Sequence[tuple[Table, Table]], runs: list[Run], more: str | None, less: str | None
) -> Ratio | None:
    """Return the experiments of one kind over those of the other, by case."""
    tables = [replace(target, name=label(source, target, KINDS[0])) for source, target in known]

    def of(kind: str | None) -> list[Run]:
        named = {label(s, t, kind): [] for s, t in known}
        for source, target in known:
            named[label(source, target, kind)].append(label(source, target, KINDS[0]))
        return [replace(r, table=case) for r in runs for case in named.get(r.table, ())]

    return ratio(tables, of(less), of(more), SHARE)


def needed_on_average(folder: Path = TABLES) -> list[tuple[str, str, float, int]]:
    """Return, of each case and kind, the geometric mean of the experiments to the top 1 %, and of how many runs."""
    found, runs = [], current()
    for source, target in cases(folder):
        good = target.top(SHARE)[1]
        for kind in (None, *KINDS):
            logs = [math.log(r.needed(good)) for r in runs if r.table == label(source, target, kind)]
            if logs:
                case = f"{source.name} to {target.name}"
                found.append((case, kind or "no source", math.exp(np.mean(logs)), len(logs)))
    return found


if __name__ == "__main__":
    play_missing()
