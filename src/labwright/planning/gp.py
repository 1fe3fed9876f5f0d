"""Chooses by a Gaussian process of each outcome: the most to gain, where it is likely to be feasible."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, PositiveInt

from labwright.core.errors import PoolExhausted
from labwright.core.problem import Problem
from labwright.core.trial import Proposal, Trial
from labwright.core.values import Value
from labwright.inference.arrays import Array
from labwright.planning.asking import Asking
from labwright.planning.batch import apart, one_by_one
from labwright.planning.beliefs import around_beliefs, drawn
from labwright.planning.candidates import remaining
from labwright.planning.encoding import Encoding
from labwright.planning.learning import Fits
from labwright.planning.model import Model, learn
from labwright.planning.reasons import first_design, grounds_of, having_asked, reason
from labwright.planning.repeats import NOT_AGAIN, again, repeated
from labwright.planning.sampling import sample, starts
from labwright.planning.screening import Score, Screen
from labwright.planning.search import around, best_new
from labwright.planning.sources import FIRST, Sources, Voice, advised
from labwright.planning.thinning import thinned

EVEN = 512
AROUND = 128
SOME = 4  # trials of a front to look around
BELIEVED = 64
INITIAL = 5


class GaussianProcessPlanner:
    """Begins with a few points spread evenly, then maximises the log expected improvement times P(feasible).

    Of several objectives it is the hypervolume of their front that is improved, or their overall desirability.
    """

    learns: ClassVar[bool] = True  # from `Problem.beliefs` as well, and it says what is left to gain

    class Options(BaseModel, extra="forbid", frozen=True):
        """`initial`: how many trials to spread evenly before the model chooses; by default 5.

        `repeats`: once every candidate of a pool or of a few levels has been tried, whether noisy ones are tried again.
        """

        initial: PositiveInt | None = None
        repeats: bool = False

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or self.Options()
        self._fits = Fits()
        self._sources = Sources(self._fits)
        self._asking = Asking(self._fits, self._sources)

    def propose(
        self, problem: Problem, history: Sequence[Trial], pending: Sequence[Trial], count: int, *, seed: int
    ) -> list[Proposal]:
        """Return `count` proposals; see `Planner.propose`."""
        problem, asked = self._asking.told(problem, history, seed)
        initial, voices = self.options.initial or INITIAL, self._sources.voices(problem)
        taught = thinned(problem, history)
        enough = len(history) + len(pending) + count > initial
        model = learn(problem, taught, self._fits, voices) if enough else None

        def choose(running: Sequence[Trial]) -> Proposal:
            try:
                return new(running)
            except PoolExhausted as error:
                if not self.options.repeats:
                    raise
                some = model or learn(problem, taught, self._fits, voices)
                if (proposal := _again(some, history, running)) is None:
                    raise PoolExhausted(f"{error} {NOT_AGAIN}") from error
                return proposal

        def new(running: Sequence[Trial]) -> Proposal:
            tried = [*history, *running]
            if model is None or model.empty or len(tried) < initial:
                return first_design(_first(problem, voices, tried, initial, seed), len(tried), initial)
            believed = _believing(model, running)
            point, looked_at = _best(believed, history, running, seed, screen)
            return _proposal(model, believed, point, looked_at, taught)

        screen = Screen(np.random.default_rng([seed, len(history) + len(pending)]))
        found = one_by_one(count, pending, choose)
        return [having_asked(proposal, asked) for proposal in found] if asked else found


def _first(problem: Problem, voices: Sequence[Voice], tried: Sequence[Trial], initial: int, seed: int) -> Proposal:
    """Return a point of the first design: where the sources or the beliefs expect the best, or of an even spread."""
    if voices and len(tried) < min(FIRST, initial):
        return advised(problem, voices, tried, seed)
    moved = drawn(problem.space, problem.beliefs, len(tried), seed) if len(tried) < initial else None
    return sample(problem.space, tried, seed, moved=moved)


def _believing(model: Model, running: Sequence[Trial]) -> Model:
    return model.believing(Encoding.of(model.problem.space).trials(running)) if running else model


def _best(
    believed: Model, history: Sequence[Trial], running: Sequence[Trial], seed: int, screen: Screen
) -> tuple[dict[str, Value], Array]:
    """Return the best new point after what is running, and the rows that were looked at."""
    space, tried = believed.problem.space, [*history, *running]
    worth = apart(believed.worth, Encoding.of(space), running)
    candidates = remaining(space, tried)
    if candidates is None:
        return _searched(believed, worth, tried, seed)
    index, looked_at = screen.best(worth, candidates, believed.lengthscales)
    return candidates.point(index), looked_at


def _again(model: Model, history: Sequence[Trial], running: Sequence[Trial]) -> Proposal | None:
    believed = _believing(model, running)
    point = again(believed, history)
    if point is None:
        return None
    row = Encoding.of(model.problem.space).points([point])
    return repeated(_proposal(model, believed, point, row, history), [*history, *running])


def _searched(model: Model, worth: Score, tried: Sequence[Trial], seed: int) -> tuple[dict[str, Value], Array]:
    """Return the best new point, and the rows that were looked at."""
    encoding = Encoding.of(model.problem.space)
    rng = np.random.default_rng([seed, len(tried)])
    begin = [starts(encoding, EVEN, rng)]
    near = _some(model.winners, rng)
    begin += [around(row, AROUND // len(near), encoding, rng) for row in encoding.trials(near)] if near else []
    if beliefs := model.problem.beliefs:
        begin.append(around_beliefs(model.problem.space, beliefs, begin[0][:BELIEVED], rng))
    return best_new(worth, np.vstack(begin), encoding, tried, rng)


def _some(winners: Sequence[Trial], rng: np.random.Generator) -> list[Trial]:
    if len(winners) <= SOME:
        return list(winners)
    return [winners[i] for i in rng.choice(len(winners), SOME, replace=False)]


def _proposal(
    model: Model, believed: Model, point: dict[str, Value], looked_at: Array, history: Sequence[Trial]
) -> Proposal:
    """Return what is known of a point from what was measured; only its worth counts on what is running."""
    row = Encoding.of(model.problem.space).points([point])
    proposal = Proposal(
        point=point,
        source="gp",
        reason="",
        predictions=model.predictions(row),
        acquisition=float(believed.worth(row)[0]),
        p_feasible=float(np.exp(model.log_feasible(row)[0])) if model.is_constrained else None,
        grounds=grounds_of(model, history, row, looked_at),
    )
    return replace(proposal, reason=reason(model, history, proposal))
