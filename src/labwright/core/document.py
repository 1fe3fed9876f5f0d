"""A YAML file whose every value knows its line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from labwright.core.values import is_number, unstorable
from labwright.core.yaml_faults import explain

MAX_BYTES = 1_000_000
MAX_DEPTH = 20

Path: TypeAlias = tuple[str | int, ...]
# Not 1_0 (10 to YAML), 010 (8) or 1:30 (90): a person may have meant another number.
_PLAIN = re.compile(r"[-+]?(0|[1-9]\d*|\d*\.\d*|\.inf|\.nan)([eE][-+]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Document:
    """The values of a file, and the line of each by its path."""

    data: Any
    lines: Mapping[Path, int]

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line of the value, or of the nearest part around it that exists."""
        for end in range(len(path), 0, -1):
            if tuple(path[:end]) in self.lines:
                return self.lines[tuple(path[:end])]
        return 1

    def at(self, path: Sequence[str | int]) -> Any:
        """Return the value at a path, or None where the file has none."""
        value = self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


class DocumentError(Exception):
    """The text is not a YAML document that is safe to read; the line and what is wrong with it."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        super().__init__(f"line {line}: {problem}")


def parse(text: str) -> Document:
    """Read one YAML document of plain values; aliases, tags, repeated keys and deep nesting raise DocumentError."""
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise DocumentError(1, f"the file is larger than {MAX_BYTES:,} bytes.")
    try:
        _check_events(text)
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines: dict[Path, int] = {}
        data = None if node is None else _build(loader, node, (), lines)
    except yaml.MarkedYAMLError as error:
        line, problem = explain(error, text)
        raise DocumentError(line, f"this is not YAML: {problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise DocumentError(1, f"this is not YAML: {error}.") from error
    return Document(data=data, lines=lines)


def _check_events(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise DocumentError(line, "anchors and aliases (& and *) are not allowed; write the value out.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise DocumentError(line, f"values are nested more than {MAX_DEPTH} deep.")


def _build(loader: yaml.SafeLoader, node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, item, (*path, i), lines) for i, item in enumerate(node.value)]
    value = loader.construct_object(node)
    _check_text(str(value), node.start_mark.line + 1)
    if is_number(value) and not _PLAIN.fullmatch(node.value):
        raise DocumentError(
            node.start_mark.line + 1,
            f"found {node.value}, which YAML reads as {value}. Write the number that you mean in plain digits.",
        )
    return value


def _check_text(text: str, line: int) -> None:
    if odd := unstorable(text):
        raise DocumentError(line, f"{text!a} holds {odd}, which is no text.")


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise DocumentError(line, "a key must be a word.")
        key = str(key_node.value)
        _check_text(key, line)
        if key in found:
            raise DocumentError(line, f"the key {key!r} stands twice; the first is on line {lines[*path, key]}.")
        lines[*path, key] = line
        found[key] = _build(loader, value_node, (*path, key), lines)
    return found
