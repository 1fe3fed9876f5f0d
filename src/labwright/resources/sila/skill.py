"""One capability of a SiLA server: a command, what it takes and gives in our words, and its messages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labwright.core.capability import Capability, Input, Output
from labwright.core.command import Command, Failure, Measurement, Observation
from labwright.core.errors import InvalidInput, InvalidUnit
from labwright.core.recorder import Recorder
from labwright.core.telemetry import Channel
from labwright.core.values import Value, is_number
from labwright.resources.sila.connection import Connection, Feature
from labwright.resources.sila.definition import NUMBERS, Field, Order, Property, names
from labwright.resources.sila.options import CapabilityPart, InputPart, OutputPart
from labwright.resources.sila.units import agreed_unit
from labwright.resources.sila.wire import Refused, Unfit, decoded, encoded, plain


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Where an output comes from: a response, or a property of a feature."""

    output: Output
    field: Field
    feature: Feature | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Skill:
    """What the file and the server say of a command together.

    `parameters` are by the name of the input, with the limits that hold in the end. `channels` are the numbers that it
    tells while it works.
    """

    capability: Capability
    feature: Feature
    order: Order
    parameters: Mapping[str, Field]
    fixed: Mapping[Field, Value]
    results: tuple[Result, ...]
    files: Mapping[str, Field]
    channels: Mapping[Field, Channel]

    @classmethod
    def read(cls, connection: Connection, name: str, part: CapabilityPart) -> "Skill":
        """Bring the server's words and the file's together; what does not fit raises InvalidInput."""
        place = f"{connection.name}.{name}"
        feature, order = connection.command(part.command)
        inputs, fixed = _inputs(place, order, part), _fixed(place, order, part)
        results = _results(place, connection, order, part.outputs)
        capability = Capability(
            name=name,
            inputs=tuple(i for i, _ in inputs),
            outputs=(*(result.output for result in results), *_files(order, results)),
            repeatable=part.repeatable,
        )
        return cls(
            capability=capability,
            feature=feature,
            order=order,
            parameters={i.name: field for i, field in inputs},
            fixed=fixed,
            results=results,
            files={f.name: f for f in order.responses if f.type.basic == "Binary"},
            channels={f: _channel(f) for f in order.intermediates if f.type.basic in NUMBERS},
        )

    def message(self, command: Command) -> Any:
        """Return the inputs as the message that is sent; raises Unfit."""
        if set(command.inputs) != set(self.parameters):
            given = (command.inputs, self.parameters)
            found, expected = (", ".join(sorted(map(str, names)))[:120] or "nothing" for names in given)
            raise Unfit(f"{self.order.name} was given {found}; it takes {expected}")
        fields: dict[str, Any] = {}
        for field, value in self.fixed.items():
            fields |= encoded(field, value)
        for name, field in self.parameters.items():
            fields |= encoded(field, command.inputs[name])
        return self.feature.message(f"{self.order.name}_Parameters", fields)

    async def outcome(self, connection: Connection, answer: Any, recorder: Recorder) -> Observation | Failure:
        """Make an observation of the answer, of properties as they are now, and of files, which are kept."""
        values = {}
        for result in self.results:
            try:
                value = await _value(connection, result, answer)
            except Refused as error:
                return Failure(reason=f"the output {result.output.name} cannot be read: {error}")
            if value is None:
                return Failure(reason=f"the answer lacks the output {result.output.name} ({result.field.name})")
            values[result.output.name] = Measurement(value=value, unit=result.output.unit)
        objects = []
        for name, field in self.files.items():
            try:
                kept = await _keep(connection, field, answer, recorder)
            except Refused as error:
                return Failure(reason=f"its file cannot be fetched: {error}")
            if kept is not None:
                objects.append(kept)
                values[name] = Measurement(value=kept)
        return Observation(values=values, objects=tuple(objects))


def every_command(connection: Connection) -> dict[str, CapabilityPart]:
    """Return each command of the server as a capability `Feature.Command`."""
    return {
        f"{feature.definition.name}.{order.name}": CapabilityPart(command=f"{feature.definition.id}/{order.name}")
        for feature in connection.features
        for order in feature.definition.orders
    }


def _fixed(place: str, order: Order, part: CapabilityPart) -> dict[Field, Value]:
    """Return what the file itself gives; what is no parameter, or cannot be sent as one, raises InvalidInput."""
    known, found = {field.name: field for field in order.parameters}, {}
    for name, value in part.fixed.items():
        if name not in known:
            raise InvalidInput(
                f"{place}.fixed: {order.name} has no parameter {name!r}. It has: {names(order.parameters)}."
            )
        try:
            encoded(known[name], value)
        except Unfit as error:
            raise InvalidInput(f"{place}.fixed.{name}: {error}.") from error
        found[known[name]] = value
    return found


