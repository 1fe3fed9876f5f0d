"""The trials that gave nothing yet, or nothing at all, each with its reason."""

from collections.abc import Sequence

from labwright.campaigns.report.html import Html, element, joined, section
from labwright.campaigns.report.words import counted
from labwright.core.states import TrialState
from labwright.core.trial import Trial

WORDS = {
    TrialState.UNKNOWN: "unknown; a person must look and decide",
    TrialState.WAITING: "waiting for the approval of people",
    TrialState.FAILED: "failed",
}


def attention(trials: Sequence[Trial]) -> Html:
    """Return the unknown, the waiting and the failed trials with their reasons; nothing where there are none."""
    lists = [_list([t for t in trials if t.state is state], words) for state, words in WORDS.items()]
    found = [one for one in lists if one is not None]
    return section("attention", "What gave no result", *found) if found else joined()


def _list(trials: Sequence[Trial], words: str) -> Html | None:
    if not trials:
        return None
    lines = [element("li", f"Trial {t.number}: {t.why or 'no reason is on record'}") for t in trials]
    return joined(element("p", f"{counted(len(trials), 'trial')} {words}:"), element("ul", *lines))
