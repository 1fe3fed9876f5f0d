"""The people of a laboratory: list them, add one, remove one, change a secret."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.campaign import AsJson
from labwright.cli.credentials import AsPerson, SecretFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labwright.core.person import Person, Skill
    from labwright.core.values import Json

app = typer.Typer(name="people", help="Who may approve, decide and answer: list, add, remove, say what they can do.")
Folder = Annotated[
    Path, typer.Option("--folder", metavar="FOLDER", help="Where labwright.db is; otherwise here.", show_default=False)
]
Name = Annotated[str, typer.Argument(metavar="PERSON", help="The person's name.", show_default=False)]
SkillName = Annotated[
    str, typer.Argument(metavar="SKILL", help="What they can do, as 'gas chromatography'.", show_default=False)
]
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
    app = make_app()
    found, skills = app.people(folder), app.desk.skills(folder)
    if json:
        machine.print_json([_json(p, skills) for p in found])
        return
    for person in found:
        typer.echo(_line(person))
        for skill in skills:
            if skill.person == person.name and skill.counts:
                typer.echo(f"  has the skill {skill}")
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
def vouch(
    name: Name,
    skill: SkillName,
    *,
    as_: AsPerson,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="The last day on which it counts, as 2027-01-01.")
    ] = None,
    secret_file: SecretFile = None,
    folder: Folder = Path(),
) -> None:
    """Say, with your secret, that a person has a skill: tasks and questions that call for it are for them as well."""
    from labwright.cli.credentials import credential
    from labwright.cli.numbers import last_day
    from labwright.cli.target import make_app

    day = last_day(until, "--until")
    found = make_app().desk.vouch(folder, name, skill, by=credential(as_, secret_file), until=day)
    typer.echo(f"{name} has the skill {found}.")


@app.command()
def revoke(
    name: Name,
    skill: SkillName,
    *,
    as_: AsPerson,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the record.", show_default=False)],
    secret_file: SecretFile = None,
    folder: Folder = Path(),
) -> None:
    """Say, with your secret, that a person's skill counts no more. What they answered before stays."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app

    make_app().desk.revoke(folder, name, skill, by=credential(as_, secret_file), why=why)
    typer.echo(f"{name} has the skill {skill} no more.")


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


def _json(person: "Person", skills: "Sequence[Skill]") -> "dict[str, Json]":
    times: dict[str, Json] = {"added_at": person.added_at, "added_by": person.added_by, "ended_at": person.ended_at}
    own: list[Json] = [asdict(skill) for skill in skills if skill.person == person.name]
    return {"name": person.name, **times, "skills": own}
