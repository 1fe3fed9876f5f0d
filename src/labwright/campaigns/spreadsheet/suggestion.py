"""The next experiments for a table: read it, ask the planner, write the answer as rows of the same table."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from labwright.campaigns.spreadsheet.candidates import Candidates, Choice, choose_from
from labwright.campaigns.spreadsheet.columns import Columns, read_columns
from labwright.campaigns.spreadsheet.numerals import Numerals, find_numerals, percent_suffix
from labwright.campaigns.spreadsheet.question import Question, Roles, read_roles
from labwright.campaigns.spreadsheet.sheet import EXCEL, Cell, Dialect, Row, Sheet, option
from labwright.campaigns.spreadsheet.spelling import slips
from labwright.campaigns.spreadsheet.trials import read_rows
from labwright.core.errors import InvalidInput
from labwright.core.problem import Aim, Problem
from labwright.core.space import Continuous, Space
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial, winners
from labwright.core.values import Value, show
from labwright.planning.planner import Planner
from labwright.planning.tables.rows import is_failed, next_rows
from labwright.planning.thinning import MOST

SHOWN = 10  # of a front


@dataclass(frozen=True, kw_only=True)
class Table:
    """A sheet that has been understood: the problem, the trials, and what a person should know of it."""

    sheet: Sheet
    roles: Roles
    columns: Columns
    numerals: Numerals
    suffixes: Mapping[str, str]
    trials: tuple[Trial, ...]
    notes: tuple[str, ...]
    choice: Choice | None = None

    @property
    def blank(self) -> tuple[str, ...]:
        """The columns that a suggestion leaves empty: results, and ignored ones that no candidate fills."""
        return tuple(name for name in self.roles.blank if name not in self.labels)

    @property
    def labels(self) -> tuple[str, ...]:
        """The ignored columns that a candidate fills, such as its name."""
        return tuple(self.choice.labels) if self.choice else ()

    def beside(self, proposal: Proposal) -> Mapping[str, str]:
        """Return what a candidate has in those columns."""
        return self.choice.beside(proposal.point) if self.choice else {}

    @cached_property
    def problem(self) -> Problem:
        """The planner's question."""
        space = Space(parameters=self.columns.parameters, pool=self.choice.pool if self.choice else None)
        return Problem(space=space, objectives=self.roles.objectives, constraints=self.roles.constraints)

    @property
    def summary(self) -> tuple[str, ...]:
        """What was read, and the best of it, in words."""
        results, failed = (sum(t.state is s for t in self.trials) for s in (TrialState.OBSERVED, TrialState.FAILED))
        pending = sum(t.is_pending for t in self.trials)
        read = f"{self.sheet.name}: {results} with results, {pending} still to come, {failed} failed."
        found = winners(self.problem, self.trials)
        if not found:
            return (read, "Nothing meets all conditions yet." if results else "No result yet: this is a first design.")
        if self.problem.aim is not Aim.FRONT:
            return (read, f"Best so far: {self._result(found[0])}.")
        front = [f"  {self._result(t)}" for t in found[:SHOWN]]
        more = [f"  and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        return (read, f"On the front so far, none better than another in everything: {len(found)}.", *front, *more)

    def _result(self, trial: Trial) -> str:
        values = [
            f"{o.name} = {self.numerals.write(trial.outcomes[o.name])}{f' {o.unit}' if o.unit else ''}"
            for o in self.problem.objectives
        ]
        return f"{', '.join(values)}, in {self.sheet.row_word} {trial.number}"


def understand(
    sheet: Sheet, question: Question, *, decimal: str | None = None, pool: Candidates | None = None
) -> Table:
    """Read a sheet in the light of a question; everything that does not fit is an InvalidInput.

    `pool`: the only possible experiments, instead of what the question and the table say may be chosen.
    """
    if decimal not in (None, ".", ","):
        raise InvalidInput(f"--decimal {decimal}: expected '.' or ','.")
    roles = read_roles(question, sheet)
    used = [h for h in sheet.headings if h.name not in roles.ignored]
    cells = [cell for h in used for cell in sheet.column(h)]
    numerals = Numerals(decimal=decimal) if decimal else find_numerals(cells, sheet.dialect.delimiter)
    columns, choice = choose_from(pool, sheet, roles, decimal) if pool else (read_columns(sheet, roles, numerals), None)
    rows = read_rows(sheet, roles, columns, numerals)
    return Table(
        sheet=sheet,
        roles=roles,
        columns=columns,
        numerals=numerals,
        suffixes={h.name: percent_suffix(_numbers(sheet.column(h), numerals), h.unit) for h in used},
        trials=rows.trials,
        notes=(
            *columns.notes,
            *slips(sheet, columns.parameters, roles.levels),
            *rows.notes,
            *_thinned(sheet, len(rows.trials)),
        ),
        choice=choice,
    )


def propose(table: Table, planner: Planner, count: int, *, seed: int) -> list[Proposal]:
    """Return the next experiments, their numbers rounded to what a person can set."""
    return next_rows(table.problem, table.trials, planner, count, seed=seed)


def remarks(table: Table, proposals: Sequence[Proposal], count: int) -> list[str]:
    """Say where fewer experiments are left than were asked for, and where one is at the end of what may be chosen."""
    return [*_shortage(table, len(proposals), count), *_ends(table, proposals)]


def _shortage(table: Table, found: int, count: int) -> list[str]:
    if found >= count:
        return []
    what = "what may be chosen" if table.choice is None else table.choice.candidates.name
    return [f"{found} instead of {count}: of {what} nothing else is left to try."]


def _ends(table: Table, proposals: Sequence[Proposal]) -> list[str]:
    """Say how to widen a range at whose end the model expects the best."""
    if table.choice is not None:
        return []
    said = []
    for parameter in (p for p in table.columns.parameters if isinstance(p, Continuous)):
        said += _wider(parameter, {p.point[parameter.name] for p in proposals if p.predictions})
    return said


def _wider(parameter: Continuous, chosen: Collection[Value]) -> list[str]:
    name, low, high = parameter.name, show(parameter.low), show(parameter.high)
    said = []
    if parameter.high in chosen:
        wider = option("range", name, f"{low}:HIGH")
        said.append(f"{name} = {high} is the highest allowed. If more is possible: {wider}")
    if parameter.low in chosen:
        wider = option("range", name, f"LOW:{high}")
        said.append(f"{name} = {low} is the lowest allowed. If less is possible: {wider}")
    return said


def as_sheet(table: Table, proposals: Sequence[Proposal], name: str) -> Sheet:
    """Return the proposals as rows of the same table: results and ignored columns empty, held columns filled."""
    is_text, was_text = not name.lower().endswith(EXCEL), not table.sheet.name.lower().endswith(EXCEL)
    # A workbook holds numbers, not texts; and a text file made from one has no dialect to keep.
    numerals = table.numerals if is_text and was_text else Numerals(decimal=".")
    dialect = table.sheet.dialect if was_text is is_text else Dialect()
    held = {h.name: h.value for h in table.columns.held}
    rows = tuple(
        Row(line=line, cells=tuple(_texts(table, {**held, **p.point, **table.beside(p)}, numerals)))
        for line, p in enumerate(proposals, start=2)
    )
    return Sheet(name=name, headings=table.sheet.headings, rows=rows, dialect=dialect)


def _texts(table: Table, values: Mapping[str, Value], numerals: Numerals) -> list[str]:
    return [
        numerals.write(values[h.name]) + table.suffixes.get(h.name, "") if h.name in values else ""
        for h in table.sheet.headings
    ]


def _thinned(sheet: Sheet, used: int) -> tuple[str, ...]:
    if used <= MOST:
        return ()
    return (
        f"{sheet.name}: of {used:,} {sheet.row_word}s that can be used {MOST:,} are learnt from, half of them the best "
        "and the others spread evenly; none is suggested again. It may take a minute.",
    )


def _numbers(cells: Sequence[Cell], numerals: Numerals) -> list[Cell]:
    """Return the filled cells of a column of numbers; none of a column of words."""
    filled = [cell for cell in cells if cell.text and not is_failed(cell.text)]
    return filled if all(numerals.read(cell.text) is not None for cell in filled) else []
