import pytest

from labwright.core.errors import InvalidTransition
from labwright.core.states import (
    CAMPAIGN_TRANSITIONS,
    RUN_TRANSITIONS,
    TRIAL_TRANSITIONS,
    CampaignState,
    RunState,
    TrialState,
    after,
)


def ways(transitions):
    return {(before.value, end.value) for (before, _), end in transitions.items()}


def test_a_run_moves_only_as_the_design_says():
    assert ways(RUN_TRANSITIONS) == {
        ("queued", "leased"), ("queued", "skipped"), ("queued", "cancelled"),
        ("leased", "queued"), ("leased", "intended"),
        ("intended", "done"), ("intended", "failed"), ("intended", "unknown"), ("intended", "queued"),
        ("unknown", "done"), ("unknown", "failed"), ("unknown", "queued"),
        ("queued", "unknown"), ("leased", "unknown"),
    }  # fmt: skip


def test_a_trial_moves_only_as_the_design_says():
    assert ways(TRIAL_TRANSITIONS) == {
        ("proposed", "cleared"), ("proposed", "waiting"), ("proposed", "refused"),
        ("proposed", "withdrawn"),
        ("waiting", "cleared"), ("waiting", "refused"), ("waiting", "withdrawn"), ("cleared", "running"),
        ("running", "observed"), ("running", "failed"), ("running", "unknown"), ("unknown", "running"),
        ("observed", "observed"), ("failed", "observed"),
    }  # fmt: skip


def test_a_campaign_that_has_ended_stays_so_unless_a_finished_one_is_given_more_trials():
    ended = (CampaignState.FINISHED, CampaignState.STOPPED, CampaignState.FAILED)

    ways_out = {(before, action): end for (before, action), end in CAMPAIGN_TRANSITIONS.items() if before in ended}

    assert ways_out == {(CampaignState.FINISHED, "extend"): CampaignState.PAUSED}


def test_an_action_that_the_state_does_not_allow_says_what_is_possible():
    with pytest.raises(InvalidTransition, match=r"run 3 is leased: it cannot finish. Possible now: release, intend"):
        after(RUN_TRANSITIONS, "run 3", RunState.LEASED, "finish")

    with pytest.raises(InvalidTransition, match="nothing: it has ended"):
        after(TRIAL_TRANSITIONS, "trial 3", TrialState.REFUSED, "run")
