"""The only possible points, as columns of somebody's table: what each column says of its parameter."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from labwright.core.errors import InvalidInput
from labwright.core.heading import Heading, check_same_unit
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Parameter, Pool, Space
from labwright.core.values import show
from labwright.planning.tables.frame import Frame, number, plain, required, word
from labwright.planning.tables.wishes import heading_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEW = 3  # that many rows may all differ in a word and still be settings
LEAVE_OUT = "Leave the column out of the pool, or give `space` without it."

Cells: TypeAlias = "NDArray[np.float64] | list[str]"  # a column: numbers, or words
Place = Callable[[int], str]  # of a row of the column


def parameter_of(name: str, column: Cells, unit: str | None, *, known: Iterable[str] = (), leave_out: str) -> Parameter:
    """Return the parameter that a column of candidates (n,) stands for: its numbers' range, or its words.

    `known` are words of the history that no candidate has. A column with another word in every row is refused: nothing
    can be learnt from one candidate about another; `leave_out` says how to leave it out.
    """
    if not len(column):
        raise InvalidInput(f"{name}: there is no candidate.")
    if not isinstance(column, list):
        low, high = float(column.min()), float(column.max())
        if low < high:
            return Continuous(name=name, low=low, high=high, unit=unit)
        return Discrete(name=name, values=(low,), unit=unit)
    words = set(column)
    if len(words) == len(column) > FEW:
        raise InvalidInput(
            f"The column {name!r} has another word for each candidate ({column[0]!r}, {column[1]!r}, ...): nothing "
            f"that one could tell of another. {leave_out}"
        )
    return Categorical(name=name, levels=tuple(sorted(words | set(known))))


def check_allowed(parameter: Parameter, column: Cells, place: Place) -> None:
    """Raise InvalidInput where a candidate is not what its parameter allows."""
    wrong = _first_beyond(parameter, column)
    if wrong is not None:
        raise InvalidInput(
            f"{place(wrong)}: found {show(column[wrong])}, but {parameter.name} is {parameter}. "
            "Leave the candidate out, or widen the space."
        )


def _first_beyond(parameter: Parameter, column: Cells) -> int | None:
    import numpy as np

    if isinstance(parameter, Ordinal | Categorical):
        strange = set(column) - set(parameter.levels)
        return next((i for i, word in enumerate(column) if word in strange), None) if strange else None
    values = np.asarray(column, dtype=float)
    if isinstance(parameter, Continuous):
        outside = (values < parameter.low) | (values > parameter.high)
    else:
        outside = ~np.isclose(values[:, None], parameter.values, rtol=1e-9, atol=1e-12).any(axis=1)
    found: Sequence[int] = np.flatnonzero(outside).tolist()
    return found[0] if found else None


def within(space: Space, candidates: Frame) -> Space:
    """Return a space with the candidates as its only points."""
    columns: dict[str, Cells] = {}
    for parameter in space.parameters:
        heading = candidates.find(parameter.name, "pool")
        check_same_unit(f"In the pool, {parameter.name}", parameter.unit, heading)
        column = _read(candidates, heading, words=isinstance(parameter, Ordinal | Categorical))
        check_allowed(parameter, column, lambda row, heading=heading: candidates.place(row, heading))  # type: ignore[misc]
        columns[parameter.name] = column
    return replace(space, pool=Pool(columns=columns))


def space_of(frame: Frame, candidates: Frame, outcomes: Sequence[str]) -> Space:
    """Return the space of the pool's columns that the table has as well; of all of them where the table has no row."""
    results = {heading_of(name, frame, "").name for name in outcomes} | set(outcomes)
    shared = [h for h in candidates.headings if h.name not in results and (not len(frame) or frame.has(h.name))]
    if not shared:
        raise InvalidInput(
            f"The pool and the table have no setting in common. Columns of the pool: {', '.join(candidates.keys)}; "
            f"of the table: {', '.join(frame.keys)}."
        )
    columns, parameters = {}, []
    for heading in shared:
        column = columns[heading.name] = _read(candidates, heading)
        own = heading_of(heading.name, frame, "pool")
        check_same_unit(f"The pool's {heading.text!r}", heading.unit, own)
        known = _known(frame, own) if isinstance(column, list) else ()
        unit = heading.unit or own.unit
        parameters.append(parameter_of(heading.name, column, unit, known=known, leave_out=LEAVE_OUT))
    return Space(parameters=tuple(parameters), pool=Pool(columns=columns))


def _known(frame: Frame, heading: Heading) -> set[str]:
    if heading.index < 0:
        return set()
    return {w for i, c in enumerate(frame.column(heading)) if (w := word(c, frame.place(i, heading)))}


def _read(candidates: Frame, heading: Heading, *, words: bool | None = None) -> Cells:
    """Return a column of the pool: an array of numbers, or a list of words; by its first cell where nobody says."""
    import numpy as np

    cells = candidates.column(heading)
    if isinstance(cells, np.ndarray) and not words:
        if not (finite := np.isfinite(cells)).all():
            row = int(np.flatnonzero(~finite)[0])
            required(number, cells[row], candidates.place(row, heading), "Leave the candidate out.")
        return cells.astype(float)
    if words is None:
        first = next((c for c in cells if c is not None), None)
        words = isinstance(plain(first, candidates.place(0, heading)), str | bool)
    if words and all(type(cell) is str and cell for cell in cells):
        return [cell.strip() for cell in cells]
    if words:
        return [required(word, cell, candidates.place(i, heading)) for i, cell in enumerate(cells)]
    hint = "A candidate has a finite number here; leave the row out, or the column."
    return np.array([required(number, c, candidates.place(i, heading), hint) for i, c in enumerate(cells)])
