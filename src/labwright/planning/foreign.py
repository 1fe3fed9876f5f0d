"""What the planners of other libraries share: how they compute alone and quietly, and what is theirs to choose from."""

import logging
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from labwright.core.problem import Problem
from labwright.core.states import TrialState
from labwright.core.trial import Proposal, Trial
from labwright.core.values import Point, Value
from labwright.inference.arrays import Array
from labwright.planning.candidates import Candidates
from labwright.planning.sampling import sample


def turn_seed(seed: int, turn: int) -> int:
    """Return the seed (32 bits) of the choice that comes after so many trials."""
    return int(np.random.SeedSequence([seed, turn]).generate_state(1)[0])


@contextmanager
def alone(seed: int) -> Iterator[None]:
    """Compute on one thread, with the generators of random, numpy and torch seeded, silently; then as it was before."""
    import torch

    python, legacy, threads, level = random.getstate(), np.random.get_state(), torch.get_num_threads(), _silence()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            logging.disable(level)
            torch.set_num_threads(threads)
            np.random.set_state(legacy)
            random.setstate(python)


def _silence() -> int:
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    return level


def nearest(candidates: Candidates, point: Point) -> dict[str, Value]:
    """Return the candidate nearest to a point: numbers scaled by their range, a category that differs counts 1."""
    return candidates.point(nearest_row(candidates, candidates.encoding.points([point])[0]))


def nearest_row(candidates: Candidates, target: Array) -> int:
    """Return the place of the candidate nearest to a row (d,), the first of equally near ones."""
    away = candidates.rows - target
    return int(np.where(candidates.encoding.categorical, away != 0, away**2).sum(axis=1).argmin())


def is_tried(point: Point, tried: Sequence[Trial]) -> bool:
    """Say whether a trial has been made at exactly that point."""
    return any(t.point == point for t in tried)


def spread_instead(problem: Problem, tried: Sequence[Trial], seed: int, why: str) -> Proposal:
    """Return the next point of an even spread, and say why no library chose it."""
    proposal = sample(problem.space, tried, seed)
    return replace(proposal, reason=f"{why}: {proposal.reason}")


def unmeasured(problem: Problem, history: Sequence[Trial]) -> list[str]:
    """Return the outcomes that no trial has measured."""
    known = {name for t in history if t.state is TrialState.OBSERVED for name in t.outcomes}
    return [name for name in problem.outcomes if name not in known]
