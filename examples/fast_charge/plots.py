"""One picture of the campaign: the best so far, and the course of the charge that was found."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from compare import HOTTEST, LEAST_ANODE, Judged
from matplotlib.axes import Axes
from model import CAPACITY, MAX_VOLTAGE

FOUND, CONSTANT, LIMIT = "#0b6e99", "#8a8984", "#c4554d"
COURSES = (
    ("current", "current (C)", CAPACITY, None),
    ("voltage", "voltage (V)", 1.0, MAX_VOLTAGE),
    ("temperature", "temperature (°C)", 1.0, HOTTEST),
    ("anode", "anode potential (V)", 1.0, LEAST_ANODE),
)


def draw(path: Path, minutes: Sequence[float], found: Judged, constant: Judged) -> None:
    """Write a PNG; `minutes` has one value per trial, NaN where a trial did not keep the limits."""
    figure = plt.figure(figsize=(11, 6), layout="constrained")
    left, right = figure.subfigures(1, 2)
    _trials(left.subplots(), np.array(minutes), constant)
    axes = right.subplots(len(COURSES), 1, sharex=True)
    for axis, course in zip(axes, COURSES, strict=True):
        _course(axis, *course, found, constant)
    axes[-1].set_xlabel("time (min)")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _trials(axis: Axes, minutes: np.ndarray, constant: Judged) -> None:
    number = np.arange(1, len(minutes) + 1)
    best = np.fmin.accumulate(minutes)
    axis.plot(number, minutes, "o", color=FOUND, alpha=0.4, label="a charge that kept all limits")
    axis.step(number, best, where="post", color=FOUND, label="the best so far")
    broke = number[np.isnan(minutes)]
    axis.plot(
        broke,
        np.full(len(broke), 0.02),
        "|",
        color=LIMIT,
        transform=axis.get_xaxis_transform(),
        label="one that did not",
    )
    axis.axhline(constant.values["minutes"], color=CONSTANT, linestyle="--", label="the fastest constant current")
    axis.set(xlabel="trial", ylabel="minutes from 10 % to 80 %")
    axis.legend(frameon=False)


def _course(
    axis: Axes, name: str, label: str, unit: float, limit: float | None, found: Judged, constant: Judged
) -> None:
    for judged, color in ((constant, CONSTANT), (found, FOUND)):
        axis.plot(judged.trace.time / 60, getattr(judged.trace, name) / unit, color=color)
    if limit is not None:
        axis.axhline(limit, color=LIMIT, linewidth=0.8, linestyle=":")
    axis.set_ylabel(label)
