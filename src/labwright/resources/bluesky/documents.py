"""The documents of a plan: kept as lines of JSON, and read for outputs."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labwright.core.capability import Output
from labwright.core.command import Failure, Measurement, Observation
from labwright.core.errors import InvalidUnit
from labwright.core.units import parse_unit
from labwright.core.values import is_number
from labwright.resources.bluesky.options import OutputPart, Take
from labwright.resources.stranger import plain, text

SUCCESS = "success"
DOCUMENTS = "documents"  # the output that is their file


class Documents:
    """What a plan has told: `events` are the values of each column, by stream."""

    def __init__(self, told: Callable[[float, str], None]) -> None:
        self._told = told
        self._lines: list[str] = []
        self._streams: dict[str, str] = {}
        self._units: dict[tuple[str, str], str] = {}
        self._columns: dict[tuple[str, str], list[Any]] = {}
        self._expected = self._count = 0
        self._ends: list[tuple[str, str]] = []

    def take(self, name: str, document: Mapping[str, Any]) -> None:
        """Take one document; it is called in the RunEngine's thread."""
        self._lines.append(json.dumps({"name": name, "doc": document}, default=_plain))
        match name:
            case "start":
                self._expected = int(document.get("num_points") or 0)
                self._count = 0
            case "descriptor":
                self._describe(document)
            case "event":
                self._event(document["descriptor"], {k: [v] for k, v in document["data"].items()})
            case "event_page":
                self._event(document["descriptor"], document["data"])
            case "stop":
                self._ends.append((document.get("exit_status", ""), document.get("reason", "")))

    @property
    def lines(self) -> bytes:
        """The documents in their order, each as a line of JSON with `name` and `doc`."""
        return "".join(f"{line}\n" for line in self._lines).encode()

    @property
    def failure(self) -> str | None:
        """Why a run of the plan has failed; None where each has ended well."""
        bad = [(status, reason) for status, reason in self._ends if status != SUCCESS]
        return None if not bad else f"the run ended with the status {bad[0][0]!r}: {bad[0][1] or 'nobody said why'}"

    def outcome(
        self, outputs: Sequence[Output], parts: Mapping[str, OutputPart], returned: Any, kept: str
    ) -> Observation | Failure:
        """Make an observation of the outputs; one that is not there makes a failure that names it."""
        values = {}
        for output in outputs:
            if output.name == DOCUMENTS:
                values[output.name] = Measurement(value=kept)
                continue
            try:
                found = self._value(output, parts[output.name], returned)
            except LookupError as error:
                return Failure(reason=f"the output {output.name}: {error.args[0]} Its documents are kept as {kept}.")
            values[output.name] = Measurement(value=plain(found), unit=output.unit)
        return Observation(values=values, objects=(kept,))

    def _value(self, output: Output, part: OutputPart, returned: Any) -> Any:
        if part.returned is not None:
            if not isinstance(returned, Mapping) or part.returned not in returned:
                raise LookupError(f"the plan returned {text(returned)}, and no {part.returned!r}.")
            return returned[part.returned]
        assert part.field is not None
        column = self._columns.get((part.stream, part.field))
        if not column:
            there = ", ".join(sorted({field for stream, field in self._columns if stream == part.stream}))
            raise LookupError(f"no event of the stream {part.stream!r} has {part.field!r}; it has {there or 'none'}.")
        self._check_unit(output, part)
        return _taken(part, column)

    def _check_unit(self, output: Output, part: OutputPart) -> None:
        found = self._units.get((part.stream, part.field or ""), "")
        if not found or output.unit is None:
            return
        try:
            same = parse_unit(found) == parse_unit(output.unit)
        except InvalidUnit:
            return  # a person has said what the device's unit means
        if not same:
            raise LookupError(f"the file says {output.unit!r}, but the device says {found!r}.")

    def _describe(self, document: Mapping[str, Any]) -> None:
        stream = document.get("name") or "primary"
        self._streams[document["uid"]] = stream
        for field, key in document["data_keys"].items():
            self._units[stream, field] = str(key.get("units") or "")

    def _event(self, descriptor: str, data: Mapping[str, Sequence[Any]]) -> None:
        stream = self._streams.get(descriptor, "primary")
        for field, found in data.items():
            self._columns.setdefault((stream, field), []).extend(found)
        if stream == "primary":
            self._count += max(map(len, data.values()), default=0)
            share = min(self._count / self._expected, 1.0) if self._expected else 0.0
            self._told(share, f"{self._count} events")


def _taken(part: OutputPart, column: Sequence[Any]) -> Any:
    match part.take:
        case Take.FIRST:
            return column[0]
        case Take.LAST:
            return column[-1]
    numbers = [plain(value) for value in column]
    if not all(is_number(n) and math.isfinite(n) for n in numbers):  # type: ignore[arg-type]
        raise LookupError(f"a value of {part.field!r} is no finite number, so it has no {part.take}.")
    if part.take is Take.MEAN:
        return math.fsum(numbers) / len(numbers)  # type: ignore[arg-type]
    return min(numbers) if part.take is Take.MIN else max(numbers)


def _plain(found: Any) -> Any:
    """Return what JSON can hold of numpy's values and of whatever a plan puts into its metadata."""
    if callable(to_list := getattr(found, "tolist", None)):
        return to_list()
    if isinstance(found, set | frozenset):
        return sorted(found, key=str)
    return dict(found) if isinstance(found, Mapping) else text(found)
