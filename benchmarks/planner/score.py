"""How many fewer experiments: ratios of runs with the same seed on the same table, and how sure they are."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from planner.arena import AnyTable, Run

DRAWS = 2000
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A geometric mean over tables, with its interval; over 1 is ours better. `by_table` are the tables' own."""

    mean: float
    low: float
    high: float
    by_table: dict[str, float]


def experiments(table: AnyTable, share: float) -> Callable[[Run], float]:
    """Return what a run needed to a row of the best `share`; of the best row alone where the share is 0."""
    good = table.top(share)[1]
    return lambda run: run.needed(good)


def ratio(tables: Sequence[AnyTable], ours: Sequence[Run], theirs: Sequence[Run], share: float) -> Ratio | None:
    """Return theirs over ours, each pair of the same table and seed; None when there is no pair.

    The interval is a paired bootstrap: tables are drawn with replacement, and in each the seeds.
    """
    logs = {t.name: _logs(experiments(t, share), _of(ours, t), _of(theirs, t)) for t in tables}
    logs = {name: found for name, found in logs.items() if len(found)}
    if not logs:
        return None
    rng, columns = np.random.default_rng(0), list(logs.values())
    draws = [
        np.mean([rng.choice(columns[i], len(columns[i])).mean() for i in rng.integers(len(columns), size=len(columns))])
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Ratio(
        mean=math.exp(np.mean([found.mean() for found in columns])),
        low=math.exp(low),
        high=math.exp(high),
        by_table={name: math.exp(found.mean()) for name, found in logs.items()},
    )


def _of(runs: Sequence[Run], table: AnyTable) -> dict[int, Run]:
    return {run.seed: run for run in runs if run.table == table.name}


def _logs(needed: Callable[[Run], float], ours: dict[int, Run], theirs: dict[int, Run]) -> np.ndarray:
    return np.array([math.log(needed(theirs[seed]) / needed(ours[seed])) for seed in sorted(ours.keys() & theirs)])


def random_mean(rows: int, good: int, budget: int) -> float:
    """Return the expected experiments of random choice without replacement, E[min(T, budget + 1)], exactly."""
    return sum(math.comb(rows - good, t) / math.comb(rows, t) if t <= rows else 0.0 for t in range(budget + 1))
