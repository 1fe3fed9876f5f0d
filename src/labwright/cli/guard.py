"""The monitors before instruments: see them, sign limits, arm, disarm, trip and reset."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.campaign import AsJson, Target
from labwright.cli.credentials import AsPerson, SecretFile

if TYPE_CHECKING:
    from labwright.app.guarding import Shown
    from labwright.core.values import Json
    from labwright.storage.guards import GuardRecord

app = typer.Typer(name="guard", help="The monitors before instruments: see, sign for, arm, trip and reset them.")
Folder = Annotated[
    Path, typer.Option("--folder", metavar="FOLDER", help="Where labwright.db is; otherwise here.", show_default=False)
]
Resource = Annotated[
    str, typer.Argument(metavar="RESOURCE", help="Which of the campaign's resources.", show_default=False)
]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the record.", show_default=False)]
KeyFile = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="The file of your private key.", show_default=False)
]


@app.callback(invoke_without_command=True)
def guard(context: typer.Context, *, folder: Folder = Path(), json: AsJson = False) -> None:
    """Show how each monitor stands that was ever armed."""
    from labwright.cli import machine
    from labwright.cli.target import make_app

    if context.invoked_subcommand is not None:
        return
    found = make_app().guarding.all(folder)
    if json:
        machine.print_json([_json(record) for record in found])
        return
    for record in found:
        typer.echo(_line(record))
    if not found:
        typer.echo("No monitor was ever armed here.")


@app.command()
def key(
    *,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="Where the private key goes.", show_default=False)
    ],
    as_: AsPerson,
    secret_file: SecretFile = None,
    folder: Folder = Path(),
) -> None:
    """Make a key to sign limits with: its private part in a file that is yours alone, its public part on record."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app
    from labwright.core.errors import InvalidInput

    if out.exists():
        raise InvalidInput(f"{out} exists; nothing was written. Name another file: -o FILE.")
    private = os.urandom(32)
    public = make_app().guarding.add_key(folder, credential(as_, secret_file), private)
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(f"{private.hex()}\n")
    typer.echo(f"{out} is the private key of {as_}: keep it to yourself. Limits signed with it are trusted here.")
    typer.echo(f"public key: {public}")


@app.command("end-key")
def end_key(
    public: Annotated[str, typer.Argument(metavar="PUBLIC", help="The public key.", show_default=False)],
    *,
    why: Why,
    as_: AsPerson,
    secret_file: SecretFile = None,
    folder: Folder = Path(),
) -> None:
    """Trust what is signed with a key no more."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app

    make_app().guarding.end_key(folder, credential(as_, secret_file), public, why)
    typer.echo("Nothing that was signed with it is trusted any more. What is armed with it stays so until disarmed.")


@app.command()
def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The limits file.", show_default=False)], *, key: KeyFile
) -> None:
    """Sign the exact bytes of a limits file with your private key; the signature goes beside it, as FILE.sig."""
    from labwright.app.guarding import sign_limits
    from labwright.cli.credentials import read_secret
    from labwright.core.errors import InvalidInput

    try:
        private = bytes.fromhex(read_secret(key))
    except ValueError:
        private = b""
    if len(private) != 32:
        raise InvalidInput(f"{key} holds no private key of ours, which is 64 hexadecimal digits. Make one: guard key")
    typer.echo(f"{sign_limits(file, private)} is the signature. Any change of {file} makes it worthless.")


@app.command()
def show(target: Target, resource: Resource, *, json: AsJson = False) -> None:
    """Show what the limits file of a resource allows now, its digest, who signed it, and how the monitor stands."""
    from labwright.cli import machine
    from labwright.cli.target import make_app, named

    shown = make_app().guarding.show(named(target, resource))
    if json:
        limits = shown.limits
        told: dict[str, Json] = {"instrument": limits.instrument, "version": limits.version, "digest": limits.digest}
        machine.print_json(
            {**told, "signed_by": shown.signed_by, "record": _json(shown.record) if shown.record else None}
        )
        return
    typer.echo("\n".join(_limits(shown)))
    typer.echo(_line(shown.record) if shown.record else f"{shown.limits.instrument} was never armed.")


@app.command()
def arm(
    target: Target,
    resource: Resource,
    *,
    digest: Annotated[
        str,
        typer.Option("--digest", metavar="SHA256", help="The limits that you have read: 12 digits or more."),
    ],
    motion: Annotated[bool, typer.Option("--motion", help="Let what moves move.")] = False,
    as_: AsPerson,
    secret_file: SecretFile = None,
) -> None:
    """Let orders within the limits pass, until it is stopped, or the process that serves it ends.

    The process takes it up within 15 minutes; limits of an older version than were armed last are refused.
    """
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app, named

    record = make_app().guarding.arm(
        named(target, resource), credential(as_, secret_file), digest=digest, motion=motion
    )
    typer.echo(_line(record))


@app.command()
def disarm(target: Target, resource: Resource, *, why: Why, as_: AsPerson, secret_file: SecretFile = None) -> None:
    """Let nothing pass any more; the instrument stays as it is."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app, named

    typer.echo(_line(make_app().guarding.disarm(named(target, resource), credential(as_, secret_file), why)))


