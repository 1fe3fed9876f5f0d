"""A table of measured rows as a resource: it replays what somebody measured."""

import csv
import hashlib
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Answer, CannotTell, Command, Failure, Measurement, Observation, Outcome
from labwright.core.errors import InvalidInput
from labwright.core.recorder import Recorder
from labwright.core.units import check_unit
from labwright.core.values import Value, canonical, is_number, show

Row = tuple[Value, ...]


class TableResource:
    """Offers one capability, `measure`: every column may be an input, and the matching row gives the others.

    Rows with equal inputs are replicates. One is drawn by the seed and the inputs, so that the same inputs give the
    same result, or, with `scatter`, by the seed and the command.
    """

    class Options(BaseModel):
        """`file`: a CSV with a header; `units`: of columns; `words`: columns of words; `seed`: of the draw.

        `scatter`: whether a trial that repeats another may draw another replicate.
        """

        model_config = ConfigDict(extra="forbid")

        file: Path
        units: dict[str, str] = {}
        words: list[str] = []
        seed: int = 0
        scatter: bool = False

    def __init__(self, name: str, options: Options, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self.name = name
        self._options = options
        self._columns = tuple(columns)
        self._rows = tuple(rows)

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: Options, folder: Path) -> AsyncIterator["TableResource"]:
        """Read the whole file; a cell that is empty or a row of another length raises InvalidInput with its line."""
        columns, rows = read_table(folder / options.file, options.words)
        for column, unit in options.units.items():
            if column not in columns:
                raise InvalidInput(f"{options.file} has no column {column!r} for a unit. It has: {', '.join(columns)}.")
            check_unit(unit, None, f"unit of column {column!r}")
        yield cls(name, options, columns, rows)

    def capabilities(self) -> Sequence[Capability]:
        """Offer `measure`, with the table's rows as the only candidates."""
        unit = self._options.units.get
        values = dict(zip(self._columns, zip(*self._rows, strict=True), strict=True))
        measure = Capability(
            name="measure",
            inputs=tuple(Input(name=c, unit=unit(c), required=False) for c in self._columns),
            outputs=tuple(Output(name=c, unit=unit(c)) for c in self._columns),
            repeatable=True,
            candidates=values,
        )
        return (measure,)

    async def run(self, command: Command, recorder: Recorder) -> Outcome:
        """Return the matching row; where several match, one of them, and the same for the same command."""
        matching = [row for row in self._rows if self._matches(row, command.inputs)]
        if not matching:
            asked = ", ".join(f"{k} = {show(v)}" for k, v in command.inputs.items())
            return Failure(reason=f"{self._options.file} has no row with {asked}.")
        row = matching[self._draw(command) % len(matching)]
        recorder.progress(1.0)
        units = self._options.units
        pairs = zip(self._columns, row, strict=True)
        return Observation(values={c: Measurement(value=v, unit=units.get(c)) for c, v in pairs})

    async def ask(self, command: Command) -> Answer:
        """Cannot tell: a table keeps no record, and need not, since reading it again changes nothing."""
        return CannotTell(reason="a table keeps no record of what was read")

    async def stop(self) -> None:
        """Nothing moves."""

    def _matches(self, row: Row, inputs: Mapping[str, Value]) -> bool:
        return all(_same(row[self._columns.index(name)], value) for name, value in inputs.items())

    def _draw(self, command: Command) -> int:
        by: Value | dict[str, Value] = command.command_id if self._options.scatter else dict(command.inputs)
        content = canonical([self._options.seed, by])
        return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8])


def read_table(path: Path, words: Sequence[str] = ()) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """Read a comma-separated file with a header, numbers with a decimal point.

    A column in which most cells are numbers is numeric; a cell of it that is none raises InvalidInput with its line.
    Others, and those named in `words`, hold words.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [(reader.line_num, row) for reader in [csv.reader(file, strict=True)] for row in reader if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"The table {path} cannot be read: {error}.") from error
    if lines and len(lines[0][1]) == 1 and ";" in lines[0][1][0]:
        raise InvalidInput(f"{path}: the cells are separated by ';'. Save it with commas and decimal points.")
    if len(lines) < 2:
        raise InvalidInput(f"The table {path} needs a header and at least one row; it has {len(lines)} lines.")
    header = tuple(cell.strip() for cell in lines[0][1])
    if len(set(header)) != len(header) or not all(header):
        raise InvalidInput(f"{path}, line 1: each column needs a name of its own; found {', '.join(header)}.")
    for number, row in lines[1:]:
        _check_row(path, number, header, row)
    columns = [_column(path, i, header[i] in words, lines) for i in range(len(header))]
    return header, tuple(zip(*columns, strict=True))


def _check_row(path: Path, number: int, header: Sequence[str], row: Sequence[str]) -> None:
    if len(row) != len(header):
        raise InvalidInput(f"{path}, line {number}: {len(row)} cells, but the header has {len(header)} columns.")
    empty = [name for name, cell in zip(header, row, strict=True) if not cell.strip()]
    if empty:
        raise InvalidInput(f"{path}, line {number}: {', '.join(empty)} is empty; a value was expected.")


def _column(path: Path, index: int, words: bool, lines: Sequence[tuple[int, list[str]]]) -> tuple[Value, ...]:
    name, cells = lines[0][1][index].strip(), [(number, row[index].strip()) for number, row in lines[1:]]
    numbers = [_number(cell) for _, cell in cells]
    if words or sum(n is not None for n in numbers) <= len(cells) / 2:
        return tuple(cell for _, cell in cells)
    for (line, cell), number in zip(cells, numbers, strict=True):
        if number is None or not math.isfinite(number):
            raise InvalidInput(
                f"{path}, line {line}: {name} is {cell!r}; a finite number was expected, as in the other rows. "
                f"Mend it, or leave the row out; if {name} holds words, list it under `words`."
            )
    return tuple(n for n in numbers if n is not None)


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _same(cell: Value, value: Value) -> bool:
    if is_number(cell) and is_number(value):
        return math.isclose(float(cell), float(value), rel_tol=1e-9, abs_tol=1e-12)
    return cell == value
