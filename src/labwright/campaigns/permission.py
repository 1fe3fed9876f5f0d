"""What must be asked before a trial may begin, and whether it was answered."""

from labwright.campaigns.wiring import Wiring
from labwright.core.approval import Question, content_of, question_of, rules_for
from labwright.core.procedure import names_of
from labwright.core.values import Point, digest
from labwright.core.verdict import Verdict
from labwright.safety.gate import Gate


class Permission:
    """Puts a campaign's proposals before its gate, and what the gate leaves to people before them."""

    def __init__(self, wiring: Wiring, gate: Gate) -> None:
        self._wiring = wiring
        self._campaign = wiring.campaign
        self._gate = gate

    def review(self, point: Point) -> Verdict:
        """Return what the gate says of a point."""
        return self._gate.review(self._wiring.plan(point))

    def question(self, number: int, point: Point, verdict: Verdict) -> Question:
        """Return what people are asked about a trial: its exact content, and the rules that want them."""
        names = names_of(self._wiring.problem.space, point)
        rules = rules_for(self._campaign.approvals, names)
        content = content_of(
            self._wiring.plan(point),
            campaign=self._campaign.name,
            file=digest(self._campaign.text),
            trial=number,
            space=self._wiring.problem.space,
            capabilities=self._wiring.capabilities,
            reasons=verdict.reasons,
        )
        return question_of(rules, content, verdict.reasons)
