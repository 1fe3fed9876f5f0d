"""The commands by which people tell the planner where they expect the best: believe, retract."""

from pathlib import Path
from typing import Annotated

import typer

from labwright.cli.campaign import AsJson, Folder, Target
from labwright.cli.credentials import AsPerson, SecretFile
from labwright.cli.numbers import whole


def believe(
    target: Target,
    *,
    assign: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PARAMETER=BELIEF",
            help="Where the best lies: 'temperature=60 degC within 5 K', 'solvent=ethanol 0.7, water 0.2'.",
        ),
    ] = None,
    as_: AsPerson,
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="Why you think so, for the record.")] = None,
    weight: Annotated[float, typer.Option(help="How much it counts; 2 is as much as two who say the same.")] = 1.0,
    secret_file: SecretFile = None,
    json: AsJson = False,
) -> None:
    """Tell a campaign's planner, with your secret, where you expect the best: it counts from the next proposal on.

    What you said of the same parameter before counts no more. What is measured overrules it in the end.
    """
    from labwright.cli import machine
    from labwright.cli.credentials import credential
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    app = make_app()
    by = credential(as_, secret_file)
    given = app.desk.believe(folder, name, assign or (), by=by, why=why, weight=weight)
    with app.laboratory(folder) as laboratory:
        space = app.standing(laboratory, name).campaign.problem.space
    if json:
        machine.print_json([machine.belief_json(one) for one in given])
        return
    for one in given:
        words = one.belief.words(space[one.belief.parameter].unit)
        typer.echo(f"Belief {one.id} of {name}, by {one.by}: {words}. It counts from the next proposal on.")


def retract(
    number: Annotated[
        int, typer.Argument(parser=whole(1), metavar="BELIEF", help="The belief's number.", show_default=False)
    ],
    folder: Folder = None,
    *,
    as_: AsPerson,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the record.", show_default=False)],
    secret_file: SecretFile = None,
) -> None:
    """Take a belief back, your own or another's, with your secret: it counts no more from the next proposal on."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app

    found = make_app().desk.retract(folder or Path.cwd(), number, by=credential(as_, secret_file), why=why)
    typer.echo(f"Belief {number} of {found.campaign} counts no more, by {as_}.")
