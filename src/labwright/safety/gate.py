"""The check before anything moves, made of reviewers; the strictest wins."""

from collections.abc import Sequence

from labwright.core.verdict import Plan, Reviewer, Verdict, strictest


class Gate:
    """Asks every reviewer. A gate without reviewers allows nothing."""

    def __init__(self, reviewers: Sequence[Reviewer]) -> None:
        self._reviewers = tuple(reviewers)

    def review(self, plan: Plan) -> Verdict:
        """Return the strictest verdict, with the reasons of all who did not allow."""
        return strictest([reviewer(plan) for reviewer in self._reviewers])
