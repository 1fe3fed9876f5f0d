"""What resources told while they worked, as a picture and as a table."""

import csv
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from labwright.campaigns.report.canvas import Axes, draw_stack
from labwright.core.telemetry import Kind, Quality
from labwright.storage.telemetry import Series

Told = Mapping[tuple[str, str], Series]  # by resource and channel
MARKS = {Quality.SUSPECT: ("o", "#b7791f"), Quality.BAD: ("x", "#c53030")}


def draw_telemetry(told: Told, path: Path) -> None:
    """Write a picture of channels over the same time; gaps stay open, and what is not good is marked."""
    begin = min((float(s.at[0]) for s in told.values() if len(s.at)), default=0.0)
    draws = [partial(_draw, name, series, begin) for name, series in sorted(told.items())]
    draw_stack(path, draws, width=9, height=2.2)


def write_csv(told: Told, path: Path) -> int:
    """Write every sample in a row, in the order of time for each channel; return how many there are."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["resource", "channel", "unit", "time", "seconds since 1970", "value", "quality"])
        count = 0
        for (resource, channel), series in sorted(told.items()):
            for at, value, quality in zip(series.at.tolist(), series.values.tolist(), series.qualities, strict=True):
                when = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
                table.writerow([resource, channel, series.channel.unit or "", when, repr(at), value, quality.value])
                count += 1
    return count


def _draw(name: tuple[str, str], series: Series, begin: float, axes: Axes) -> None:
    times = [at - begin for at in series.at.tolist()]
    values = list(series.values.tolist())
    axes.set_ylabel(f"{name[0]}.{name[1]}{f' ({series.channel.unit})' if series.channel.unit else ''}")
    for gap in series.gaps:
        axes.axvspan(gap.start - begin, gap.end - begin, color="#f4d9d9", zorder=0)
    if series.channel.kind is Kind.WORD:
        axes.step(times, values, where="post")
    else:
        axes.plot(*_broken(times, values, series, begin), linewidth=1)
    for quality, (mark, colour) in MARKS.items():
        found = [i for i, q in enumerate(series.qualities) if q is quality and values[i] == values[i]]
        axes.plot([times[i] for i in found], [values[i] for i in found], mark, color=colour, markersize=4)
    for limit in (series.channel.low, series.channel.high):
        if limit is not None:
            axes.axhline(limit, color="#b7791f", linewidth=0.8, linestyle="--")
    axes.set_xlabel(f"seconds since {datetime.fromtimestamp(begin, UTC):%Y-%m-%d %H:%M:%S} UTC")
    axes.label_outer()


def _broken(times: list[float], values: list[float], series: Series, begin: float) -> tuple[list[float], list[float]]:
    """Return a line that is not drawn over gaps."""
    ends = [(gap.end - begin, math.nan) for gap in series.gaps]
    good = [(t, v) for t, v, q in zip(times, values, series.qualities, strict=True) if q is not Quality.BAD]
    found = sorted([*good, *ends], key=lambda pair: (pair[0], not math.isnan(pair[1])))
    return [t for t, _ in found], [v for _, v in found]
