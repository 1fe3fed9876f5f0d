"""Measured tables as candidate pools: a point is chosen, its outcome is read from the table."""

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from labwright.core.problem import Goal, Objective, Problem
from labwright.core.space import Categorical, Continuous, Discrete, Parameter, Pool, Space
from labwright.core.values import Point, Value

TABLES = Path(__file__).parents[3] / "shared" / "tables"
# No choice in the planner was made on these. Families of tables stand together; from the families of each kind (with
# categories, with compositions, numbers alone) the third with the smallest sha256 of its name was taken.
LEFT_OUT = frozenset(
    ("alkox", "benzylation", "crossed_barrel", "electrochem", "lnp3", "photo_pce10", "photo_wf3", "snar")
)
# A category with as many levels as the table has rows: no two rows have anything in common, so nothing can be learned.
NOTHING_TO_LEARN = "its only input is a name that differs in every row"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One measured table: the problem it poses, and the loss of each row (smaller is better)."""

    name: str
    problem: Problem
    outcomes: tuple[float, ...]

    @cached_property
    def measured(self) -> dict[tuple[Value, ...], float]:
        """The outcome at each point."""
        pool = self.problem.space.pool
        assert pool is not None
        return {tuple(pool.row(i).values()): y for i, y in enumerate(self.outcomes)}

    @cached_property
    def losses(self) -> list[float]:
        """The loss of each row, the best first."""
        return sorted(self.problem.objective.loss(y) for y in self.outcomes)

    def outcome(self, point: Point) -> float:
        """Return what was measured at a point."""
        return self.measured[tuple(point[name] for name in self.problem.space.names)]

    def top(self, share: float) -> tuple[float, int]:
        """Return the loss that the best `share` of the rows reach, at least one row, and how many rows reach it."""
        limit = self.losses[max(1, round(share * len(self.losses))) - 1]
        return limit, sum(loss <= limit for loss in self.losses)


def read(folder: Path) -> Table | None:
    """Return the table of a folder; None when its rows have nothing in common to learn from."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    with (folder / "data.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    described = [_parameter(p, [row[p["name"]] for row in rows]) for p in meta["parameters"]]
    parameters = tuple(p for p, _ in described)
    if all(isinstance(p, Categorical) and len(p.levels) == len(rows) for p in parameters):
        return None
    pool = Pool(columns={p.name: column for p, column in described})
    objective = Objective(name=meta["objective"]["name"], goal=Goal(meta["objective"]["goal"]))
    problem = Problem(space=Space(parameters=parameters, pool=pool), objectives=(objective,))
    return Table(name=folder.name, problem=problem, outcomes=_outcomes(meta["objective"], rows))


def _parameter(described: dict[str, str], column: list[str]) -> tuple[Parameter, list[Value]]:
    name, kind = described["name"], described["kind"]
    if kind == "categorical":
        return Categorical(name=name, levels=tuple(sorted(set(column)))), list(column)
    numbers = [float(v) for v in column]
    if kind == "discrete":
        return Discrete(name=name, values=tuple(sorted(set(numbers)))), list(numbers)
    return Continuous(name=name, low=min(numbers), high=max(numbers)), list(numbers)


def _outcomes(objective: dict, rows: list[dict[str, str]]) -> tuple[float, ...]:
    """Read the objective; a word that stands in an order becomes its rank."""
    words = objective.get("values")
    found = [row[objective["name"]] for row in rows]
    return tuple(float(words.index(v)) if words else float(v) for v in found)
