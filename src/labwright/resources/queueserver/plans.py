"""What an RE Manager says of its plans: their parameters, in Python's words."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from labwright.resources.served.kind import Kind, Unfit
from labwright.resources.served.skill import Action, Parameter

PLAIN = {"float": "number", "int": "integer", "bool": "boolean", "str": "string", "typing.Any": "any"}
NAMED = re.compile(r"__(DEVICE|READABLE|MOVABLE|FLYABLE|PLAN|PLAN_OR_DEVICE)__")
OPTIONAL = re.compile(r"typing\.Optional\[(.+)\]|typing\.Union\[(.+), (?:None|NoneType)\]|(.+) \| None")
MORE, KEYWORDS, AHEAD = "VAR_POSITIONAL", "VAR_KEYWORD", ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")


def read_plans(plans: Mapping[str, Any]) -> dict[str, Action]:
    """Return the plans of a manager by name."""
    return {
        str(name): Action(
            name=str(name),
            parameters=tuple(_parameter(p) for p in parameters_of(said) if _kind_of(p) != KEYWORDS),
        )
        for name, said in plans.items()
        if isinstance(said, Mapping)
    }


def parameters_of(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the parameters of a plan that have a name."""
    found = said.get("parameters")
    return [p for p in found if isinstance(p, Mapping) and "name" in p] if isinstance(found, list) else []


def called_with(said: Mapping[str, Any], arguments: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return arguments by place and by name; only those before an open list need their place. Raises Unfit."""
    parameters = parameters_of(said)
    more = next((i for i, p in enumerate(parameters) if _kind_of(p) == MORE), None)
    names = [str(p["name"]) for p in parameters]
    if more is None or names[more] not in arguments:
        return [], dict(arguments)
    before = [n for n, p in zip(names[:more], parameters, strict=False) if _kind_of(p) in AHEAD]
    if missing := [n for n in before if n not in arguments]:
        raise Unfit(f"{missing[0]} has to be given, for {names[more]} comes after it")
    rest = arguments[names[more]]
    listed = list(rest) if isinstance(rest, list) else [rest]
    taken = {*before, names[more]}
    return [arguments[n] for n in before] + listed, {n: v for n, v in arguments.items() if n not in taken}


def _kind_of(said: Mapping[str, Any]) -> str:
    kind = said.get("kind")
    return str(kind.get("name")) if isinstance(kind, Mapping) else ""


def _parameter(said: Mapping[str, Any]) -> Parameter:
    annotation = said.get("annotation")
    words = str(annotation.get("type", "")) if isinstance(annotation, Mapping) else ""
    if _kind_of(said) == MORE:
        return Parameter(name=str(said["name"]), kind=None, required=False, words="a list of further arguments")
    kind = _plain(words, annotation if isinstance(annotation, Mapping) else {}, said)
    return Parameter(name=str(said["name"]), kind=kind, required="default" not in said, words=words)


def _plain(words: str, annotation: Mapping[str, Any], said: Mapping[str, Any]) -> Kind | None:
    """Read a type as Python writes it; what has none may be anything that is plain."""
    optional = OPTIONAL.fullmatch(words)
    words = next(filter(None, optional.groups())) if optional else words
    levels = _levels(words, annotation)
    if levels is not None:
        return Kind(name="string" if all(isinstance(level, str) for level in levels) else "any", levels=levels)
    if NAMED.fullmatch(words):
        return Kind(name="string")
    name = PLAIN.get(words) if words else "any"
    if name is None:
        return None
    if name == "boolean":
        return Kind(name=name, levels=(0, 1))
    if name == "string":
        return Kind(name=name)
    return Kind(name=name, low=_number(said.get("min")), high=_number(said.get("max")))


def _levels(words: str, annotation: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Return what a type of the plan's own allows: names of devices and plans, or values."""
    listed: list[Any] = []
    for group in ("devices", "plans", "enums"):
        named = annotation.get(group)
        found = named.get(words) if isinstance(named, Mapping) else None
        if isinstance(found, Sequence) and not isinstance(found, str):
            listed += [value for value in found if isinstance(value, int | float | str) and not isinstance(value, bool)]
    return tuple(listed) or None


def _number(found: object) -> float | None:
    try:
        return float(str(found)) if found is not None else None
    except ValueError:
        return None
