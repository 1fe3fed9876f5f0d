"""What a node says of itself: its actions, and their arguments and results."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from labwright.resources.served.kind import Kind, of_schema, resolved
from labwright.resources.served.skill import Action, Parameter

PLAIN = {"float": "number", "int": "integer", "bool": "boolean", "str": "string", "Any": "any"}
ALONE = "json_result"  # the name of a result that has none of its own


def read_actions(info: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Action]:
    """Return the actions of a node by name.

    `schema` is the OpenAPI page of the node, which knows limits and levels of arguments; it may be empty.
    """
    found = info.get("actions")
    actions = found if isinstance(found, Mapping) else {}
    return {str(name): _action(str(name), said, schema) for name, said in actions.items() if isinstance(said, Mapping)}


def merged(result: Any) -> Any:
    """Return a node's result as one object, where it is a list of objects of one key each."""
    if isinstance(result, list) and result and all(isinstance(part, Mapping) and len(part) == 1 for part in result):
        return {key: value for part in result for key, value in part.items()}
    return result


def _action(name: str, said: Mapping[str, Any], schema: Mapping[str, Any]) -> Action:
    typed = _typed_arguments(name, schema)
    parameters = [_argument(n, a, typed.get(n), schema) for n, a in _named(said.get("args"), "name").items()]
    for group in ("files", "locations"):
        words, place = f"a {group.removesuffix('s')}", "files" if group == "files" else "fixed"
        parameters += [
            Parameter(name=n, kind=None, required=bool(a.get("required")), words=words, place=place)
            for n, a in _named(said.get(group), "name").items()
        ]
    results = _named(said.get("results"), "result_label")
    return Action(
        name=name,
        parameters=tuple(parameters),
        results=tuple(r for n, d in results.items() for r in _results(n, d)),
    )


def _named(found: object, key: str) -> dict[str, Mapping[str, Any]]:
    """Return definitions by name, which a node gives as an object or as a list."""
    if isinstance(found, Mapping):
        return {str(name): said for name, said in found.items() if isinstance(said, Mapping)}
    listed: Sequence[Any] = found if isinstance(found, list) else ()
    return {str(said[key]): said for said in listed if isinstance(said, Mapping) and key in said}


def _argument(name: str, said: Mapping[str, Any], typed: object, schema: Mapping[str, Any]) -> Parameter:
    words = str(said.get("argument_type", ""))
    kind = of_schema(typed, schema) if typed is not None else None
    return Parameter(name=name, kind=kind or _kind(words), required=bool(said.get("required", True)), words=words)


def _kind(words: str) -> Kind | None:
    """Read a type as Python writes it."""
    optional = re.fullmatch(r"(?:Optional|Union)\[(\w+)(?:, NoneType)?\]", words)
    name = PLAIN.get(optional[1] if optional else words)
    if name is None:
        return None
    return Kind(name=name, levels=(0, 1) if name == "boolean" else None)


def _typed_arguments(name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON Schema of each argument of an action; empty where the page does not say it."""
    found: Any = schema
    for key in ("paths", f"/action/{name}", "post", "requestBody", "content", "application/json", "schema"):
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    arguments = resolved(resolved(found, schema).get("properties", {}).get("args", {}), schema)
    properties = arguments.get("properties", {})
    return properties if isinstance(properties, Mapping) else {}


def _results(name: str, said: Mapping[str, Any]) -> list[str]:
    """Return the names of the plain values of a result."""
    if said.get("result_type") == "datapoint":
        return [name]
    root = said.get("json_schema")
    if said.get("result_type") != "json" or not isinstance(root, Mapping):
        return []
    properties = root.get("properties", {})
    wrapped = properties.get("data") if isinstance(properties, Mapping) and set(properties) == {"data"} else None
    if wrapped is not None and of_schema(wrapped, root) is not None:
        return [name]
    found = resolved(wrapped, root).get("properties", {}) if wrapped is not None else properties
    plain = [key for key, part in found.items() if key != "type" and not _may_be_null(part) and of_schema(part, root)]
    return [str(key) for key in plain]


def _may_be_null(part: object) -> bool:
    return isinstance(part, Mapping) and {"type": "null"} in part.get("anyOf", ())
