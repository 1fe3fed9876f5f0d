"""Work for people: what is to be done, and what they report."""

from collections.abc import Mapping
from dataclasses import dataclass

from labwright.core.capability import Input
from labwright.core.command import Measurement


@dataclass(frozen=True, kw_only=True)
class Task:
    """One piece of work for a person. `given`: what is set; `fields`: what is to be reported, with units and limits."""

    title: str
    instructions: str
    given: Mapping[str, Measurement]
    fields: tuple[Input, ...]
