"""Which keys are possible at a place of a campaign file."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel


def meant(key: str, model: type[BaseModel], location: Sequence[str | int]) -> str:
    """Say which key was meant at a location within a model, or which ones are possible there."""
    possible = possible_keys(model, location)
    close = difflib.get_close_matches(key, [k for k in possible if k != key], n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Possible here: {', '.join(possible)}." if possible else " There are none here."


def possible_keys(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys of the part at a location as pydantic writes it: keys, indexes, and the tags of unions."""
    parts: list[Any] = [model]
    for step in location:
        parts = [inner for part in parts for inner in _inside(part, step)]
        tagged = [part for part in parts if step in _kinds(part)]
        parts = tagged or parts
    return list(dict.fromkeys(key for part in parts if _is_model(part) for key in _keys(part)))


def _inside(part: Any, step: str | int) -> Iterator[Any]:
    """Yield what a step from a part may lead to; a step that only names a branch of a union stays where it is."""
    arguments = get_args(part)
    if _is_model(part):
        field = {_key(name, f): f for name, f in part.model_fields.items()}.get(str(step))
        yield from [part] if field is None else _branches(field.annotation)
    elif isinstance(get_origin(part), type) and len(arguments) > 0:
        yield from _branches(arguments[-1] if arguments[-1] is not ... else arguments[0])


def _branches(annotation: Any) -> Iterator[Any]:
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        yield from _branches(arguments[0])
    elif isinstance(get_origin(annotation), type) and issubclass(get_origin(annotation), (dict, list, tuple)):
        yield annotation
    elif arguments:
        for argument in arguments:
            yield from _branches(argument)
    else:
        yield annotation


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _keys(model: type[BaseModel]) -> list[str]:
    return [_key(name, field) for name, field in model.model_fields.items()]


def _key(name: str, field: Any) -> str:
    return field.alias or name


def _kinds(part: Any) -> tuple[Any, ...]:
    """Return the tags of a branch of a union, such as `discrete`."""
    if not _is_model(part):
        return ()
    if tag := getattr(part, "tag", None):  # of a union that no key tells apart
        return (tag,)
    return get_args(part.model_fields["kind"].annotation) if "kind" in part.model_fields else ()
