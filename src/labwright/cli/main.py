"""The command line: `labwright --help`."""

import os
import sys

import typer

from labwright.cli import campaign, records, starting, suggest

app = typer.Typer(
    name="labwright",
    help="Closed-loop experiments: plan the next one, check it, run it, remember it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command()(starting.init)
app.command()(campaign.check)
app.command()(campaign.run)
app.command()(campaign.stop)
app.command()(records.status)
app.command()(records.trials)
app.command()(records.show)
app.command()(records.report)
app.command()(records.verify)
app.command()(suggest.suggest)


def main() -> None:
    """Run the command line; an error that Labwright raises on purpose becomes words and an exit code."""
    for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM"):
        # One thread: the same proposals byte for byte, and no waiting for threads on small problems.
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from labwright.core.errors import PlatformError

    try:
        app()
    except PlatformError as error:
        from labwright.cli.exits import code_of

        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(code_of(error))
    except KeyboardInterrupt:
        sys.exit(130)
