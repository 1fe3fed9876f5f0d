"""What was reached of the objectives, and how much a point would gain on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from labwright.core.problem import Aim, Goal, Objective, Problem
from labwright.core.trial import Trial, may_be_best
from labwright.inference import GaussianProcess
from labwright.inference.arrays import Array
from labwright.planning.acquisition import log_volume_gain
from labwright.planning.desirability import log_desirability, log_desirability_gain
from labwright.planning.pareto import Boxes, free_boxes, hypervolume, nondominated, reference_point

CELLS = 200_000  # points times boxes at once
ALMOST_MET = 1e-6
# A front of more trials than this is thinned for choosing: its boxes grow with the power floor(m / 2) and more.
MOST = {1: 1, 2: 500, 3: 200, 4: 60, 5: 20}
MOST_OF_MANY = 10
# The largest front whose growth is computed for a report, and after how many trials at most.
LARGEST = {2: 1000, 3: 500, 4: 100, 5: 40}
MOMENTS = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Reached:
    """The losses (k, m) that are to be improved on: of the best trial, of the front, of the most desirable trial.

    `reference` (m,): the losses from which on a trial is of no use. `floor` (m,): the least losses that are told apart:
    where a target is met already, what is nearer still by a millionth of the outcome's spread is a gain.
    """

    problem: Problem
    losses: Array
    reference: Array
    floor: Array

    @classmethod
    def of(cls, problem: Problem, processes: Sequence[GaussianProcess], losses: Array) -> "Reached":
        """Return what was reached by some losses (n, m), n >= 1; one process for each objective."""
        matches = [o.goal is Goal.MATCH for o in problem.objectives]
        floor = np.where(matches, [ALMOST_MET * p.spread for p in processes], -np.inf)
        none = cls(problem=problem, losses=np.empty((0, len(floor))), reference=reference(problem, losses), floor=floor)
        return none.with_also(losses)

    def with_also(self, losses: Array) -> "Reached":
        """Return what is reached once trials with these losses (n, m) count as well."""
        known = np.vstack([self.losses, np.maximum(losses, self.floor)])
        match self.problem.aim:
            case Aim.BEST:
                kept = known[[known[:, 0].argmin()]]
            case Aim.DESIRABILITY:
                kept = known[[log_desirability(self.problem, known).argmax()]]
            case Aim.FRONT:
                kept = known[nondominated(known)]
        return replace(self, losses=kept)

    def log_gain(self, mean: Array, sd: Array) -> Array:
        """Return the log of what is to be expected of outcomes (n, m): improvement, hypervolume, or desirability."""
        if self.problem.aim is Aim.DESIRABILITY:
            return log_desirability_gain(self.problem, mean, sd, self.losses)
        free, objectives = self._free, self.problem.objectives
        step = max(CELLS // len(free), 1)
        parts = [slice(start, start + step) for start in range(0, max(len(mean), 1), step)]
        return np.concatenate([log_volume_gain(objectives, mean[part], sd[part], free) for part in parts])

    @cached_property
    def _free(self) -> Boxes:
        most = MOST.get(len(self.floor), MOST_OF_MANY)
        return free_boxes(_thinned(self.losses, most), self.reference)


def losses_of(objectives: Sequence[Objective], outcomes: Array) -> Array:
    """Return the losses (n, m) of outcomes (n, m), one column for each objective."""
    losses = outcomes.astype(float)
    for j, objective in enumerate(objectives):
        match objective.goal:
            case Goal.MAXIMIZE:
                losses[:, j] = -losses[:, j]
            case Goal.MATCH:
                assert objective.target is not None
                losses[:, j] = np.abs(losses[:, j] - objective.target)
    return losses


def reference(problem: Problem, losses: Array) -> Array:
    """Return the losses (m,) from which on a trial is of no use: as the file says, or by what was found (n, m)."""
    if problem.aim is not Aim.FRONT:
        return np.full(losses.shape[1], np.inf)
    found = reference_point(losses[nondominated(losses)], losses)
    said = [np.nan if o.worst is None else o.loss(o.worst) for o in problem.objectives]
    return np.where(np.isnan(said), found, said)


def hypervolumes(problem: Problem, trials: Sequence[Trial]) -> list[tuple[int, float]] | None:
    """Return the hypervolume of the front after each trial that changed it: the trial's number, and the volume.

    It is counted up to `reference_of` all trials. Of many such trials, some are taken. None where it would take long.
    """
    fit = sorted((t for t in trials if may_be_best(problem, t)), key=lambda t: t.number)
    if not fit:
        return []
    losses = np.array([problem.losses(t.outcomes) for t in fit])
    if nondominated(losses).sum() > LARGEST.get(losses.shape[1], 0):
        return None
    ends, changes = reference(problem, losses), _changes(losses)
    some = (
        changes
        if len(changes) <= MOMENTS
        else [changes[i] for i in np.linspace(0, len(changes) - 1, MOMENTS).astype(int)]
    )
    return [(fit[i].number, hypervolume(losses[: i + 1], ends)) for i in some]


def _changes(losses: Array) -> list[int]:
    """Return the rows that those before them do not dominate, nor equal."""
    return [i for i, row in enumerate(losses) if not (losses[:i] <= row).all(axis=1).any()]


def reference_of(problem: Problem, trials: Sequence[Trial]) -> list[float]:
    """Return the losses up to which a front counts, by what was measured; there must be a result."""
    losses = np.array([problem.losses(t.outcomes) for t in trials if may_be_best(problem, t)])
    return [float(loss) for loss in reference(problem, losses)]


def _thinned(losses: Array, most: int) -> Array:
    """Return at most so many rows (k, m), spread as far apart as they go, the best in each objective among them."""
    if len(losses) <= most:
        return losses
    low, high = losses.min(axis=0), losses.max(axis=0)
    scaled = (losses - low) / np.where(high > low, high - low, 1.0)
    kept = list(dict.fromkeys(scaled.argmin(axis=0).tolist()))[:most]
    away = np.linalg.norm(scaled[:, None] - scaled[kept], axis=2).min(axis=1)
    while len(kept) < most:
        kept.append(int(away.argmax()))
        away = np.minimum(away, np.linalg.norm(scaled - scaled[kept[-1]], axis=1))
    return losses[kept]
