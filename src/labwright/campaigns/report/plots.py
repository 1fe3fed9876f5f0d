"""What is drawn of a campaign, onto given axes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labwright.campaigns.report.canvas import FAINT, INK, Axes
from labwright.campaigns.report.marks import VALUED, Mark, alone, drawable, mark_of, marked, records
from labwright.campaigns.report.scales import Scale, label, set_x, set_y, short
from labwright.campaigns.report.words import headed, percent
from labwright.core.problem import Goal, Objective, OutcomeConstraint, Problem
from labwright.core.space import Parameter
from labwright.core.trial import Trial, best
from labwright.planning.fit import WITHIN_90, LeftOut
from labwright.planning.stopping import Outlook

# Okabe and Ito's colours, which the colour-blind tell apart; the shapes differ as well.
BLUE, VERMILION, GOLD, PURPLE = "#0072b2", "#d55e00", "#e69f00", "#a8518a"
STYLES: Mapping[Mark, Mapping[str, Any]] = {
    Mark.KEEPS: {"marker": "o", "s": 30, "color": BLUE, "edgecolor": "white", "linewidth": 0.6, "alpha": 0.85},
    Mark.BREAKS: {"marker": "^", "s": 34, "facecolor": "white", "edgecolor": VERMILION, "linewidth": 1.3},
    Mark.FAILED: {"marker": "x", "s": 26, "color": INK, "linewidth": 1.3},
    Mark.REFUSED: {"marker": "|", "s": 44, "color": PURPLE, "linewidth": 1.6},
    Mark.EXCLUDED: {"marker": "+", "s": 30, "color": FAINT, "linewidth": 1.3},
    Mark.OPEN: {"marker": "o", "s": 22, "facecolor": "white", "edgecolor": FAINT, "linewidth": 1.0},
}
STAR: Mapping[str, Any] = {"marker": "*", "s": 190, "color": GOLD, "edgecolor": INK, "linewidth": 0.8, "zorder": 4}
SHELF = 0.09
# From so many trials on, points are drawn as dots of an image: the page stays small.
MANY = 250


def progress(axes: Axes, problem: Problem, objective: Objective, trials: Sequence[Trial]) -> None:
    """Draw each trial's objective, and the best so far as a line."""
    question, trials = alone(problem, objective), drawable(trials)
    held = records(question, trials)
    if held:
        steps = [*held, held[-1]]
        ends = [*(t.number for t in held), max(t.number for t in trials)]
        heights = [t.outcomes[objective.name] for t in steps]
        axes.step(ends, heights, where="post", color=BLUE, linewidth=2, alpha=0.55, zorder=1.5, label="best so far")
    if objective.target is not None:
        axes.axhline(objective.target, color=FAINT, linewidth=1.2, linestyle="--", label="target")
    _scatter(axes, problem, trials, objective.name, [t.number for t in trials])
    winner = best(question, trials)
    if winner is not None:
        _star(axes, winner.number, winner.outcomes[objective.name])
    axes.set_xlabel("trial")
    axes.set_ylabel(label(headed(objective.name, objective.unit)))
    _number_trials(axes, trials)
    _legend(axes)


def gained(axes: Axes, found: Sequence[tuple[int, float]], last: int) -> None:
    """Draw the hypervolume of the front over the trials."""
    ends, volumes = [n for n, _ in found], [volume for _, volume in found]
    axes.step([*ends, last], [*volumes, volumes[-1]], where="post", color=BLUE, linewidth=2)
    axes.set_xlabel("trial")
    axes.set_ylabel("hypervolume of the front")
    axes.set_ylim(bottom=0)
    _number(axes, last)


