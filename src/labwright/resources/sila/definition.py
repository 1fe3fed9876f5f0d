"""What the definition of a SiLA feature says: its commands and properties, their types, units and limits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labwright.core.values import Value
from labwright.resources.sila.units import SilaUnit

SILA = "{http://www.sila-standard.org}"
NUMBERS = ("Real", "Integer")
PLAIN = (*NUMBERS, "Boolean", "String")
LONGEST = 2**21  # characters of a SiLA String; what is longer goes as Binary
WHOLE = 2.0**63  # an Integer has 64 bits


@dataclass(frozen=True, kw_only=True)
class DataType:
    """A basic type with what constrains it; `basic` is List or Structure where it is none.

    `definitions` are the names of the data types of the feature that it is wrapped in, the outermost first.
    """

    basic: str
    definitions: tuple[str, ...] = ()
    unit: SilaUnit | None = None
    low: float | None = None
    high: float | None = None
    levels: tuple[Value, ...] | None = None
    shortest: int = 0
    longest: int = LONGEST
    patterns: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether a value of it is one number, word, or yes or no."""
        return self.basic in PLAIN

    @property
    def words(self) -> str:
        """Say what it is, for people."""
        return f"{'an' if self.basic[0] in 'AI' else 'a'} {self.basic}"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A parameter, a response or a property: its name and its type."""

    name: str
    type: DataType


@dataclass(frozen=True, kw_only=True)
class Property(Field):
    """A property; an observable one can be followed."""

    observable: bool


@dataclass(frozen=True, kw_only=True)
class Order:
    """A command of a feature."""

    name: str
    observable: bool
    parameters: tuple[Field, ...]
    responses: tuple[Field, ...]
    intermediates: tuple[Field, ...]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A feature. `id` is its fully qualified identifier, such as `org.silastandard/core/SiLAService/v1`."""

    id: str
    name: str
    orders: tuple[Order, ...]
    properties: tuple[Property, ...]


def read_definition(feature_id: str, root: Any) -> Definition:
    """Read the root element of a feature definition that agrees with the schema."""
    known = {_text(node, "Identifier"): node for node in root.findall(f"{SILA}DataTypeDefinition")}
    return Definition(
        id=feature_id,
        name=_text(root, "Identifier"),
        orders=tuple(_order(node, known) for node in root.findall(f"{SILA}Command")),
        properties=tuple(
            Property(name=f.name, type=f.type, observable=_is_observable(node))
            for node in root.findall(f"{SILA}Property")
            for f in [_field(node, known)]
        ),
    )


def _order(node: Any, known: Mapping[str, Any]) -> Order:
    def fields(tag: str) -> tuple[Field, ...]:
        return tuple(_field(found, known) for found in node.findall(f"{SILA}{tag}"))

    return Order(
        name=_text(node, "Identifier"),
        observable=_is_observable(node),
        parameters=fields("Parameter"),
        responses=fields("Response"),
        intermediates=fields("IntermediateResponse"),
    )


def _field(node: Any, known: Mapping[str, Any]) -> Field:
    return Field(name=_text(node, "Identifier"), type=_type(node.find(f"{SILA}DataType"), known))


def _type(node: Any, known: Mapping[str, Any]) -> DataType:
    [child] = [found for found in node if isinstance(found.tag, str)]
    match child.tag.removeprefix(SILA):
        case "Basic":
            return DataType(basic=child.text.strip())
        case "Constrained":
            inner = _type(child.find(f"{SILA}DataType"), known)
            for constraint in child.find(f"{SILA}Constraints"):
                if isinstance(constraint.tag, str):
                    inner = _constrained(inner, constraint.tag.removeprefix(SILA), constraint)
            return inner
        case "DataTypeIdentifier":
            name = child.text.strip()
            inner = _type(known[name].find(f"{SILA}DataType"), known)
            return replace(inner, definitions=(name, *inner.definitions))
        case other:
            return DataType(basic=other)


def _constrained(inner: DataType, kind: str, node: Any) -> DataType:
    """Return the type with one more constraint; one that does not bear on a single value is left to the server."""
    if kind == "Unit":
        return replace(inner, unit=_unit(node))
    if kind == "Set":
        found = [_read(inner, value.text or "") for value in node.findall(f"{SILA}Value")]
        return replace(inner, levels=tuple(v for v in found if inner.levels is None or v in inner.levels))
    if inner.basic in NUMBERS and kind.startswith(("Minimal", "Maximal")):
        return _bounded(inner, kind, float(node.text))
    if inner.basic == "String":
        match kind:
            case "MinimalLength":
                return replace(inner, shortest=max(inner.shortest, int(node.text)))
            case "MaximalLength":
                return replace(inner, longest=min(inner.longest, int(node.text)))
            case "Length":
                return replace(inner, shortest=int(node.text), longest=int(node.text))
            case "Pattern":
                return replace(inner, patterns=(*inner.patterns, node.text or ""))
    return inner


def _bounded(inner: DataType, kind: str, bound: float) -> DataType:
    """Return the type with one more bound; an exclusive one becomes the next number inside."""
    lower, exclusive = kind.startswith("Minimal"), kind.endswith("Exclusive")
    if inner.basic == "Integer":
        bound = float(math.ceil(bound) if lower else math.floor(bound)) if not exclusive else _next_whole(bound, lower)
    elif exclusive:
        bound = math.nextafter(bound, math.inf if lower else -math.inf)
    if lower:
        return replace(inner, low=bound if inner.low is None else max(inner.low, bound))
    return replace(inner, high=bound if inner.high is None else min(inner.high, bound))


def _next_whole(bound: float, lower: bool) -> float:
    return float(math.floor(bound) + 1 if lower else math.ceil(bound) - 1)


def _unit(node: Any) -> SilaUnit:
    # sila2 0.14 reads every exponent as the name of the unit, so it is read here.
    parts = tuple(
        (_text(part, "SIUnit"), int(_text(part, "Exponent"))) for part in node.findall(f"{SILA}UnitComponent")
    )
    return SilaUnit(
        label=_text(node, "Label"),
        factor=float(_text(node, "Factor")),
        offset=float(_text(node, "Offset")),
        components=parts,
    )


def _read(inner: DataType, text: str) -> Value:
    if inner.basic == "Real":
        return float(text)
    return int(float(text)) if inner.basic == "Integer" else text


def _is_observable(node: Any) -> bool:
    return _text(node, "Observable") == "Yes"


def _text(node: Any, tag: str) -> str:
    return str(node.findtext(f"{SILA}{tag}", "")).strip()


def names(fields: Sequence[Field]) -> str:
    """List fields for people."""
    return ", ".join(f.name for f in fields) or "nothing"
