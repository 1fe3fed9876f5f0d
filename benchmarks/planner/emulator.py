"""Measured tables made continuous: any point of their range may be tried, and an emulator says what would be measured.

In a table, planners that have no candidate pools are given the row nearest to the point that they chose. Here they get
what they ask for.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import qmc

from labwright.core.problem import Problem
from labwright.core.space import Continuous, Discrete, Space
from labwright.core.values import Point
from planner.tables import TABLES, Table, read

SUFFIX = " (continuous)"
POINTS = 2**14  # spread over the space: the rows that a table would have
WIDTHS = np.geomspace(1, 5, 12)  # times the median distance of a row to the nearest: narrower ones make steps
FAITHFUL = 0.4  # of the differences between rows must an emulator explain, each row predicted from the others


@dataclass(frozen=True, kw_only=True, eq=False)
class Emulated:
    """A table whose outcomes are averaged with weights that fall off as a normal curve (Nadaraya 1964, Watson 1964).

    It has no model in common with any of the planners, is smooth, and never leaves the range of what was measured.
    `x` (n, d) are the rows, scaled to [0, 1]; `width` of the curve in those units.
    """

    name: str
    problem: Problem
    x: np.ndarray
    outcomes: np.ndarray
    width: float
    explained: float

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest value of each parameter."""
        parameters = self.problem.space.parameters
        return np.array([p.low for p in parameters]), np.array([p.high for p in parameters])

    def outcome(self, point: Point) -> float:
        """Return what would be measured at a point."""
        low, high = self.ends
        row = (np.array([float(point[name]) for name in self.problem.space.names]) - low) / (high - low)
        return float(smoothed(row[None], self.x, self.outcomes, self.width)[0])

    @cached_property
    def losses(self) -> list[float]:
        """The loss at points spread evenly over the space, the best first."""
        rows = qmc.Sobol(self.x.shape[1], seed=0).random(POINTS)
        parts = np.array_split(rows, 64)
        found = np.concatenate([smoothed(part, self.x, self.outcomes, self.width) for part in parts])
        return sorted(self.problem.objective.loss(float(y)) for y in found)

    def top(self, share: float) -> tuple[float, int]:
        """Return the loss that the best `share` of the points reach, and how many reach it."""
        limit = self.losses[max(1, round(share * len(self.losses))) - 1]
        return limit, sum(loss <= limit for loss in self.losses)


def smoothed(
    points: np.ndarray, x: np.ndarray, y: np.ndarray, width: float, *, without_own: bool = False
) -> np.ndarray:
    """Return the weighted average of `y` (n,) at points (m, d), leaving out row i for point i where asked."""
    away = ((points[:, None] - x) ** 2).sum(axis=2) / (2 * width**2)
    if without_own:
        np.fill_diagonal(away, np.inf)
    # Far from every row the nearest still has a weight.
    weights = np.exp(away.min(axis=1, keepdims=True) - away)
    result: np.ndarray = weights @ y / weights.sum(axis=1)
    return result


def emulate(table: Table) -> Emulated | None:
    """Return a table made continuous; None where a parameter is no number, or the emulator explains too little."""
    parameters, pool = table.problem.space.parameters, table.problem.space.pool
    if pool is None or not all(isinstance(p, Continuous | Discrete) for p in parameters):
        return None
    columns = [np.asarray(pool.columns[p.name], dtype=float) for p in parameters]
    ranges = [(float(c.min()), float(c.max())) for c in columns]
    x = np.column_stack([(c - low) / (high - low) for c, (low, high) in zip(columns, ranges, strict=True)])
    y = np.array(table.outcomes)
    explained, width = max((_explained(x, y, width), width) for width in WIDTHS * _apart(x))
    if explained < FAITHFUL:
        return None
    free = tuple(Continuous(name=p.name, low=a, high=b) for p, (a, b) in zip(parameters, ranges, strict=True))
    problem = Problem(space=Space(parameters=free), objectives=table.problem.objectives)
    return Emulated(name=table.name + SUFFIX, problem=problem, x=x, outcomes=y, width=float(width), explained=explained)


def _apart(x: np.ndarray) -> float:
    return float(np.median(cKDTree(x).query(x, k=2)[0][:, 1]))


def _explained(x: np.ndarray, y: np.ndarray, width: float) -> float:
    residual = y - smoothed(x, x, y, width, without_own=True)
    return float(1 - (residual**2).mean() / y.var())


def all_emulated(folder: Path = TABLES) -> Iterator[Emulated]:
    """Yield the tables of a folder that can be made continuous: numbers alone, and no parts of a total."""
    for meta in sorted(folder.glob("*/meta.json")):
        if json.loads(meta.read_text(encoding="utf-8"))["composition_total"] is None:
            table = read(meta.parent)
            emulated = table and emulate(table)
            if emulated:
                yield emulated