def traded(
    axes: Axes,
    problem: Problem,
    pair: tuple[Objective, Objective],
    trials: Sequence[Trial],
    found: Sequence[Trial],
) -> None:
    """Draw one objective over another; the front as stars, and as stairs where the two are all that is wanted."""
    across, up = pair
    known = [t for t in drawable(trials) if across.name in t.outcomes and up.name in t.outcomes]
    known = [t for t in known if mark_of(problem, t) in VALUED]
    _scatter(axes, problem, known, up.name, [t.outcomes[across.name] for t in known])
    corners = [(t.outcomes[across.name], t.outcomes[up.name]) for t in drawable(found)]
    if len(problem.objectives) == 2 and Goal.MATCH not in (across.goal, up.goal):
        axes.step(*zip(*corners, strict=True), where="post", color=GOLD, linewidth=1.5, zorder=1.5)
    axes.scatter(*zip(*corners, strict=True), label="on the front", **{**STAR, "s": 90})
    axes.set_xlabel(label(headed(across.name, across.unit)))
    axes.set_ylabel(label(headed(up.name, up.unit)))


def against(
    axes: Axes, problem: Problem, objective: Objective, parameter: Parameter, scale: Scale, trials: Sequence[Trial]
) -> None:
    """Draw each trial's objective over one parameter; levels with long names stand below each other."""
    trials = drawable(trials)
    _scatter(axes, problem, trials, objective.name, scale.places(parameter, trials), lying=scale.lying)
    winner = best(alone(problem, objective), trials)
    if winner is not None:
        spot = (scale.places(parameter, [winner])[0], winner.outcomes[objective.name])
        _star(axes, *(reversed(spot) if scale.lying else spot))
    title = label(headed(objective.name, objective.unit))
    if scale.lying:
        set_y(axes, scale)
        axes.set_xlabel(title)
    else:
        set_x(axes, scale)
        axes.set_ylabel(title)


def held_to(axes: Axes, problem: Problem, constraint: OutcomeConstraint, trials: Sequence[Trial]) -> None:
    """Draw an outcome over the trials with its limits; what lies beyond them is shaded."""
    limits = [limit for limit in (constraint.low, constraint.high) if math.isfinite(limit)]
    for limit in limits:
        axes.axhline(limit, color=VERMILION, linewidth=1.5, zorder=1.5)
    _scatter(axes, problem, drawable(trials), constraint.name, [t.number for t in trials])
    axes.set_xlabel("trial")
    axes.set_ylabel(label(headed(constraint.name, constraint.unit)))
    low, high = axes.get_ylim()
    for limit, beyond in ((constraint.low, low), (constraint.high, high)):
        if limit in limits:
            axes.axhspan(limit, beyond, color=VERMILION, alpha=0.07, linewidth=0, zorder=0)
    axes.set_ylim(low, high)
    _number_trials(axes, trials)


def left_out(axes: Axes, found: Sequence[LeftOut], starred: LeftOut | None, title: str) -> None:
    """Draw what was observed against what the model expected of it from all other trials, with its 90 % interval."""
    means, observed = [f.mean for f in found], [f.observed for f in found]
    ends = [min(means + observed), max(means + observed)]
    axes.plot(ends, ends, color=FAINT, linewidth=1.2, linestyle="--", label="as expected")
    thin = {"elinewidth": 0.9, "markersize": 5 if len(found) <= MANY else 3}
    axes.errorbar(
        observed,
        means,
        yerr=[WITHIN_90 * f.sd for f in found],
        fmt="o",
        color=BLUE,
        ecolor="#9cc3dd",
        mec="white",
        mew=0.5,
        **thin,
    )
    if starred is not None:
        _star(axes, starred.observed, starred.mean)
    axes.set_xlabel(f"{label(title)}, observed")
    axes.set_ylabel("predicted without it, 90 % interval")


