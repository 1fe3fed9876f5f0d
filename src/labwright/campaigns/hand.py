"""The scientist's hand: what a person may do to a campaign besides running it. All of it is appended to the record."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labwright.campaigns.assignments import outcomes_of, point_of, raise_all
from labwright.campaigns.history import Reading, history_of, read_history
from labwright.campaigns.spreadsheet import read_sheet
from labwright.core.campaign import Campaign, CampaignRecord
from labwright.core.errors import InvalidInput
from labwright.core.reason import legible, stated
from labwright.core.states import CampaignState, TrialState
from labwright.core.trial import PERSON, Proposal, Trial, taught
from labwright.core.values import digest
from labwright.storage.campaigns import Campaigns
from labwright.storage.corrections import Corrections
from labwright.storage.database.packing import pack
from labwright.storage.trials import Trials

ASKED = "a person asked for it"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What came of an import: the trials' numbers, none where the same was imported before, and words on the table."""

    numbers: tuple[int, ...]
    notes: tuple[str, ...] = ()


class Hand:
    """A person's hand on one campaign that is on record."""

    def __init__(self, campaign: Campaign, campaigns: Campaigns, trials: Trials, corrections: Corrections) -> None:
        self._campaign = campaign
        self._name = campaign.name
        self._campaigns = campaigns
        self._trials = trials
        self._corrections = corrections

    def add(self, texts: Sequence[str], *, why: str | None, count: int = 1) -> list[Trial]:
        """Record a point of one's own, `count` times; whoever conducts the campaign takes it up before its planner."""
        reason = legible((why or "").strip() or ASKED, "--why")
        proposal = Proposal(point=point_of(self._campaign, texts), source=PERSON, reason=reason)
        record = self._campaigns.get(self._name)
        budget = self._campaign.trials if record.budget is None else record.budget
        numbers = self._trials.propose(self._name, [proposal] * count, budget=budget)
        return [self._trials.get(self._name, number) for number in numbers]

    def correct(self, number: int, texts: Sequence[str], why: str) -> Trial:
        """Replace outcomes of a trial that has ended; a failed one must be given all that the campaign wants."""
        outcomes, why = outcomes_of(self._campaign, texts), stated(why)
        trial = self._trials.get(self._name, number)
        if trial.state is TrialState.FAILED:
            lacking = [n for n in self._campaign.problem.outcomes if n not in {**trial.outcomes, **outcomes}]
            wrong = [f"{n} is not set; a failed trial counts as observed only with all outcomes." for n in lacking]
            raise_all(f"The correction for {trial.id}", wrong, "nothing was written")
        return self._corrections.correct(self._name, number, outcomes, why)

    def exclude(self, number: int, why: str) -> Trial:
        """Have nothing concluded from a trial that has ended: neither by the planner, nor as the best."""
        return self._corrections.exclude(self._name, number, stated(why))

    def include(self, number: int, why: str) -> Trial:
        """Undo an exclusion."""
        return self._corrections.include(self._name, number, stated(why))

    def take_in(self, table: Path, reading: Reading, *, sheet: str | None = None) -> Imported:
        """Record the results of a table as history: all of them, or none where one is wrong."""
        origin = f"imported from {table.name}"
        history = read_history(self._campaign, read_sheet(table, sheet), reading, origin)
        sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
        numbers = self._trials.remember(self._name, history.earlier, sha256=sha256, origin=table.name)
        return Imported(numbers=tuple(numbers), notes=history.notes)

    def take_over(self, other: str, trials: Sequence[Trial]) -> Imported:
        """Record the results of another campaign of the same question as history, as they stand now."""
        told = [(t.point, t.outcomes, t.id) for t in taught(trials) if t.state is TrialState.OBSERVED]
        origin = f"campaign {other}"
        sha256 = digest(pack([[dict(point), dict(outcomes), called] for point, outcomes, called in told]))
        earlier = history_of(told, f"imported from {origin}")
        numbers = self._trials.remember(self._name, earlier, sha256=sha256, origin=origin) if earlier else []
        return Imported(numbers=tuple(numbers))

    def pause(self) -> CampaignState:
        """Have no new trial begun; those that were begun come to their end."""
        return self._campaigns.change(self._name, "pause", "paused by a person")

    def resume(self) -> CampaignState:
        """Let a paused campaign go on, as soon as a process conducts it."""
        return self._campaigns.change(self._name, "resume")

    def extend(self, more: int) -> CampaignRecord:
        """Allow so many trials more; a finished campaign is paused then, and goes on when it is run."""
        record = self._campaigns.get(self._name)
        if record.state in (CampaignState.STOPPED, CampaignState.FAILED):
            raise InvalidInput(
                f"Campaign {self._name!r} is {record.state} for good; nothing was changed. Begin another with the same "
                f"question: labwright clone {self._name} --new NAME --with-history."
            )
        return self._campaigns.extend(self._name, more, file_budget=self._campaign.trials)
