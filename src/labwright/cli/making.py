"""`labwright new-resource`: an adapter for an instrument of your own, to change."""

import keyword
import re
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

NAME = "reactor"  # what the instrument is called in the files that are copied


def new_resource(
    name: Annotated[str, typer.Argument(help="What your instrument is called, as `viscometer`.", show_default=False)],
    folder: Annotated[
        Path | None, typer.Option("--folder", help="The folder to make; by default one of that name.")
    ] = None,
) -> None:
    """Write an adapter for an instrument of your own, with a simulated one, its contract test and a campaign."""
    from labwright.core.errors import InvalidInput

    _check(name)
    place = folder or Path(name)
    if place.exists():
        raise InvalidInput(f"{place} is there already; nothing was written. Name another: --folder DIR.")
    place.mkdir(parents=True)
    for entry in (files("labwright.cli") / "new_resource").iterdir():
        if entry.is_file():
            text = _renamed(entry.read_text(encoding="utf-8"), name)
            (place / _renamed(entry.name, name)).write_text(text, encoding="utf-8")
    typer.echo(f"Wrote {place}. Look at {place / 'README.md'}, then: cd {shlex.quote(str(place))}; python -m pytest")


def _check(name: str) -> None:
    """Refuse what cannot be the name of a module and of a kind of resource."""
    from importlib.util import find_spec

    from labwright import plugins
    from labwright.core.errors import InvalidInput

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise InvalidInput(f"{name!r} cannot name a resource: small letters, digits and _ were expected.")
    if name in plugins.installed("labwright.resources"):
        raise InvalidInput(f"{name!r} is a kind of resource already. Choose another name.")
    found = find_spec(name)
    if found is not None and found.origin is not None:
        raise InvalidInput(f"{name!r} is the name of another module of Python. Choose another name.")


def _renamed(text: str, name: str) -> str:
    said = {NAME: name, NAME.capitalize(): "".join(part.capitalize() for part in name.split("_"))}
    return re.sub("|".join(said), lambda found: said[found[0]], text)
