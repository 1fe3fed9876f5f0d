"""What a campaign file says of a program."""

import shlex
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt

from labwright.resources.plain import Duration, InputOptions


def _words(found: Any) -> Any:
    if isinstance(found, str):
        try:
            found = shlex.split(found)
        except ValueError as error:
            raise ValueError(f"{found!r} cannot be split into words: {error}") from error
    if isinstance(found, list):
        return [str(word) if isinstance(word, int | float) and not isinstance(word, bool) else word for word in found]
    return found


class CommandOptions(BaseModel):
    """`run`: the program and its arguments, as a list or as one line; no shell reads it. `outputs`: the unit of each,
    or `file` for the name of one in its folder.

    `timeout`: in seconds, or as `10 min`; `folder`: where it is started, from the campaign's folder; `environment`:
    what is added to the environment; `batch`: the most trials that it takes at once, and then it always gets and gives
    lists.
    """

    model_config = ConfigDict(extra="forbid")

    run: Annotated[list[str], BeforeValidator(_words, json_schema_input_type=list[str] | str), Field(min_length=1)]
    inputs: dict[str, InputOptions] = {}
    outputs: Annotated[dict[str, str | None], Field(min_length=1)]
    repeatable: bool = False
    timeout: Duration = 600.0
    folder: str = "."
    environment: dict[str, str] = {}
    batch: PositiveInt | None = None
