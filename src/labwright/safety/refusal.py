"""What is said of an order: act on it, it is known, or it is refused, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from labwright.core.values import Value

LONGEST = 60  # characters of a stranger's text that are repeated


class Answer(StrEnum):
    """What becomes of an order."""

    ACT = "act"
    KNOWN = "known"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The rule that said no, the channel it spoke of if any, and what was found, expected and is to be done."""

    rule: str
    words: str
    channel: str | None = None

    def __str__(self) -> str:
        place = f"{self.rule}: {self.channel}" if self.channel else self.rule
        return f"{place}: {self.words}"


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The answer to one order.

    `values`: what may be set, in the units of the channels; `digest`: of the mode and these values; `crashed`: a rule
    failed, so that nothing it stands for can be relied on; `ticket`: the arming under which it was decided.
    """

    answer: Answer
    refusal: Refusal | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    digest: str = ""
    crashed: bool = False
    ticket: object = None

    @property
    def acts(self) -> bool:
        """Whether the instrument may be told, now and once."""
        return self.answer is Answer.ACT


def refused(rule: str, words: str, channel: str | None = None) -> Refusal:
    """Return a refusal; the name of a channel may be a stranger's text as well."""
    return Refusal(rule=rule, words=words, channel=None if channel is None else shortened(channel))


def shown(value: object) -> str:
    """Write what a stranger sent, however long or odd, in a few characters."""
    if type(value) is str:
        return ascii(value) if len(value) <= LONGEST else f"{value[:LONGEST]!a} and {len(value) - LONGEST} more"
    if type(value) is int and value.bit_length() > LONGEST:
        return f"a whole number of {value.bit_length()} bits"
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    return f"something of type {shortened(type(value).__name__)}"


def shortened(text: str) -> str:
    """Return the beginning of a text."""
    return text[:LONGEST]
