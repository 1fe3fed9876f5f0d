"""All that is on record of one trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labwright.core.belief import GivenBelief
from labwright.core.campaign import Campaign
from labwright.core.capability import Capability
from labwright.core.command import Measurement, Observation
from labwright.core.material import Sample
from labwright.core.run import Run
from labwright.core.trial import Correction, Statement, Trial


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial with its runs, its samples, what was changed after it had ended, and what people said of it.

    `capabilities` are as their resources declared them; `files`: where each kept file lies, by its reference;
    `beliefs`: what people said, while the campaign was under way, of where they expect the best.
    """

    campaign: Campaign
    trial: Trial
    runs: Sequence[Run]
    capabilities: Mapping[str, Capability]
    samples: Sequence[Sample]
    corrections: Sequence[Correction]
    statements: Sequence[Statement]
    files: Mapping[str, Path]
    beliefs: Sequence[GivenBelief] = ()

    @property
    def units(self) -> dict[str, str | None]:
        """The unit of each outcome: as the campaign declares it, or else the resource that gives it."""
        units: dict[str, str | None] = {}
        for step in self.campaign.procedure:
            declared = self._outputs(step.use)
            units |= {name: declared.get(output) for name, output in step.gives.items()}
        return {**units, **self.campaign.units}

    def _outputs(self, use: str) -> dict[str, str | None]:
        declared = self.capabilities.get(use)
        return {} if declared is None else {output.name: output.unit for output in declared.outputs}

    def sent(self, run: Run) -> dict[str, Measurement]:
        """Return what a run set for this trial."""
        member = next(m for m in run.members if m.trial == self.trial.number)
        return member.sent(self.capabilities.get(run.use))

    def given(self, run: Run, found: Observation) -> dict[str, Measurement]:
        """Return what came back; a value without a unit is in that of its output, or else of the outcome that it is."""
        taken = {output: self.campaign.units.get(n) for n, output in self.campaign.procedure[run.step].gives.items()}
        declared = {n: u for n, u in self._outputs(run.use).items() if u}
        units = {**taken, **declared}
        return {n: m if m.unit else replace(m, unit=units.get(n)) for n, m in found.values.items()}

    def said_of(self, run: Run | None) -> list[Statement]:
        """Return what people said of one of its runs, or of the trial as a whole."""
        return [s for s in self.statements if s.run == (None if run is None else run.id)]
