"""Asks for a secret: never on the command line itself, where others can read it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from labwright.access import Credential

AsPerson = Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are.", show_default=False)]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        metavar="FILE",
        help="Read your secret from its only line; otherwise you are asked, or it is read from the standard input.",
        show_default=False,
    ),
]


def credential(name: str, file: Path | None) -> "Credential":
    """Return who someone says they are, with the secret from a file, a prompt or the standard input."""
    from labwright.access import Credential

    if file is not None:
        secret = read_secret(file)
    elif sys.stdin.isatty():
        secret = str(typer.prompt(f"Secret of {name}", hide_input=True, err=True))
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    return Credential(name=name, secret=secret)


def choose_secret(name: str) -> str:
    """Return a secret that a person types twice, unseen."""
    from labwright.core.errors import InvalidInput

    if not sys.stdin.isatty():
        raise InvalidInput(
            "--choose asks at a terminal, and there is none. Give the new secret in --new-secret-file FILE."
        )
    return str(typer.prompt(f"New secret of {name}", hide_input=True, confirmation_prompt=True, err=True))


def read_secret(file: Path) -> str:
    """Return the only line of a file; the error never repeats what is in it."""
    from labwright.core.errors import InvalidInput

    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"The secret file {file} is not text in UTF-8.") from None
    except OSError as error:
        raise InvalidInput(f"The secret file {file} cannot be read: {error.strerror}.") from error
    lines = text.splitlines()
    if len(lines) != 1:
        raise InvalidInput(f"The secret file {file} has {len(lines)} lines; one, with the secret only, was expected.")
    return lines[0]
