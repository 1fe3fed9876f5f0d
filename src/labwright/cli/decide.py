"""What a person must say where no machine can tell: what became of a run, and that a process is gone."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.campaign import Folder
from labwright.cli.credentials import AsPerson, SecretFile
from labwright.cli.numbers import whole

if TYPE_CHECKING:
    from labwright.app.app import Decision
    from labwright.core.values import Json

Done = Annotated[
    Path | None, typer.Option("--done", metavar="FILE", help="It ended with these values: JSON; - reads them here.")
]


def decide(
    number: Annotated[
        int, typer.Argument(parser=whole(1), metavar="RUN", help="The run's number.", show_default=False)
    ],
    folder: Folder = None,
    *,
    as_: AsPerson,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="What you saw, for the record.")],
    done: Done = None,
    never_ran: Annotated[
        bool, typer.Option("--never-ran", help="It never moved anything; it is queued again.")
    ] = False,
    failed: Annotated[bool, typer.Option("--failed", help="It ended without a result.")] = False,
    secret_file: SecretFile = None,
) -> None:
    """Say what became of an unknown run, with your secret: give one of --done, --never-ran and --failed.

    `labwright status` lists the unknown runs. What you decide is in the ledger, with your name and your reason.
    """
    from labwright.cli.credentials import credential
    from labwright.cli.hand import who_goes_on
    from labwright.cli.target import make_app

    decision = _decision(done, never_ran, failed, why)
    app, where = make_app(), folder or Path.cwd()
    with app.laboratory(where) as laboratory:
        typer.echo(laboratory.told_of_unknown(number))
    run = app.decide(where, number, credential(as_, secret_file), decision)
    with app.laboratory(where) as laboratory:
        standing = app.standing(laboratory, run.campaign)
    typer.echo(f"Run {number} is {run.state} now, by {as_}. {who_goes_on(standing, where)}".rstrip())


def gone(
    worker: Annotated[str, typer.Argument(metavar="ID", help="How its id begins, as `status --json` shows it.")],
    folder: Folder = None,
    *,
    as_: AsPerson,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="How you know, for the record.")],
    secret_file: SecretFile = None,
) -> None:
    """Say, with your secret, that a process on another machine acts no more: others may take over what it held."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app

    ended = make_app().declare_gone(folder or Path.cwd(), worker, credential(as_, secret_file), why)
    typer.echo(f"{ended} is gone, by {as_}. What it held is free.")


def _decision(done: Path | None, never_ran: bool, failed: bool, why: str) -> "Decision":
    from labwright.core.errors import InvalidInput

    if [done is not None, never_ran, failed].count(True) != 1:
        raise InvalidInput("Say what you saw with exactly one of --done FILE, --never-ran and --failed.")
    if never_ran:
        return lambda laboratory, number, by: laboratory.decide_never_ran(number, why=why, by=by)
    if failed:
        return lambda laboratory, number, by: laboratory.decide_failed(number, why=why, by=by)
    assert done is not None
    found = _read(done)
    return lambda laboratory, number, by: laboratory.decide_done(number, found, why=why, by=by)


def _read(file: Path) -> "Json":
    from labwright.core.errors import InvalidInput

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
        found: Json = json.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f'The values in {file} cannot be read: {error}. Expected JSON such as {{"y": 1.2}}.'
        ) from error
    return found
