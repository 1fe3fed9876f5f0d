"""What a person is asked to report, field by field, and whether what was reported fits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from labwright.core.attachment import LARGEST, UNKNOWN, Attachment, size_words
from labwright.core.command import Measurement, Observation
from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.reason import legible
from labwright.core.units import convert, convert_spread
from labwright.core.values import Value, is_number, show

YES, NO = "yes", "no"
_SAID = {YES: YES, "y": YES, "true": YES, "1": YES, NO: NO, "n": NO, "false": NO, "0": NO}


class FieldKind(StrEnum):
    """What a field takes. A value is a number where a unit or limits are given, otherwise a number or a word."""

    VALUE = "value"
    NUMBER = "number"
    WORDS = "words"
    YES_NO = "yes_no"
    FILE = "file"
    BELIEF = "belief"  # where the best value of the campaign's parameter of that name lies, in a person's opinion


@dataclass(frozen=True, kw_only=True)
class Field:
    """One thing that is reported: a number within limits, one of `levels`, words, yes or no, a file, a belief.

    Of a file: `types` are the media types that it may have, none for any, and `largest` its most bytes.
    """

    name: str
    kind: FieldKind = FieldKind.VALUE
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    levels: tuple[Value, ...] | None = None
    required: bool = True
    types: tuple[str, ...] = ()
    largest: int = LARGEST

    @property
    def is_numeric(self) -> bool:
        """Whether it takes numbers only."""
        if self.levels is not None:
            return all(is_number(level) for level in self.levels)
        bounded = self.unit is not None or self.low is not None or self.high is not None
        return self.kind is FieldKind.NUMBER or (self.kind is FieldKind.VALUE and bounded)

    @property
    def asked(self) -> str:
        """The field as people are asked for it: `mass: 0 to 500 mg`."""
        return f"{self.name}: {expected(self)}{'' if self.required else ' (may be left out)'}"


def expected(field: Field) -> str:
    """Say what may be reported for a field."""
    match field.kind:
        case FieldKind.FILE:
            return f"a file{f', {_or(field.types)}' if field.types else ''}, at most {size_words(field.largest)}"
        case FieldKind.WORDS:
            return "words"
        case FieldKind.YES_NO:
            return "yes or no"
        case FieldKind.BELIEF:
            return "where the best lies, as `60 degC within 5 K` or `ethanol 0.7, water 0.2`"
        case _:
            return _expected_value(field)


def _expected_value(field: Field) -> str:
    if field.levels is not None:
        return f"one of {', '.join(map(show, field.levels))}"
    unit = f" {field.unit}" if field.unit and field.unit != "1" else ""
    match field.low, field.high:
        case None, None:
            return f"a number in {field.unit}" if unit else "a number" if field.is_numeric else "a number or a word"
        case low, None:
            return f"at least {show(low)}{unit}"
        case None, high:
            return f"at most {show(high)}{unit}"
        case low, high:
            return f"{show(low)} to {show(high)}{unit}"


def _or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def observe(fields: Sequence[Field], values: Mapping[str, Measurement], files: Mapping[str, Attachment]) -> Observation:
    """Return what was reported, each value in the unit of its field, each file by its reference.

    A value without a unit is in that of its field. What is missing, unknown, outside its limits or of another kind than
    is wanted raises InvalidInput, with every problem found.
    """
    names = [f.name for f in fields]
    unknown = dict.fromkeys(n for n in (*values, *files) if n not in names)
    problems = [f"{n}: nothing of that name is asked for; asked for: {', '.join(names)}" for n in unknown]
    found: dict[str, Measurement] = {}
    for field in fields:
        try:
            if field.name in files or field.name in values:
                found[field.name] = taken(field, values.get(field.name), files.get(field.name))
            elif field.required:
                raise InvalidInput(f"{field.name} is missing; expected {expected(field)}")
        except InvalidInput as error:
            problems.append(str(error).rstrip("."))
    if problems:
        raise InvalidInput(f"{'; '.join(problems)}.")
    kept = (str(found[f.name].value) for f in fields if f.kind is FieldKind.FILE and f.name in found)
    return Observation(values=found, objects=tuple(dict.fromkeys(kept)))


def taken(field: Field, value: Measurement | None, file: Attachment | None) -> Measurement:
    """Return what was reported for one field; what it does not take raises InvalidInput."""
    if field.kind is FieldKind.FILE:
        if file is None:
            raise InvalidInput(f"{field.name} is a file; name one, do not write {show(value.value if value else '')!r}")
        return _filed(field, file)
    if file is not None or value is None:
        raise InvalidInput(f"{field.name} is no file; expected {expected(field)}")
    if field.kind in (FieldKind.WORDS, FieldKind.BELIEF):
        return Measurement(value=_words(field, value))
    return _answered(field, value) if field.kind is FieldKind.YES_NO else _measured(field, value)


def _filed(field: Field, file: Attachment) -> Measurement:
    if not file.data:
        raise InvalidInput(f"{field.name}: {file.name} is empty")
    if len(file.data) > field.largest:
        raise InvalidInput(f"{field.name}: {file.name} is too large; expected {expected(field)}")
    if field.types and file.kind not in field.types:
        raise InvalidInput(f"{field.name}: {file.name} is {file.kind or UNKNOWN} by its content; "
                           f"expected {expected(field)}")  # fmt: skip
    legible(file.name, f"{field.name}: the file's name")
    return Measurement(value=file.reference)


def _words(field: Field, reported: Measurement) -> str:
    text = legible(show(reported.value).strip(), field.name)
    if not text:
        raise InvalidInput(f"{field.name} is empty; expected {expected(field)}")
    return text


def _answered(field: Field, reported: Measurement) -> Measurement:
    said = _SAID.get(show(reported.value).strip().casefold())
    if said is None:
        raise InvalidInput(f"{field.name} is {show(reported.value)!r}; expected yes or no")
    return Measurement(value=said)


def _measured(field: Field, reported: Measurement) -> Measurement:
    value: Value = reported.value
    if field.levels is not None and value not in field.levels:
        raise InvalidInput(f"{field.name} is {show(value)!r}; expected {expected(field)}")
    if not is_number(value):
        if field.is_numeric or isinstance(value, bool):
            raise InvalidInput(f"{field.name} is {value!r}; expected {expected(field)}")
        return Measurement(value=legible(str(value), field.name))
    sd = reported.sd
    if not all(math.isfinite(n) for n in (float(value), sd or 0.0)):
        raise InvalidInput(f"{field.name} is {show(value)}; a finite number was expected")
    if reported.unit is not None and reported.unit != field.unit:
        value, sd = _converted(field, float(value), reported)
    if (field.low is not None and float(value) < field.low) or (field.high is not None and float(value) > field.high):
        raise InvalidInput(f"{field.name} is {show(value)}; expected {expected(field)}")
    return Measurement(value=value, unit=field.unit, sd=sd)


def _converted(field: Field, value: float, reported: Measurement) -> tuple[float, float | None]:
    if field.unit is None:
        raise InvalidUnit(f"{field.name}: it has no unit, but was reported in {reported.unit!r}")
    converted = convert(value, reported.unit, field.unit, field.name)
    spread = reported.sd and convert_spread(reported.sd, value, reported.unit, field.unit, field.name)
    return converted, spread
