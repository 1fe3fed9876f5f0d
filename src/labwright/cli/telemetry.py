"""What resources told while they worked: shown, written as a table, or drawn."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.campaign import AsJson

if TYPE_CHECKING:
    from labwright.core.values import Json
    from labwright.storage.telemetry import Series

Told = Annotated[
    str, typer.Argument(metavar="TRIAL", help="A trial as NAME/7, or a campaign by its name.", show_default=False)
]


def telemetry(
    target: Told,
    *,
    channel: Annotated[
        list[str] | None,
        typer.Option("--channel", metavar="CHANNEL", help="Only this channel; may be given several times."),
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write every sample as a row.")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it, as .png, .svg or .pdf (extra `plots`).")
    ] = None,
    json: AsJson = False,
) -> None:
    """Show what resources told while they worked: each channel's samples, range and gaps."""
    from labwright.campaigns.report.telemetry import draw_telemetry, write_csv
    from labwright.cli import machine
    from labwright.core.errors import NotFound
    from labwright.storage.telemetry import summary

    told = _told(target)
    chosen = {key: series for key, series in told.items() if not channel or key[1] in channel}
    if unknown := [name for name in channel or () if name not in {key[1] for key in told}]:
        names = ", ".join(sorted({key[1] for key in told})) or "none"
        raise NotFound(f"{target} has no channel {unknown[0]!r}; it has {names}.")
    if json:
        found: list[Json] = [*summary(chosen)]
        machine.print_json(found)
    else:
        typer.echo("\n".join(_lines(chosen)) or f"Nothing was told during {target}.")
    if csv is not None:
        typer.echo(f"{csv} has {write_csv(chosen, csv)} samples.", err=json)
    if plot is not None and chosen:
        draw_telemetry(chosen, plot)
        typer.echo(f"{plot} shows it.", err=json)


def _told(target: str) -> "Mapping[tuple[str, str], Series]":
    from labwright.cli.target import find_campaign, find_trial, is_trial, make_app

    number = None
    if is_trial(target):
        folder, name, number = find_trial(target)
    else:
        folder, name = find_campaign(target)
    with make_app().laboratory(folder) as laboratory:
        return laboratory.told(name, number)


def _lines(told: "Mapping[tuple[str, str], Series]") -> Iterator[str]:
    from labwright.storage.telemetry import summary

    for said in summary(told):
        yield _line(said)
        series = told[str(said["resource"]), str(said["channel"])]
        yield from (f"  gap of {gap.end - gap.start:.3g} s: {gap.why}" for gap in series.gaps)


def _line(said: "Mapping[str, Json]") -> str:
    from labwright.core.values import show

    unit = f" {said['unit']}" if said["unit"] else ""
    low, high = said["lowest"], said["highest"]
    span = "" if not isinstance(low, float) or not isinstance(high, float) else f", {show(low)} to {show(high)}{unit}"
    doubts = [f"{said[name]} {words}" for name, words in _DOUBTS.items() if said[name]]
    return f"{said['resource']}.{said['channel']}: {said['samples']} samples{span}{''.join(f', {d}' for d in doubts)}"


_DOUBTS = {"not_good": "not good", "gaps": "gaps", "late": "late", "repeated": "came twice"}
