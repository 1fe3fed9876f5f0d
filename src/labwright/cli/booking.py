"""Taking a resource by hand, giving it back, and its calendar."""

from pathlib import Path
from typing import Annotated

import typer

from labwright.cli.campaign import Target
from labwright.cli.credentials import AsPerson, SecretFile
from labwright.cli.guard import Resource


def take(
    target: Target,
    resource: Resource,
    *,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="What for.", show_default=False)],
    for_: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="For how long, as '2 h'; otherwise until given back."),
    ] = None,
    as_: AsPerson,
    secret_file: SecretFile = None,
) -> None:
    """Take a resource by hand: no campaign begins anything on it until it is given back. What goes on there goes on."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app, named
    from labwright.core.errors import InvalidInput
    from labwright.core.units import convert, parse_quantity

    for_s = None
    if for_ is not None:
        value, unit = parse_quantity(for_, "--for")
        for_s = convert(value, unit or "s", "s", "--for")
        if for_s <= 0:
            raise InvalidInput(f"--for: found {for_!r}, expected a time above 0, as '2 h'.")
    taken, busy = make_app().booking.take(named(target, resource), credential(as_, secret_file), why, for_s=for_s)
    typer.echo(
        f"{taken.person} has {resource}: nothing is begun on it {'' if for_ is None else f'for {for_}, or '}"
        f"until: labwright give-back {target} {resource} --as NAME"
    )
    if busy:
        typer.echo(f"Wait: {busy} of its runs {'goes' if busy == 1 else 'go'} on there.")


def give_back(target: Target, resource: Resource, *, as_: AsPerson, secret_file: SecretFile = None) -> None:
    """Let campaigns have a resource again that was taken by hand."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app, named

    held = make_app().booking.give_back(named(target, resource), credential(as_, secret_file))
    typer.echo(f"{resource}, which {held.person} had ({held.why}), is free.")


def calendar(
    target: Target,
    resource: Resource,
    *,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.ics", help="Where it goes.", show_default=False)],
) -> None:
    """Write what takes a resource as an iCalendar file: its own calendars, what people took, and the runs on it."""
    from labwright.cli.target import make_app, named

    found = make_app().booking.calendar(named(target, resource))
    out.write_bytes(found)
    typer.echo(f"{out} has {found.count(b'BEGIN:VEVENT')} events.")
