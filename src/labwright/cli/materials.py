"""Samples and lots: list them, and put on record what a lot holds."""

from pathlib import Path
from typing import Annotated

import typer

from labwright.cli.campaign import AsJson

lots = typer.Typer(name="lots", help="What is there to take from: list lots, look at one, add to one, correct one.")
Folder = Annotated[
    Path, typer.Option("--folder", metavar="FOLDER", help="Where labwright.db is; otherwise here.", show_default=False)
]
Name = Annotated[str, typer.Argument(metavar="LOT", help="The lot's name, as in campaign files.", show_default=False)]
Amount = Annotated[str, typer.Option("--amount", metavar="AMOUNT", help='How much, as "500 mL", or a bare count.')]


@lots.callback(invoke_without_command=True)
def list_lots(context: typer.Context, *, folder: Folder = Path(), json: AsJson = False) -> None:
    """Show every lot: what is left, what trials in flight have reserved of it, until when it may be used, and where."""
    from labwright.cli import machine, tables
    from labwright.cli.target import make_app

    if context.invoked_subcommand is not None:
        return
    found = make_app().lots(folder)
    if json:
        machine.print_json([machine.lot_json(lot) for lot in found])
    else:
        tables.print_lots(found)


@lots.command()
def show(name: Name, *, folder: Folder = Path(), json: AsJson = False) -> None:
    """Show one lot and each change of its amount: what was added, corrected, taken, and given back."""
    from labwright.cli import machine, tables
    from labwright.cli.target import make_app

    lot, entries = make_app().lot(folder, name)
    if json:
        machine.print_json(machine.lot_json(lot) | {"entries": [machine.entry_json(e) for e in entries]})
    else:
        tables.print_lot(lot, entries)


@lots.command()
def add(
    name: Name,
    *,
    amount: Amount,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="DATE", help="The last day of its use, as 2027-01-01, in UTC.")
    ] = None,
    location: Annotated[str | None, typer.Option("--location", metavar="PLACE", help="Where it is.")] = None,
    why: Annotated[str | None, typer.Option("--why", metavar="TEXT", help="A remark for the record.")] = None,
    folder: Folder = Path(),
) -> None:
    """Put a new lot on record, or more of one that is there. Its unit stays that of the first time."""
    from labwright.cli.numbers import last_day
    from labwright.cli.target import make_app
    from labwright.core.material import amount_words
    from labwright.core.units import parse_quantity

    given, day = parse_quantity(amount, "--amount"), last_day(expires, "--expires")
    lot = make_app().add_lot(folder, name, given, expires=day, location=location, why=why)
    until = f", to be used until {lot.expires}" if lot.expires else ""
    typer.echo(f"{name} has {amount_words(lot.left, lot.unit)} left{until}.")


@lots.command()
def correct(
    name: Name,
    *,
    amount: Amount,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="What you saw, for the record.")],
    folder: Folder = Path(),
) -> None:
    """Say how much of a lot is there, where the record is wrong; best while nothing takes from it."""
    from labwright.cli.target import make_app
    from labwright.core.material import amount_words
    from labwright.core.units import parse_quantity

    lot = make_app().correct_lot(folder, name, parse_quantity(amount, "--amount"), why=why)
    typer.echo(f"{name} has {amount_words(lot.left, lot.unit)} left.")


def samples(
    target: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A campaign or its file; otherwise all.", show_default=False)
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """List samples: what became of each, where it is, and which run made it."""
    from labwright.cli import machine, tables
    from labwright.cli.target import find_campaign, make_app

    folder, name = (Path.cwd(), None) if target is None else find_campaign(target)
    found = make_app().samples(folder, name)
    if json:
        machine.print_json([machine.sample_json(sample) for sample in found])
    else:
        tables.print_samples(found)
