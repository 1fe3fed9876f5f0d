"""Numbers, levels, times, sizes and inputs in the options of a resource; YAML's true and false are none of them."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PositiveFloat, PositiveInt

from labwright.core.capability import Input, Output
from labwright.core.errors import InvalidUnit
from labwright.core.units import convert, parse_quantity
from labwright.core.values import Value


def _not_true_or_false(found: Any) -> Any:
    if isinstance(found, bool):
        raise ValueError("it is read as true or false; write a word in quotes, or a number")
    return found


def _seconds(found: Any) -> Any:
    found = _not_true_or_false(found)
    if not isinstance(found, str):
        return found
    try:
        value, unit = parse_quantity(found, "here")
        return convert(value, unit or "s", "s", "here")
    except InvalidUnit as error:
        raise ValueError(f"{found!r} is not a time, such as '10 min' or '2 h'") from error


def _bytes(found: Any) -> Any:
    found = _not_true_or_false(found)
    if not isinstance(found, str):
        return found
    try:
        value, unit = parse_quantity(found, "here")
        return round(convert(value, unit or "byte", "byte", "here"))
    except InvalidUnit as error:
        raise ValueError(f"{found!r} is not a size, such as '5 MB'") from error


FILE = "file"  # stands where the unit of an output does
Number = Annotated[float, BeforeValidator(_not_true_or_false)]
Level = Annotated[Value, BeforeValidator(_not_true_or_false)]
Duration = Annotated[PositiveFloat, BeforeValidator(_seconds, json_schema_input_type=float | str)]
Size = Annotated[PositiveInt, BeforeValidator(_bytes, json_schema_input_type=int | str)]


class InputOptions(BaseModel):
    """What may be set. `shared`: trials that are gathered in one run must agree on it; `file`: a file of an earlier
    step."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    unit: str | None = None
    low: Number | None = None
    high: Number | None = None
    levels: list[Level] | None = None
    shared: bool = False
    file: bool = False

    def declared(self, name: str, *, required: bool = True) -> Input:
        """Return the input that a capability declares."""
        return Input(
            name=name,
            unit=self.unit,
            low=self.low,
            high=self.high,
            levels=None if self.levels is None else tuple(self.levels),
            required=required,
            shared=self.shared,
            file=self.file,
        )


def output(name: str, said: str | None) -> Output:
    """Return the output that a file declares by its unit, or by the word `file`."""
    return Output(name=name, file=True) if said == FILE else Output(name=name, unit=said)


def unit_of(said: str | None) -> str | None:
    """Return the unit that a file declares for an output; a file has none."""
    return None if said == FILE else said
