"""What an earlier campaign on a related system saves, and what the same costs with its outcomes shuffled.

python -m planner.transfer       play what is not on record
"""

import math
from collections.abc import Callable, Sequence
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
AS_IS, SHUFFLED, APART = "as it is", "shuffled", "without what they share"
SHARING = {"photo_pce10": "photo_wf3"}  # 65 outcomes are equal in both, 7 of the 10 best among them: an error upstream
HALOGENS = ("Br", "Cl", "I")


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Experiments without a source over those with it, and with its outcomes shuffled over those without.

    `apart`: the gain where a source does not know the outcomes that both tables share by error.
    """

    gain: Ratio | None
    apart: Ratio | None
    cost: Ratio | None
    missing: int


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


def source_of(source: Table, target: Table, kind: str, seed: int) -> Source:
    """Return what was measured of a table, as a source of a kind."""
    pool, outcomes = source.problem.space.pool, np.array(source.outcomes)
    assert pool is not None
    if kind == SHUFFLED:
        outcomes = np.random.default_rng([seed, len(outcomes)]).permutation(outcomes)
    name, points = source.problem.objective.name, [pool.row(i) for i in range(len(outcomes))]
    known = [(p, float(y)) for p, y in zip(points, outcomes, strict=True)]
    if kind == APART:
        known = [(p, y) for p, y in known if target.measured.get(tuple(p.values())) != y]
    return Source(name=source.name, answers=tuple(Answer(point=p, outcomes={name: y}) for p, y in known))


def kinds(source: Table) -> tuple[str | None, ...]:
    """Return what a case is played with: no source, and each kind of it."""
    return (None, AS_IS, SHUFFLED, *([APART] if source.name in SHARING else []))


def wanted(folder: Path = TABLES) -> list[tuple[int, Table, Table, str | None]]:
    """Return every run that there is to be: its seed, the source, the target and the kind; no name twice."""
    every = [(s, a, b, kind) for s in range(SEEDS) for a, b in cases(folder) for kind in kinds(a)]
    return list({(s, label(a, b, kind)): (s, a, b, kind) for s, a, b, kind in every}.values())


def play_missing(folder: Path = TABLES) -> None:
    """Play what is not on record of the present code."""
    done, planner = {(run.table, run.seed) for run in current()}, GaussianProcessPlanner()
    for seed, source, target, kind in wanted(folder):
        if (label(source, target, kind), seed) not in done:
            known = () if kind is None else (source_of(source, target, kind, seed),)
            problem: Problem = replace(target.problem, sources=known)
            keep(play(planner, PLANNER, replace(target, name=label(source, target, kind), problem=problem), seed))


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
    best = {source.name: kinds(source)[-1] if source.name in SHARING else AS_IS for source, _ in known}
    done = {(run.table, run.seed) for run in runs}
    return Transfer(
        gain=_over(known, runs, lambda source: None, lambda source: AS_IS),
        apart=_over(known, runs, lambda source: None, lambda source: best[source.name]),
        cost=_over(known, runs, lambda source: SHUFFLED, lambda source: None),
        missing=sum((label(a, b, kind), seed) not in done for seed, a, b, kind in wanted(folder)),
    )


Kind = Callable[[Table], str | None]


def _over(known: Sequence[tuple[Table, Table]], runs: Sequence[Run], more: Kind, less: Kind) -> Ratio | None:
    """Return the experiments with one kind of each source over those with another, by case."""
    tables = [replace(target, name=f"{source.name} to {target.name}") for source, target in known]

    def of(kind: Kind) -> list[Run]:
        named = [(label(a, b, kind(a)), table.name) for (a, b), table in zip(known, tables, strict=True)]
        return [replace(run, table=case) for called, case in named for run in runs if run.table == called]

    return ratio(tables, of(less), of(more), SHARE)


def needed(folder: Path = TABLES) -> list[tuple[str, str, float]]:
    """Return of each case and kind the geometric mean of the experiments to the top 1 %."""
    found, runs = [], current()
    for source, target in cases(folder):
        good = target.top(SHARE)[1]
        for kind in kinds(source):
            logs = [math.log(r.needed(good)) for r in runs if r.table == label(source, target, kind)]
            if logs:
                found.append((f"{source.name} to {target.name}", kind or "no source", math.exp(np.mean(logs))))
    return found


if __name__ == "__main__":
    play_missing()
