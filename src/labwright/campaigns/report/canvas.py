"""Drawings as SVG, by matplotlib (extra `plots`)."""

import importlib
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from labwright.core.errors import InvalidInput, MissingExtra

Axes: TypeAlias = Any
Draw: TypeAlias = Callable[[Axes], None]

INK, FAINT, LINE = "#1f2933", "#5f6b7a", "#d5dbe3"
# Labels are measured in the wide font that matplotlib brings and shown in the reader's own, so that they always fit.
MEASURED_IN = "DejaVu Sans"
SHOWN_IN = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
STYLE: Mapping[str, object] = {
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.ymargin": 0.08,
    "axes.axisbelow": True,
    "font.family": MEASURED_IN,
    "font.size": 9,
    "grid.color": "#e8ecf1",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "labwright",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": LINE,
    "xtick.labelcolor": FAINT,
    "ytick.color": LINE,
    "ytick.labelcolor": FAINT,
}


def draw_stack(path: Path, draws: Sequence[Draw], *, width: float, height: float) -> None:
    """Write axes below each other, which share the horizontal one, to a file; its name says the format.

    Width of all and height of each in inches. A format that nobody knows raises InvalidInput.
    """
    style, figures = _matplotlib("style"), _matplotlib("figure")
    with style.context(["default", STYLE, {"savefig.transparent": False}]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure = figures.Figure(figsize=(width, height * len(draws)), layout="constrained")
        axes = figure.subplots(len(draws), 1, sharex=True, squeeze=False)
        for draw, found in zip(draws, axes[:, 0], strict=True):
            draw(found)
        try:
            figure.savefig(path, dpi=120)
        except ValueError as error:
            raise InvalidInput(f"{path}: {error} Name it .png, .svg or .pdf.") from error


def draw_svg(width: float, height: float, draw: Draw) -> str:
    """Return one pair of axes, drawn on, as SVG; width and height in inches. The same drawing gives the same text."""
    style, figures = _matplotlib("style"), _matplotlib("figure")
    out = io.StringIO()
    with style.context(["default", STYLE]), warnings.catch_warnings():
        # A name in a script that the font lacks is measured wrongly, yet shown rightly.
        warnings.simplefilter("ignore")
        figure = figures.Figure(figsize=(width, height), layout="constrained")
        draw(figure.subplots())
        figure.savefig(out, format="svg", dpi=120, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :].replace(f"'{MEASURED_IN}'", SHOWN_IN)


def _matplotlib(module: str) -> Any:
    try:
        return importlib.import_module(f"matplotlib.{module}")
    except ImportError as error:
        raise MissingExtra("plots", "A report") from error
