"""Numbers and levels in the options of a resource, where YAML's true and false are neither."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from labwright.core.values import Value


def _not_true_or_false(found: Any) -> Any:
    if isinstance(found, bool):
        raise ValueError("it is read as true or false; write a word in quotes, or a number")
    return found


Number = Annotated[float, BeforeValidator(_not_true_or_false)]
Level = Annotated[Value, BeforeValidator(_not_true_or_false)]
