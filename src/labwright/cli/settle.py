"""What a person saw of the things that a resource handles: on a deck, in a gripper."""

from typing import Annotated

import typer

from labwright.cli.campaign import Target
from labwright.cli.credentials import SecretFile
from labwright.cli.guard import Resource


def settle(
    target: Target,
    resource: Resource,
    *,
    as_: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who you are.", show_default=False)] = None,
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="What you saw, for the record.")] = None,
    happened: Annotated[bool, typer.Option("--happened", help="What was pending did happen, all of it.")] = False,
    never_happened: Annotated[bool, typer.Option("--never-happened", help="What was pending did not.")] = False,
    say: Annotated[
        list[str] | None, typer.Option("--say", metavar="PLACE=WHAT", help='What is so: plate/A1="50 uL", tips=fresh.')
    ] = None,
    secret_file: SecretFile = None,
) -> None:
    """Show what a resource believes of the things that it handles; with --as and --why, say what you saw there.

    Where it is not known what became of an action, the resource does nothing more before somebody has said it.
    """
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app, named
    from labwright.core.errors import InvalidInput

    settling, said, place = make_app().settling, dict(_said(one) for one in say or []), named(target, resource)
    if happened and never_happened:
        raise InvalidInput("Say one of --happened and --never-happened.")
    outcome = happened if happened or never_happened else None
    if as_ is not None and why is not None:
        standing = settling.settle(place, credential(as_, secret_file), why, happened=outcome, said=said)
    elif as_ or why or said or outcome is not None:
        raise InvalidInput("To say what you saw, give --as and --why.")
    else:
        standing = settling.standing(place)
    for line in standing.lines:
        typer.echo(line)
    if standing.doubt is not None:
        typer.echo(f"In doubt: {standing.doubt}.")


def _said(one: str) -> tuple[str, str]:
    from labwright.core.errors import InvalidInput

    place, sign, what = one.partition("=")
    if not (place and sign and what):
        raise InvalidInput(f"--say: found {one!r}, expected PLACE=WHAT.")
    return place, what