def _inputs(place: str, order: Order, part: CapabilityPart) -> list[tuple[Input, Field]]:
    parts = part.inputs
    renamed = {part.parameter or name: (name, part) for name, part in parts.items()}
    known = {field.name for field in order.parameters}
    if unknown := [parameter for parameter in renamed if parameter not in known]:
        raise InvalidInput(f"{place}: {order.name} has no parameter {unknown[0]!r}. It has: {names(order.parameters)}.")
    if len(renamed) < len(parts):
        raise InvalidInput(f"{place}: two inputs are the same parameter of {order.name}.")
    found = []
    if both := [parameter for parameter in renamed if parameter in part.fixed]:
        raise InvalidInput(f"{place}: {both[0]} is an input and fixed; give it one way.")
    for field in (f for f in order.parameters if f.name not in part.fixed):
        name, one = renamed.get(field.name, (field.name, InputPart()))
        found.append(_input(f"{place}.{name}", name, one, field))
    _distinct(place, [i.name for i, _ in found])
    return found


def _input(place: str, name: str, part: InputPart, field: Field) -> tuple[Input, Field]:
    """Return an input with the narrower of the server's and the file's limits, and its parameter with the same."""
    kind = field.type
    if not kind.is_plain:
        raise InvalidInput(
            f"{place}: the parameter {field.name} is {kind.words}; Labwright sends numbers, words, and yes or no."
        )
    if kind.basic not in NUMBERS and (part.low is not None or part.high is not None or part.unit is not None):
        raise InvalidInput(f"{place}: {field.name} is {kind.words}, which has no unit, low or high.")
    lows, highs = ([x for x in pair if x is not None] for pair in ((part.low, kind.low), (part.high, kind.high)))
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low > high:
        raise InvalidInput(
            f"{place}: no value is allowed: the file says {_range(part.low, part.high)}, the server"
            f" {_range(kind.low, kind.high)}."
        )
    levels = _levels(place, part, (0, 1) if kind.basic == "Boolean" else kind.levels, low, high)
    unit = agreed_unit(place, part.unit, kind.unit)
    narrowed = replace(kind, low=low, high=high, levels=levels)
    return Input(name=name, unit=unit, low=low, high=high, levels=levels), replace(field, type=narrowed)


def _levels(
    place: str, part: InputPart, said: tuple[Value, ...] | None, low: float | None, high: float | None
) -> tuple[Value, ...] | None:
    if part.levels is None and said is None:
        return None
    both = [v for v in part.levels or said or () if said is None or v in said]
    inside = tuple(v for v in both if not is_number(v) or _within(v, low, high))
    if not inside:
        raise InvalidInput(f"{place}: no value is allowed: the file says {part.levels}, the server {said}.")
    return inside


def _within(value: Value, low: float | None, high: float | None) -> bool:
    assert not isinstance(value, str)
    return (low is None or value >= low) and (high is None or value <= high)


def _results(place: str, connection: Connection, order: Order, parts: Mapping[str, OutputPart]) -> tuple[Result, ...]:
    responses = {field.name: field for field in order.responses}
    found, taken = [], set()
    for name, part in parts.items():
        if part.property is not None:
            feature, known = connection.property(part.property)
            found.append(_result(f"{place}.{name}", name, part, known, feature))
            continue
        source = part.response or name
        if source not in responses:
            raise InvalidInput(f"{place}: {order.name} has no response {source!r}. It has: {names(order.responses)}.")
        taken.add(source)
        found.append(_result(f"{place}.{name}", name, part, responses[source], None))
    rest = [field for field in order.responses if field.name not in taken and field.type.is_plain]
    found += [_result(f"{place}.{field.name}", field.name, OutputPart(), field, None) for field in rest]
    _distinct(place, [result.output.name for result in found])
    return tuple(found)


def _files(order: Order, results: Sequence[Result]) -> Iterator[Output]:
    """Yield the files that a command gives, each under its own name."""
    taken = {result.output.name for result in results}
    for field in order.responses:
        if field.type.basic == "Binary" and field.name not in taken:
            yield Output(name=field.name, file=True)


def _result(place: str, name: str, part: OutputPart, field: Field, feature: Feature | None) -> Result:
    if not field.type.is_plain:
        raise InvalidInput(f"{place}: {field.name} is {field.type.words}; an output is a number, a word, or yes or no.")
    unit = agreed_unit(place, part.unit, field.type.unit)
    return Result(output=Output(name=name, unit=unit), field=field, feature=feature)


def _channel(field: Field) -> Channel:
    try:
        return Channel(id=field.name, unit=agreed_unit(field.name, None, field.type.unit))
    except InvalidUnit:
        return Channel(id=field.name)


async def _value(connection: Connection, result: Result, answer: Any) -> Value | None:
    if result.feature is not None:
        assert isinstance(result.field, Property)
        answer = await connection.get(result.feature, result.field)
    return plain(result.field, answer)


async def _keep(connection: Connection, field: Field, answer: Any, recorder: Recorder) -> str | None:
    found = decoded(field, answer)
    if found is None:
        return None
    small = found.WhichOneof("union") == "value"
    return await recorder.keep(field.name, found.value if small else await connection.binary(found.binaryTransferUUID))


def _distinct(place: str, found: list[str]) -> None:
    if twice := [name for name in found if found.count(name) > 1]:
        raise InvalidInput(f"{place}: two are named {twice[0]!r}. Name one of them differently in the file.")


def _range(low: float | None, high: float | None) -> str:
    return f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}"
