"""Copies of all that is on record."""

from pathlib import Path
from typing import Annotated

import typer

from labwright.cli.campaign import Folder

File = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the backup.", show_default=False)]


def backup(file: File, folder: Folder = None) -> None:
    """Write all that is on record, as it stands at one moment, to a new file; campaigns may go on meanwhile."""
    from labwright.cli.target import make_app

    with make_app().laboratory(folder or Path.cwd()) as laboratory:
        entries = laboratory.backup(file)
        kept = laboratory.database.objects
    typer.echo(f"{file} holds {entries} entries of the ledger and all that they tell of.")
    if kept.is_dir():
        typer.echo(f"The files that runs have kept are not in it: copy {kept} as well.")


def restore(file: File, folder: Folder = None) -> None:
    """Fill an empty database from a backup; a new era begins, in which every run that was not finished is unknown.

    Such a run is asked about when its resource is served again; where nobody can tell, `labwright decide` says it.
    """
    from labwright.cli.target import make_app

    with make_app().laboratory(folder or Path.cwd(), create=True) as laboratory:
        restored = laboratory.restore(file)
    typer.echo(f"{restored.entries} entries of the ledger are back, and the ledger holds. Era {restored.era} begins.")
    if restored.unknown:
        typer.echo(f"Unknown until asked: run {', '.join(map(str, restored.unknown))}.")