def prospects(axes: Axes, found: Mapping[int, Outlook], title: str) -> None:
    """Draw what each trial was expected to gain and what was left to gain at most, beside the noise."""
    numbers = list(found)
    lines = {
        "left to gain at most": ([f.left for f in found.values()], VERMILION, "-"),
        "expected gain of the next": ([f.gain for f in found.values()], BLUE, "-"),
        "noise": ([f.noise for f in found.values()], FAINT, "--"),
    }
    for name, (heights, color, style) in lines.items():
        # What is not above 0 has no place on an axis of ratios.
        shown = [height if height > 0 else math.nan for height in heights]
        axes.plot(numbers, shown, label=name, color=color, linestyle=style, linewidth=1.8, marker=".", markersize=4)
    if any(f.gain > 0 or f.left > 0 or f.noise > 0 for f in found.values()):
        axes.set_yscale("log")
    axes.set_xlabel("trial")
    axes.set_ylabel(label(title))
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    _legend(axes)


def shares(axes: Axes, found: Mapping[str, float]) -> None:
    """Draw each parameter's share of the changes as a bar, the largest on top."""
    rows = sorted(found.items(), key=lambda item: item[1])
    bars = axes.barh(range(len(rows)), [share for _, share in rows], color=BLUE, alpha=0.85, height=0.62)
    axes.bar_label(bars, labels=[percent(share) for _, share in rows], padding=4, color=INK)
    axes.set_yticks(range(len(rows)), [short(name) for name, _ in rows])
    axes.set_xlim(0, 1.12 * max(found.values()))
    axes.set_xticks([])
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel("share of the predicted changes")


def _scatter(
    axes: Axes,
    problem: Problem,
    trials: Sequence[Trial],
    outcome: str,
    places: Sequence[float],
    *,
    lying: bool = False,
) -> None:
    """Draw the trials that measured the outcome at their values, and the others on a shelf at the axis' beginning."""
    place = {t.number: x for t, x in zip(trials, places, strict=True)}
    dots, without = len(trials) > MANY, []
    for mark, some in marked(problem, trials).items():
        known = [t for t in some if mark in VALUED and outcome in t.outcomes]
        xs, ys = [place[t.number] for t in known], [t.outcomes[outcome] for t in known]
        if known:
            spots, meaning = (ys, xs) if lying else (xs, ys), _meaning(problem, mark)
            axes.scatter(*spots, label=meaning, rasterized=dots, **STYLES[mark])
        rest = [place[t.number] for t in some if mark not in VALUED or outcome not in t.outcomes]
        without += [(mark, rest)] if rest else []
    if without:
        _shelf(axes, without, lying=lying, dots=dots)


def _shelf(axes: Axes, without: Sequence[tuple[Mark, Sequence[float]]], *, lying: bool, dots: bool) -> None:
    """Draw the trials that have no value beside the axis, so that they are seen where they were tried."""
    low, high = axes.get_xlim() if lying else axes.get_ylim()
    room = (high - low) * SHELF / (1 - SHELF)
    (axes.set_xlim if lying else axes.set_ylim)(low - room, high)
    (axes.axvspan if lying else axes.axhspan)(low - room, low, color="#f0f3f6", linewidth=0, zorder=0)
    transform = axes.get_yaxis_transform() if lying else axes.get_xaxis_transform()
    for mark, xs in without:
        level = [SHELF / 2] * len(xs)
        spots = (level, xs) if lying else (xs, level)
        axes.scatter(*spots, transform=transform, label=str(mark), rasterized=dots, **STYLES[mark], zorder=3)


def _star(axes: Axes, x: float, y: float) -> None:
    axes.scatter([x], [y], label="the best found", **STAR)


def _meaning(problem: Problem, mark: Mark) -> str:
    return "result" if mark is Mark.KEEPS and not problem.constraints else str(mark)


def _legend(axes: Axes) -> None:
    axes.figure.legend(loc="outside upper left", ncols=6, handletextpad=0.4, columnspacing=1.4, borderpad=0.1)


def _number_trials(axes: Axes, trials: Sequence[Trial]) -> None:
    _number(axes, max(t.number for t in trials))


def _number(axes: Axes, last: int) -> None:
    axes.set_xlim(1 - 0.02 * last - 0.5, last + 0.02 * last + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
