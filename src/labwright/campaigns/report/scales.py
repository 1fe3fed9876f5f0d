"""Where the values of a parameter stand on an axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from labwright.campaigns.report.canvas import Axes
from labwright.campaigns.report.html import printable
from labwright.campaigns.report.words import headed
from labwright.core.space import Categorical, Continuous, Discrete, Ordinal, Parameter
from labwright.core.trial import Trial
from labwright.core.values import show

LONGEST = 22
MANY = 12
FITTING = 30
MARGIN = 0.04
SPREAD = 0.56
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One axis: its title, and either numbers from `low` to `high` or, where there are `levels`, one place for each."""

    title: str
    levels: tuple[str, ...] | None = None
    ticks: tuple[float, ...] | None = None
    log: bool = False
    low: float = 0.0
    high: float = 1.0

    @property
    def lying(self) -> bool:
        """Whether the labels are too long to stand side by side, so that the axis must be the vertical one."""
        return self.levels is not None and sum(len(short(level)) + 2 for level in self.levels) > FITTING

    def places(self, parameter: Parameter, trials: Sequence[Trial]) -> list[float]:
        """Return where each trial stands; those of one level are spread a little, always in the same way."""
        values = [t.point[parameter.name] for t in trials]
        if self.levels is None:
            return [float(value) for value in values]
        place = {level: i for i, level in enumerate(self.levels)}
        jitter = [SPREAD * (t.number * GOLDEN % 1.0 - 0.5) for t in trials]
        return [place[str(value)] + j for value, j in zip(values, jitter, strict=True)]


def scale_of(parameter: Parameter, trials: Sequence[Trial]) -> Scale:
    """Return the axis of a parameter: of many levels only those that were tried."""
    scale = Scale(title=label(headed(parameter.name, parameter.unit)))
    match parameter:
        case Continuous(low=low, high=high, log=log):
            return replace(scale, low=low, high=high, log=log, ticks=_log_ticks(low, high) if log else None)
        case Discrete(values=values):
            return replace(scale, ticks=values if len(values) <= MANY else None, low=values[0], high=values[-1])
        case Ordinal(levels=levels) | Categorical(levels=levels):
            tried = {str(t.point[parameter.name]) for t in trials}
            return replace(scale, levels=levels if len(levels) <= MANY else tuple(x for x in levels if x in tried))


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Return round numbers that stand well apart on a logarithmic axis."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [float(f"{digit}e{k}") for k in decades for digit in (1, 2, 5)]
    coarse = [float(f"1e{k}") for k in decades[:: 1 + len(decades) // 8]]
    fine, coarse = ([tick for tick in ticks if low <= tick <= high] for ticks in (fine, coarse))
    ticks = fine if len(fine) <= 8 else coarse
    return tuple(ticks) if len(ticks) > 1 else (low, high)


def set_x(axes: Axes, scale: Scale) -> None:
    """Set the horizontal axis."""
    axes.set_xlabel(scale.title)
    if scale.levels is not None:
        axes.set_xticks(range(len(scale.levels)), [short(level) for level in scale.levels])
        axes.set_xlim(-0.5, len(scale.levels) - 0.5)
        axes.grid(False, axis="x")
        return
    if scale.log:
        axes.set_xscale("log")
        axes.minorticks_off()
    if scale.ticks is not None:
        axes.set_xticks(scale.ticks, [show(tick) for tick in scale.ticks])
    axes.set_xlim(*_with_margin(scale))


def _with_margin(scale: Scale) -> tuple[float, float]:
    """Return the ends of the axis: all that could be chosen, whether tried or not, and a little more."""
    if scale.log:
        ratio = (scale.high / scale.low) ** MARGIN
        return scale.low / ratio, scale.high * ratio
    room = MARGIN * ((scale.high - scale.low) or 1.0)
    return scale.low - room, scale.high + room


def set_y(axes: Axes, scale: Scale) -> None:
    """Set the vertical axis of a parameter whose levels lie below each other, the first on top."""
    assert scale.levels is not None
    axes.set_ylabel(scale.title)
    axes.set_yticks(range(len(scale.levels)), [short(level) for level in scale.levels])
    axes.set_ylim(len(scale.levels) - 0.5, -0.5)


def short(text: str) -> str:
    """Return a level's name, cut where it is too long for a label."""
    text = label(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def label(text: str) -> str:
    """Return a text that can stand in a drawing: one line, nothing that cannot be printed."""
    return " ".join(printable(text).split())
