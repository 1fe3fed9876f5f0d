"""A proposal and its life: what the planner sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labwright.core.attachment import HandedIn
from labwright.core.moment import moment
from labwright.core.problem import Aim, Problem
from labwright.core.states import TrialState
from labwright.core.values import Point


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the planner expects of one outcome, before the trial: mean and standard deviation in the outcome's unit."""

    mean: float
    sd: float


PERSON = "person"  # the source of a point that somebody asked for


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One point in the space, its source, and why it was chosen.

    `grounds`: the numbers behind the reason, named under a heading each, such as what `matters` by the model.
    """

    point: Point
    source: str
    reason: str
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    acquisition: float | None = None
    p_feasible: float | None = None
    grounds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{'a person' if self.source == PERSON else self.source}: {self.reason}"


PENDING = frozenset(
    {TrialState.PROPOSED, TrialState.CLEARED, TrialState.WAITING, TrialState.RUNNING, TrialState.UNKNOWN}
)
NO_BUDGET = frozenset({TrialState.REFUSED, TrialState.WITHDRAWN})


@dataclass(frozen=True, kw_only=True)
class Correction:
    """One act of a person on a trial that had ended: `correct`, `exclude` or `include`, with its reason.

    `outcomes` are those that hold since then. Nothing is overwritten: the newest act says how the trial stands.
    """

    kind: str
    why: str
    at: str
    outcomes: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What somebody said of a trial, in their own words: they approved it, recorded a result, decided an unknown run.

    `by`: their name, as far as it was told; `run`: the run that it is about, if not the trial as a whole; `sealed`: the
    digest of what they reported, where they have shown who they are; `files`: what they handed in.
    """

    trial: int
    at: str
    what: str
    by: str | None
    why: str | None
    run: int | None = None
    sealed: str | None = None
    files: tuple[HandedIn, ...] = ()

    def __str__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        signed = f" (signed, sha256 {self.sealed[:12]})" if self.sealed else ""
        return f"{self.what}{by}, {moment(self.at)}{signed}{f': {self.why}' if self.why else ''}"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The life of one proposal. `outcomes` are in the campaign's units; `why`: why it failed or was refused.

    Where a person corrected them, `outcomes` are the newest, `measured` those that came back, and `corrected` says why.
    `excluded`: why a person wants nothing concluded from it. `imported`: the sha256 of the table that it came from.
    `counted_as`: what its number counts: trials of a campaign, or the lines of somebody's table.
    """

    number: int
    proposal: Proposal
    state: TrialState
    outcomes: Mapping[str, float] = field(default_factory=dict)
    why: str | None = None
    campaign: str = ""
    proposed_at: str = ""
    ended_at: str | None = None
    measured: Mapping[str, float] | None = None
    corrected: str | None = None
    excluded: str | None = None
    imported: str | None = None
    counted_as: str = "trial"

    @property
    def id(self) -> str:
        """The trial's name for people: campaign/number."""
        return f"{self.campaign}/{self.number}"

    @property
    def place(self) -> str:
        """What a reason calls it: `trial 8`, `line 8`."""
        return f"{self.counted_as} {self.number}"

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
        """Whether the trial counts as an experiment: refused, withdrawn and imported ones do not."""
        return self.state not in NO_BUDGET and self.imported is None

    @property
    def remark(self) -> str | None:
        """What a person must know to read its outcomes: why it failed, was refused, was corrected or is excluded."""
        said = [f"excluded: {self.excluded}"] if self.excluded else []
        said += [f"corrected: {self.corrected}"] if self.corrected else []
        if self.why:
            said.append(f"failed before: {self.why}" if self.state is TrialState.OBSERVED else self.why)
        return "; ".join(said) or None


def teaches(trial: Trial) -> bool:
    """Whether a trial has ended and something may be concluded from it."""
    return not trial.is_pending and trial.excluded is None


def taught(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that a planner learns from."""
    return [t for t in trials if teaches(t)]


def may_be_best(problem: Problem, trial: Trial) -> bool:
    """Whether a trial gave every objective and keeps every constraint, at a point that may be chosen."""
    if trial.state is not TrialState.OBSERVED or trial.excluded is not None or not problem.answers(trial.outcomes):
        return False
    # Only what was imported can lie outside: the gate refuses everything else.
    return trial.imported is None or not problem.space.problems(trial.point)


def best(problem: Problem, trials: Sequence[Trial]) -> Trial | None:
    """Return the observed trial that satisfies every constraint and is the best; of a front, by the first objective."""
    fit = [t for t in trials if may_be_best(problem, t)]
    return min(fit, key=lambda t: (problem.rank(t.outcomes), t.number), default=None)


def front(problem: Problem, trials: Sequence[Trial]) -> list[Trial]:
    """Return the Pareto front, the best by the first objective first.

    Those that may be the best and that no other dominates: none is as good in every objective and better in one.
    """
    fit = [(problem.losses(t.outcomes), t) for t in trials if may_be_best(problem, t)]
    kept: list[tuple[tuple[float, ...], Trial]] = []
    # In this order none is dominated by one that comes after it.
    for losses, trial in sorted(fit, key=lambda one: (one[0], one[1].number)):
        if not any(k != losses and all(a <= b for a, b in zip(k, losses, strict=True)) for k, _ in kept):
            kept.append((losses, trial))
    return [trial for _, trial in kept]


def winners(problem: Problem, trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that answer the question: the front where it is asked for, otherwise the best, if any."""
    if problem.aim is Aim.FRONT:
        return front(problem, trials)
    found = best(problem, trials)
    return [] if found is None else [found]
