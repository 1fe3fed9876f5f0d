"""A table in the light of a problem: its rows as trials, and the next rows as columns of the same table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labwright.core.errors import InvalidInput
from labwright.core.heading import Heading, check_same_unit
from labwright.core.problem import Problem
from labwright.core.space import Categorical, Continuous, Discrete, Parameter
from labwright.core.trial import Proposal, Trial
from labwright.core.values import Point
from labwright.planning.tables.frame import Frame, number, plain, required, word
from labwright.planning.tables.rows import as_trial, is_failed, strangers
from labwright.planning.tables.warning import warn
from labwright.planning.tables.wishes import heading_of

REASON = "reason"
TO_COME = "Leave it empty while the result is still to come; write 'failed' if the experiment gave none."


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A table in the light of a problem: the column of every setting and result."""

    frame: Frame
    problem: Problem
    settings: Mapping[str, Heading]
    results: Mapping[str, Heading]
    candidates: Frame | None

    @classmethod
    def of(cls, frame: Frame, problem: Problem, candidates: Frame | None) -> "Table":
        """Find the column of everything; a unit in its title must be the one declared."""
        settings = {p.name: heading_of(p.name, frame, "space") for p in problem.space.parameters}
        results = {name: heading_of(name, frame, "objective or constraint") for name in problem.outcomes}
        for declared in (*problem.space.parameters, *problem.objectives, *problem.constraints):
            check_same_unit(declared.name, declared.unit, (settings | results)[declared.name])
        own = [REASON, *(f"{h.text} {what}" for h in results.values() for what in ("mean", "sd"))]
        if taken := [h.text for h in (*settings.values(), *results.values()) if h.text in own]:
            raise InvalidInput(f"The column {taken[0]!r} has the name of one that an answer has besides. Rename it.")
        return cls(frame=frame, problem=problem, settings=settings, results=results, candidates=candidates)

    def trials(self) -> list[Trial]:
        """Return a trial for each row, numbered from 0 as in Python; warn of those that cannot teach."""
        found = []
        for row in range(len(self.frame)):
            if self._is_bare(row):
                continue
            point = {p.name: self._value(p, row) for p in self.problem.space.parameters}
            if strange := strangers(self.problem.space.parameters, point):
                warn(f"Row {row} of the table is not used: {', '.join(strange)}.")
            else:
                found.append(as_trial(row, point, self._outcomes(row), counted_as="row"))
        return found

    def answer(self, proposals: Sequence[Proposal]) -> dict[str, list[Any]]:
        """Return the columns of the next rows: settings, the rest of a candidate, results, expectations, reasons."""
        rows = [self._candidate(p.point) for p in proposals]
        columns: dict[str, list[Any]] = {
            self._key(heading): [self._given(name, p.point, row) for p, row in zip(proposals, rows, strict=True)]
            for name, heading in self.settings.items()
        }
        for heading in self._besides():
            cells = self.candidates.column(heading) if self.candidates else ()
            columns[heading.text] = [_scalar(cells[row]) for row in rows if row is not None]
        columns |= {self._key(heading): [None] * len(rows) for heading in self.results.values()}
        for name, heading in self.results.items():
            expected = [p.predictions.get(name) for p in proposals]
            columns[f"{self._key(heading)} mean"] = [x and x.mean for x in expected]
            columns[f"{self._key(heading)} sd"] = [x and x.sd for x in expected]
        return columns | {REASON: [p.reason for p in proposals]}

    def _is_bare(self, row: int) -> bool:
        headings = [h for h in (*self.settings.values(), *self.results.values()) if h.index >= 0]
        return all(plain(self.frame.column(h)[row], self.frame.place(row, h)) is None for h in headings)

    def _value(self, parameter: Parameter, row: int) -> float | str:
        heading = self.settings[parameter.name]
        cell, place = self.frame.column(heading)[row], self.frame.place(row, heading)
        if isinstance(parameter, Continuous | Discrete):
            return float(required(number, cell, place, f"{parameter.name} is {parameter}."))
        return str(required(word, cell, place))

    def _outcomes(self, row: int) -> dict[str, float | None] | None:
        cells = {name: (self.frame.column(h)[row], self.frame.place(row, h)) for name, h in self.results.items()}
        if any(is_failed(cell) for cell, _ in cells.values()):
            return None
        return {name: number(cell, place, TO_COME) for name, (cell, place) in cells.items()}

    def _key(self, heading: Heading) -> str:
        return self.frame.key(heading) if heading.index >= 0 else heading.text

    def _candidate(self, point: Point) -> int | None:
        pool = self.problem.space.pool
        return None if pool is None or self.candidates is None else pool.find(point)

    def _given(self, name: str, point: Point, row: int | None) -> Any:
        """Return a setting as the pool holds it, or as its levels were given: whole numbers, True and False."""
        if row is not None and self.candidates is not None:
            return _scalar(self.candidates.column(self.candidates.find(name, "pool"))[row])
        parameter, value = self.problem.space[name], point[name]
        if isinstance(parameter, Categorical) and set(parameter.levels) <= {"True", "False"}:
            return value == "True"
        if isinstance(parameter, Discrete) and all(level.is_integer() for level in map(float, parameter.values)):
            return int(value)
        return value

    def _besides(self) -> list[Heading]:
        """Return the columns of the pool that are neither settings nor results, such as a name."""
        if self.candidates is None:
            return []
        used = {self.candidates.find(name, "pool").index for name in self.settings}
        return [h for h in self.candidates.headings if h.index not in used and not self._is_result(h)]

    def _is_result(self, heading: Heading) -> bool:
        return heading.name in self.results or any(heading.name == h.name for h in self.results.values())


def _scalar(cell: Any) -> Any:
    return cell.item() if hasattr(cell, "item") else cell
