"""The command line: `labwright --help`."""

import os
import sys
from typing import Annotated

import typer

from labwright import __version__
from labwright.cli import (
    approvals,
    backup,
    beliefs,
    booking,
    campaign,
    decide,
    guard,
    hand,
    making,
    materials,
    people,
    records,
    resources,
    settle,
    starting,
    suggest,
    tasks,
    telemetry,
)

app = typer.Typer(
    name="labwright",
    help="Closed-loop experiments: plan the next one, check it, run it, remember it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"labwright {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before the command."""


app.command()(starting.init)
app.command("new-resource")(making.new_resource)
app.command()(campaign.check)
app.command()(campaign.run)
app.command()(campaign.conduct)
app.command()(campaign.worker)
app.command()(campaign.stop)
app.command()(beliefs.believe)
app.command()(beliefs.retract)
app.command()(hand.pause)
app.command()(hand.resume)
app.command()(hand.extend)
app.command()(hand.clone)
app.command()(hand.add)
app.command()(hand.correct)
app.command()(hand.exclude)
app.command()(hand.include)
app.command("import")(hand.import_)
app.command()(records.status)
app.command()(records.trials)
app.command()(records.show)
app.command()(records.report)
app.command()(records.verify)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(suggest.suggest)
app.command()(approvals.approvals)
app.command()(approvals.approve)
app.command()(approvals.refuse)
app.command()(decide.decide)
app.command()(decide.gone)
app.command()(settle.settle)
app.add_typer(people.app)
app.add_typer(guard.app)
app.command()(resources.resources)
app.command()(telemetry.telemetry)
app.command()(booking.take)
app.command("give-back")(booking.give_back)
app.command()(booking.calendar)
app.add_typer(materials.lots)
app.command()(materials.samples)
app.command()(tasks.tasks)
app.command()(tasks.claim)
app.command()(tasks.done)
app.command()(tasks.worksheet)
app.command()(tasks.record)


def main() -> None:
    """Run the command line; an error that Labwright raises on purpose becomes words and an exit code."""
    for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
        # One thread: the same proposals byte for byte, and no waiting for threads on small problems.
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from labwright.core.errors import PlatformError

    try:
        _run_to_the_last_line()
    except PlatformError as error:
        from labwright.cli.exits import code_of

        print("\n".join([f"Error: {error}", *getattr(error, "__notes__", ())]), file=sys.stderr)  # noqa: T201
        sys.exit(code_of(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _run_to_the_last_line() -> None:
    """Run the command line; a reader that has had enough of its output, such as `head`, is no error."""
    try:
        app()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            _stop_writing()
            sys.exit(0)
        _flush()
        raise


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _stop_writing()


def _stop_writing() -> None:
    """Give what is still held back to nobody, so that the end of the process does not try to write it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
