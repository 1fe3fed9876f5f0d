"""A task's form at a terminal: each field is asked for until what is entered fits."""

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from labwright.campaigns.clerk import Clerk
    from labwright.core.attachment import Attachment
    from labwright.core.command import Measurement
    from labwright.core.form import Field
    from labwright.core.task import PostedTask, Report


def is_at_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def fill_in(clerk: "Clerk", posted: "PostedTask", note: str | None) -> "Report":
    """Ask for each field, and return the report; nothing is recorded yet."""
    if not typer.confirm("Was it done?", default=True, err=True):
        return clerk.report(posted, {}, failed=_words("Why not"), note=note)
    entries = {}
    for field in posted.task.fields:
        entry = _entry(clerk, field)
        if entry is not None:
            entries[field.name] = entry
    note = note or _asked("Note (may be left out)") or None
    return clerk.report(posted, entries, note=note)


def signer(posted: "PostedTask", name: str | None) -> str | None:
    """Return who signs: whoever was named, or is asked now where it must be signed."""
    return name or (_words("Your name, to sign it") if posted.task.signed else None)


def _entry(clerk: "Clerk", field: "Field") -> "Measurement | Attachment | None":
    from labwright.core.errors import InvalidInput

    while True:
        text = _asked(field.asked)
        if not text and not field.required:
            return None
        try:
            if not text:
                raise InvalidInput(f"{field.asked} is wanted.")
            return clerk.entry(field, text)
        except InvalidInput as error:
            typer.echo(f"{str(error).rstrip('.')}.", err=True)


def _words(question: str) -> str:
    while not (text := _asked(question)):
        pass
    return text


def _asked(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False, err=True)).strip()
