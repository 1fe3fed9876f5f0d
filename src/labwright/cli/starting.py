"""`labwright init`: a commented campaign to start from."""

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make.", show_default=False)],
) -> None:
    """Write a commented campaign that runs at once, to change into your own."""
    from labwright.core.errors import InvalidInput

    template = files("labwright.cli") / "template"
    taken = [entry.name for entry in template.iterdir() if (folder / entry.name).exists()]
    if taken:
        raise InvalidInput(f"{folder} already has {', '.join(taken)}; nothing was written. Name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for entry in template.iterdir():
        if entry.is_file():
            (folder / entry.name).write_text(entry.read_text(encoding="utf-8"), encoding="utf-8")
    file = folder / "campaign.yaml"
    typer.echo(f"Wrote {folder}. Look at {file}, then: labwright run {shlex.quote(str(file))}")
