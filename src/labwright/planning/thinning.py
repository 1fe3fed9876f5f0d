"""Which of very many trials a model is made from: its time grows with the square of their number and more."""

from collections.abc import Sequence

import numpy as np

from labwright.core.problem import Problem
from labwright.core.trial import Trial, may_be_best, winners

MOST = 2000


def thinned(problem: Problem, history: Sequence[Trial], *, most: int = MOST) -> Sequence[Trial]:
    """Return at most so many of the trials, in their order: half of them the best, the others spread evenly.

    Among the best are those that answer the question, as far as there is room. Few trials come back as they are.
    """
    if len(history) <= most:
        return history
    fit = [i for i, t in enumerate(history) if may_be_best(problem, t)]
    answers = {id(t) for t in winners(problem, history)}
    fit.sort(key=lambda i: (id(history[i]) not in answers, problem.rank(history[i].outcomes)))
    best = set(fit[: most // 2])
    others = np.array([i for i in range(len(history)) if i not in best])
    even = others[np.linspace(0, len(others) - 1, most - len(best)).round().astype(int)]
    return [history[i] for i in sorted(best.union(even.tolist()))]
