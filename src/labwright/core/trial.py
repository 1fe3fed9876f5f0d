"""A proposal and its life: what the planner sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labwright.core.problem import Problem
from labwright.core.states import TrialState
from labwright.core.values import Point


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the planner expects of one outcome, before the trial: mean and standard deviation in the outcome's unit."""

    mean: float
    sd: float


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One point in the space, its source, and why it was chosen."""

    point: Point
    source: str
    reason: str
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    acquisition: float | None = None
    p_feasible: float | None = None


PENDING = frozenset(
    {TrialState.PROPOSED, TrialState.CLEARED, TrialState.WAITING, TrialState.RUNNING, TrialState.UNKNOWN}
)
NO_BUDGET = frozenset({TrialState.REFUSED, TrialState.WITHDRAWN})


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The life of one proposal. `outcomes` are in the campaign's units; `why`: why it failed or was refused."""

    number: int
    proposal: Proposal
    state: TrialState
    outcomes: Mapping[str, float] = field(default_factory=dict)
    why: str | None = None
    campaign: str = ""
    proposed_at: str = ""
    ended_at: str | None = None

    @property
    def id(self) -> str:
        """The trial's name for people: campaign/number."""
        return f"{self.campaign}/{self.number}"

    @property
    def point(self) -> Point:
        """The point that is tried."""
        return self.proposal.point

    @property
    def is_pending(self) -> bool:
        """Whether a result may still come."""
        return self.state in PENDING

    @property
    def uses_budget(self) -> bool:
        """Whether the trial counts as an experiment: refused and withdrawn ones do not."""
        return self.state not in NO_BUDGET


def best(problem: Problem, trials: Sequence[Trial]) -> Trial | None:
    """Return the observed trial that satisfies every constraint and has the best first objective."""
    objective = problem.objective
    fit = [
        t
        for t in trials
        if t.state is TrialState.OBSERVED and objective.name in t.outcomes and problem.feasible(t.outcomes)
    ]
    return min(fit, key=lambda t: (objective.loss(t.outcomes[objective.name]), t.number), default=None)