@app.command()
def trip(
    target: Target,
    resource: Resource,
    *,
    why: Why,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who you are; it needs no secret.")] = "somebody",
) -> None:
    """Bring it to its safe state, and let nothing pass until two people reset it."""
    from labwright.cli.target import make_app, named

    typer.echo(_line(make_app().guarding.trip(named(target, resource), why, by)))


@app.command()
def reset(
    target: Target,
    resource: Resource,
    *,
    as_: AsPerson,
    secret_file: SecretFile = None,
    second: Annotated[str, typer.Option("--and", metavar="NAME", help="The second person, who has looked as well.")],
    second_secret_file: Annotated[
        Path | None,
        typer.Option("--and-secret-file", metavar="FILE", help="The second person's secret.", show_default=False),
    ] = None,
) -> None:
    """Say, both of you, that the cause of a trip is gone; then one of you arms it again."""
    from labwright.cli.credentials import credential
    from labwright.cli.target import make_app, named

    both = credential(as_, secret_file), credential(second, second_secret_file)
    typer.echo(_line(make_app().guarding.reset(named(target, resource), *both)))


def _limits(shown: "Shown") -> list[str]:
    limits, mode = shown.limits, shown.place.guard.mode
    kind = "a simulator" if limits.simulated else "the instrument itself"
    lines = [f"{limits.instrument}, {kind}: version {limits.version}, signed by {shown.signed_by}"]
    lines += [f"  sha256 {limits.digest}", f"  without a heartbeat for {limits.heartbeat_s:g} s: its safe state"]
    state = ", ".join(f"{name} = {value}" for name, value in limits.safe_state.items())
    lines.append(f"  safe state: {'its own stop, which means ' if limits.stop_is_safe else ''}{state}")
    for name, envelope in limits.modes.items():
        lines.append(f"  mode {name}{', in which this campaign uses it' if name == mode else ''}")
        lines += [f"    {n}: {channel.words}" for n, channel in envelope.channels.items()]
        lines += [f"    {constraint}" for constraint in envelope.joint]
    return lines


def _line(record: "GuardRecord") -> str:
    from labwright.core.moment import moment

    limits = f", version {record.version} (sha256 {record.digest[:12]})" if record.digest else ""
    mode = f" in the mode {record.mode}{limits}" if record.state == "armed" else ""
    taken = "" if record.state != "armed" else ", at work" if record.worker else ", waits for a process that serves it"
    why = f": {record.why}" if record.why else ""
    return f"{record.instrument} is {record.state}{mode}{taken}, {moment(record.at)} by {record.by}{why}"


def _json(record: "GuardRecord") -> "dict[str, Json]":
    told: dict[str, Json] = {"instrument": record.instrument, "state": record.state.value, "mode": record.mode}
    told |= {"version": record.version, "digest": record.digest, "motion": record.motion, "thing": record.thing}
    return {**told, "by": record.by, "at": record.at, "why": record.why, "at_work": record.worker is not None}
