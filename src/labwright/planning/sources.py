"""What sources say, as far as it helps: a Gaussian process of each one's answers, a hint to those of the trials."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from labwright.core.problem import Problem
from labwright.core.source import Source
from labwright.core.trial import Proposal, Trial
from labwright.inference import GaussianProcess, Observations, kernel
from labwright.inference.arrays import Array
from labwright.planning.acquisition import log_probability
from labwright.planning.candidates import remaining
from labwright.planning.encoding import Encoding
from labwright.planning.learning import Fits
from labwright.planning.objectives import losses_of
from labwright.planning.sampling import starts
from labwright.planning.screening import Screen
from labwright.planning.search import best_new

MOST = 300  # answers that a process is of
FEWEST = 8  # answers below which nobody can say whether they hang together
SKILL = 0.3  # of the variation of the answers, explained when each is left out: of 20 shuffled ones, 1 in 20 has more
FIRST = 2  # trials of the first design that are where the sources expect the best
SURE = 1.0  # natural logarithm: how much likelier a voice must make the outcomes before it is heeded
APART = 0.5  # standard deviations that a point loses for each factor e by which it is like one that was tried
EVEN = 512
REMEMBERED = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Voice:
    """What a source says of one outcome anywhere: a process of its answers. Called, it is a hint."""

    source: str
    outcome: str
    process: GaussianProcess

    @cached_property
    def skill(self) -> float:
        """How much of the variation of the answers the others explain, at most 1; answers by chance have none."""
        y = self.process.data.y
        expected, _ = self.process.leave_one_out()
        variation = float(((y - y.mean()) ** 2).sum())
        return 1 - float(((y - expected) ** 2).sum()) / variation if variation > 0 else 0.0

    def __call__(self, rows: Array) -> Array:
        """Return what it says at rows (m, d), (m,), as standard deviations of its answers from their mean."""
        hyper = self.process.hyperparameters
        return (self.process.expect(rows) - hyper.offset) / hyper.spread


class Sources:
    """The processes of sources, so that none is made twice: a planner keeps them from one choice to the next."""

    def __init__(self, fits: Fits) -> None:
        self._fits = fits
        self._kept: OrderedDict[tuple[str, bytes, bytes, bytes], Voice] = OrderedDict()

    def voices(self, problem: Problem) -> tuple[Voice, ...]:
        """Return what each source says of each outcome, where its answers hang together."""
        pairs = ((source, outcome) for source in problem.sources for outcome in problem.outcomes)
        found = (self._voice(problem, source, outcome) for source, outcome in pairs)
        return tuple(voice for voice in found if voice is not None and voice.skill > SKILL)

    def _voice(self, problem: Problem, source: Source, outcome: str) -> Voice | None:
        known = [a for a in source.usable(problem.space) if outcome in a.outcomes]
        if len(known) < FEWEST:
            return None
        # In some order of its own: a table may be sorted, and a fit takes every so manieth row.
        known = [known[i] for i in np.random.default_rng(0).permutation(len(known))[:MOST]]
        encoding = Encoding.of(problem.space)
        x, y = encoding.points([a.point for a in known]), np.array([a.outcomes[outcome] for a in known])
        key = (f"{source.name}/{outcome}", x.tobytes(), y.tobytes(), encoding.categorical.tobytes())
        if key not in self._kept:
            process = self._fits.process(Observations.of(x, y, encoding.categorical))
            self._kept[key] = Voice(source=source.name, outcome=outcome, process=process)
            if len(self._kept) > REMEMBERED:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def heeding(data: Observations, voices: Sequence[Voice], fits: Fits) -> GaussianProcess:
    """Return the process of some outcomes, proportional to those of the voices that the outcomes speak for.

    A voice is heeded where, by itself, it makes each outcome likelier to be expected from the others.
    """
    alone = fits.process(data)
    if not voices:
        return alone
    least = _density(alone) + SURE
    heeded = tuple(v for v in voices if _density(fits.process(replace(data, hints=(v,)))) > least)
    return fits.process(replace(data, hints=heeded)) if heeded else alone


def _density(process: GaussianProcess) -> float:
    """Return the log density of each outcome as expected from all others, summed, but for a constant."""
    mean, variance = process.leave_one_out()
    return float((-((process.data.y - mean) ** 2) / (2 * variance) - np.log(variance) / 2).sum())


def weights(process: GaussianProcess, problem: Problem) -> dict[str, float]:
    """Return the share of the signal that is proportional to each source, by its name; 0: it is not heeded."""
    shares = zip(process.data.hints, process.hyperparameters.shares, strict=True)
    heeded = {hint.source: float(share) for hint, share in shares if isinstance(hint, Voice)}
    return {source.name: heeded.get(source.name, 0.0) for source in problem.sources}


def advised(problem: Problem, voices: Sequence[Voice], tried: Sequence[Trial], seed: int) -> Proposal:
    """Return the point where the sources expect the best, unlike those that were tried."""
    space, encoding = problem.space, Encoding.of(problem.space)
    rng = np.random.default_rng([seed, len(tried)])
    known = encoding.trials(tried) if tried else np.empty((0, len(encoding.categorical)))

    def wish(rows: Array) -> Array:
        return desired(problem, voices, rows, known)

    candidates = remaining(space, tried)
    if candidates is None:
        answered = np.vstack([voice.process.x for voice in voices])
        begin = np.vstack([starts(encoding, EVEN, rng), encoding.snap(answered)])
        point, _ = best_new(wish, begin, encoding, tried, rng)
    else:
        scales = np.array([v.process.hyperparameters.lengthscales for v in voices]).min(axis=0)
        index, _ = Screen(rng).best(wish, candidates, scales)
        point = candidates.point(index)
    names = " and ".join(dict.fromkeys(v.source for v in voices))
    return Proposal(point=point, source="gp", reason=f"where {names} expect{'' if ' and ' in names else 's'} the best")


def desired(problem: Problem, voices: Sequence[Voice], rows: Array, known: Array) -> Array:
    """Return how good rows (m, d) are by what the sources say, and how unlike those known (k, d), (m,)."""
    total = np.zeros(len(rows))
    for voice in voices:
        mean, variance = voice.process.predict(rows)
        for objective in (o for o in problem.objectives if o.name == voice.outcome):
            total -= losses_of([objective], mean[:, None])[:, 0] / voice.process.spread
        for constraint in (c for c in problem.constraints if c.name == voice.outcome):
            total += log_probability(mean, np.sqrt(variance), constraint.low, constraint.high)
        if len(known):
            scales, categorical = voice.process.hyperparameters.lengthscales, voice.process.data.categorical
            alike = kernel.cross_covariance(known, rows, scales, categorical).max(axis=0)
            total += APART * np.log(np.maximum(1 - alike, 1e-12))
    return total
