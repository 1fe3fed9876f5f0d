"""The check before anything moves: what is planned, and what a reviewer says of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from labwright.core.values import Point, Value


class Decision(IntEnum):
    """What a reviewer says; the larger, the stricter."""

    ALLOW = 0
    NEEDS_APPROVAL = 1
    UNKNOWN = 2
    REFUSE = 3


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A decision with its reasons."""

    decision: Decision
    reasons: tuple[str, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether nothing but the approval of people is missing."""
        return self.decision is Decision.NEEDS_APPROVAL

    @property
    def allowed(self) -> bool:
        """Whether the plan may go ahead now."""
        return self.decision is Decision.ALLOW


ALLOWED = Verdict(decision=Decision.ALLOW)


@dataclass(frozen=True, kw_only=True)
class Action:
    """One capability of one resource, with the inputs that are known before the trial, in the capability's units."""

    resource: str
    capability: str
    inputs: Mapping[str, Value]

    @property
    def name(self) -> str:
        """The capability's full name: resource.capability."""
        return f"{self.resource}.{self.capability}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a proposal, or one command, would set."""

    point: Point
    actions: tuple[Action, ...]


Reviewer: TypeAlias = Callable[[Plan], Verdict]


def strictest(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the strictest decision, with the reasons of all who did not allow. No verdict at all is unknown, so no."""
    if not verdicts:
        return Verdict(decision=Decision.UNKNOWN, reasons=("nobody reviewed it",))
    reasons = tuple(r for v in verdicts if not v.allowed for r in v.reasons)
    return Verdict(decision=max(v.decision for v in verdicts), reasons=reasons)
