"""The states of a campaign, a trial and a run, and the only ways from one to the next."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from labwright.core.errors import InvalidTransition


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


class TrialState(StrEnum):
    """Where a trial stands."""

    PROPOSED = "proposed"
    CLEARED = "cleared"
    WAITING = "waiting"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    RUNNING = "running"
    OBSERVED = "observed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    LEASED = "leased"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    INTENDED = "intended"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class TaskState(StrEnum):
    """Where a task for a person stands. Withdrawn: its run has ended without it, and nobody waits for it any more."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


CAMPAIGN_TRANSITIONS: Mapping[tuple[CampaignState, str], CampaignState] = {
    (CampaignState.DRAFT, "start"): CampaignState.RUNNING,
    (CampaignState.RUNNING, "pause"): CampaignState.PAUSED,
    (CampaignState.PAUSED, "resume"): CampaignState.RUNNING,
    (CampaignState.RUNNING, "finish"): CampaignState.FINISHED,
    (CampaignState.RUNNING, "stop"): CampaignState.STOPPED,
    (CampaignState.PAUSED, "stop"): CampaignState.STOPPED,
    (CampaignState.RUNNING, "fail"): CampaignState.FAILED,
    (CampaignState.DRAFT, "extend"): CampaignState.DRAFT,
    (CampaignState.RUNNING, "extend"): CampaignState.RUNNING,
    (CampaignState.PAUSED, "extend"): CampaignState.PAUSED,
    (CampaignState.FINISHED, "extend"): CampaignState.PAUSED,  # nobody conducts it before somebody says so
}

TRIAL_TRANSITIONS: Mapping[tuple[TrialState, str], TrialState] = {
    (TrialState.PROPOSED, "clear"): TrialState.CLEARED,
    (TrialState.PROPOSED, "hold"): TrialState.WAITING,
    (TrialState.PROPOSED, "refuse"): TrialState.REFUSED,
    (TrialState.PROPOSED, "withdraw"): TrialState.WITHDRAWN,
    (TrialState.WAITING, "clear"): TrialState.CLEARED,
    (TrialState.WAITING, "refuse"): TrialState.REFUSED,
    (TrialState.WAITING, "withdraw"): TrialState.WITHDRAWN,
    (TrialState.CLEARED, "run"): TrialState.RUNNING,
    (TrialState.RUNNING, "observe"): TrialState.OBSERVED,
    (TrialState.RUNNING, "fail"): TrialState.FAILED,
    (TrialState.RUNNING, "lose"): TrialState.UNKNOWN,
    (TrialState.UNKNOWN, "decide"): TrialState.RUNNING,
    (TrialState.OBSERVED, "correct"): TrialState.OBSERVED,
    (TrialState.FAILED, "correct"): TrialState.OBSERVED,
}

RUN_TRANSITIONS: Mapping[tuple[RunState, str], RunState] = {
    (RunState.QUEUED, "lease"): RunState.LEASED,
    (RunState.QUEUED, "skip"): RunState.SKIPPED,
    (RunState.QUEUED, "cancel"): RunState.CANCELLED,
    (RunState.LEASED, "release"): RunState.QUEUED,
    (RunState.LEASED, "intend"): RunState.INTENDED,
    (RunState.INTENDED, "finish"): RunState.DONE,
    (RunState.INTENDED, "fail"): RunState.FAILED,
    (RunState.INTENDED, "lose"): RunState.UNKNOWN,
    (RunState.INTENDED, "requeue"): RunState.QUEUED,
    (RunState.UNKNOWN, "finish"): RunState.DONE,
    (RunState.UNKNOWN, "fail"): RunState.FAILED,
    (RunState.UNKNOWN, "requeue"): RunState.QUEUED,
    # A restored database is from the past: what it holds as open may have been carried out since.
    (RunState.QUEUED, "doubt"): RunState.UNKNOWN,
    (RunState.LEASED, "doubt"): RunState.UNKNOWN,
    (RunState.INTENDED, "doubt"): RunState.UNKNOWN,
}

OPEN_RUNS = (RunState.QUEUED, RunState.LEASED, RunState.INTENDED, RunState.UNKNOWN)
LIVE_RUNS = (RunState.LEASED, RunState.INTENDED, RunState.UNKNOWN)  # they take up room on their resource

S = TypeVar("S", bound=StrEnum)


def after(transitions: Mapping[tuple[S, str], S], what: str, state: S, action: str) -> S:
    """Return the state that the action leads to; one that the table lacks raises InvalidTransition."""
    found = transitions.get((state, action))
    if found is None:
        raise InvalidTransition(what, state, action, [a for s, a in transitions if s == state])
    return found
