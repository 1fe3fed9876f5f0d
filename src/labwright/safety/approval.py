"""Where the campaign wants people to look first."""

from collections.abc import Sequence

from labwright.core.approval import ApprovalRule, rules_for
from labwright.core.errors import InvalidInput
from labwright.core.procedure import names_of
from labwright.core.space import Space
from labwright.core.verdict import ALLOWED, Decision, Plan, Verdict


class ApprovalReviewer:
    """Asks for the approval of people wherever a rule of the campaign applies to the point."""

    def __init__(self, rules: Sequence[ApprovalRule], space: Space) -> None:
        self._rules = tuple(rules)
        self._space = space

    def __call__(self, plan: Plan) -> Verdict:
        """Name every rule that applies; one that cannot be held against the point is unknown, so no."""
        outside = [name for name in plan.point if name not in self._space.names]
        if outside:
            return Verdict(decision=Decision.UNKNOWN, reasons=(f"{', '.join(outside)}: not a parameter of the space",))
        try:
            rules = rules_for(self._rules, names_of(self._space, plan.point))
        except InvalidInput as error:
            return Verdict(decision=Decision.UNKNOWN, reasons=(f"safety: approval: {error}",))
        if not rules:
            return ALLOWED
        return Verdict(decision=Decision.NEEDS_APPROVAL, reasons=tuple(map(str, rules)))
