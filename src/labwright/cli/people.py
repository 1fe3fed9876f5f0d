"""The people of a laboratory: list them, add one, remove one, change a secret."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.campaign import AsJson
from labwright.cli.credentials import AsPerson, SecretFile

if TYPE_CHECKING:
    from labwright.core.person import Person

app = typer.Typer(name="people", help="Who may approve and decide: list them, add or remove one.")
Folder = Annotated[
    Path, typer.Option("--folder", metavar="FOLDER", help="Where labwright.db is; otherwise here.", show_default=False)
]
Name = Annotated[str, typer.Argument(metavar="PERSON", help="The person's name.", show_default=False)]
Voucher = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who you are; only the first person needs nobody.", show_default=False),
]
NewFile = Annotated[
    Path | None,
    typer.Option(
        "--new-secret-file", metavar="FILE", help="Take the new secret from its only line.", show_default=False
    ),
]
Choose = Annotated[bool, typer.Option("--choose", help="Type the new secret instead of having one made.")]


@app.callback(invoke_without_command=True)
def people(context: typer.Context, *, folder: Folder = Path(), json: AsJson = False) -> None:
    """Show who is on record. What they may approve stands in each campaign's file."""
    from labwright.cli import machine
    from labwright.cli.target import make_app

    if context.invoked_subcommand is not None:
        return
    found = make_app().people(folder)
    if json:
        machine.print_json([_json(p) for p in found])
        return
    for person in found:
        typer.echo(_line(person))
    if not found:
        typer.echo("Nobody is on record yet. Begin with: labwright people add NAME")


@app.command()
def add(
    name: Name,
    *,
    as_: Voucher = None,
    secret_file: SecretFile = None,
    new_secret_file: NewFile = None,
    choose: Choose = False,
    folder: Folder = Path(),
) -> None:
    """Put a person on record. Their secret is made and shown once, here, unless you choose it or give it in a file."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app

    secret, shown = _new_secret(name, new_secret_file, choose)
    by = None if as_ is None else credential(as_, secret_file)
    make_app().add_person(folder, name, secret, by=by)
    typer.echo(f"{name} is on record.{_once(shown)}")


@app.command()
def remove(name: Name, *, as_: AsPerson, secret_file: SecretFile = None, folder: Folder = Path()) -> None:
    """End a person's part. They stay on record with what they did; their name is not given again."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app

    make_app().remove_person(folder, name, by=credential(as_, secret_file))
    typer.echo(f"{name} may approve and decide nothing any more.")


@app.command()
def secret(
    name: Name,
    *,
    secret_file: SecretFile = None,
    new_secret_file: NewFile = None,
    choose: Choose = False,
    folder: Folder = Path(),
) -> None:
    """Change your own secret; you need the present one. The new one is made and shown once, as with `add`."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app

    by = credential(name, secret_file)
    new, shown = _new_secret(name, new_secret_file, choose)
    make_app().change_secret(folder, by, new)
    typer.echo(f"{name} has a new secret; the old one is no good any more.{_once(shown)}")


def _new_secret(name: str, file: Path | None, choose: bool) -> tuple[str, str | None]:
    """Return the new secret, and again if it was made here and must be shown."""
    from labwright.access import check_quality, generate
    from labwright.cli.credentials import choose_secret, read_secret
    from labwright.core.errors import InvalidInput

    if choose and file is not None:
        raise InvalidInput("--choose and --new-secret-file both give the new secret. Use one of them.")
    if not choose and file is None:
        made = generate()
        return made, made
    given = choose_secret(name) if file is None else read_secret(file)
    check_quality(given)
    return given, None


def _once(shown: str | None) -> str:
    return f" This secret is theirs alone and is not shown again:\n{shown}" if shown else ""


def _line(person: "Person") -> str:
    from labwright.core.moment import moment

    vouched = f" by {person.added_by}" if person.added_by else ""
    left = f", removed {moment(person.ended_at)}" if person.ended_at else ""
    return f"{person.name}: added {moment(person.added_at)}{vouched}{left}"


def _json(person: "Person") -> dict[str, str | None]:
    times = {"added_at": person.added_at, "added_by": person.added_by, "ended_at": person.ended_at}
    return {"name": person.name, **times}
