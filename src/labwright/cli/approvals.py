"""What waits for people: see it, approve it, refuse it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.campaign import AsJson, Folder
from labwright.cli.credentials import AsPerson, SecretFile

if TYPE_CHECKING:
    from labwright.core.approval import Approval, Say
    from labwright.core.values import Json, Value

Trial = Annotated[str, typer.Argument(metavar="TRIAL", help="The trial, as NAME/7.", show_default=False)]


def approvals(folder: Folder = None, *, json: AsJson = False) -> None:
    """Show the trials that wait for people: exactly what would be done, who may approve it, and until when."""
    from labwright.cli import machine
    from labwright.cli.target import make_app

    found = make_app().approvals(folder or Path())
    if json:
        machine.print_json([_json(a) for a in found])
        return
    typer.echo("\n\n".join("\n".join(_lines(a)) for a in found) or "Nothing waits for approval.")


def approve(target: Trial, *, as_: AsPerson, secret_file: SecretFile = None) -> None:
    """Approve exactly what is shown, with your secret. If anything of it changes, the approval is void."""
    from labwright.core.approval import Say

    _sign(target, as_, secret_file, Say.APPROVE, None)


def refuse(
    target: Trial,
    *,
    as_: AsPerson,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why, for the record.", show_default=False)],
    secret_file: SecretFile = None,
) -> None:
    """Refuse a trial that waits, with your secret; one refusal is enough, also after others have approved."""
    from labwright.core.approval import Say

    _sign(target, as_, secret_file, Say.REFUSE, why)


def _sign(target: str, name: str, file: Path | None, say: "Say", why: str | None) -> None:
    from labwright.cli.credentials import credential
    from labwright.cli.target import find_trial, make_app

    folder, campaign, number = find_trial(target)
    app = make_app()
    seen = app.approval(folder, campaign, number)
    typer.echo("\n".join(_lines(seen)))
    signed = app.sign(folder, seen, credential(name, file), say, why)
    typer.echo(f"\n{_result(signed, name, say)}")


def _result(signed: "Approval", name: str, say: "Say") -> str:
    from labwright.core.approval import Say

    exact = f"sha256 {signed.digest[:12]}"
    if say is Say.REFUSE:
        return f"{name} refused {signed.name} ({exact}). It will not be run."
    rest = f"It still needs {'; '.join(signed.missing)}." if signed.missing else "That is enough: it may run."
    return f"{name} approved {signed.name} ({exact}). {rest}"


def _lines(approval: "Approval") -> Iterator[str]:
    """Yield everything that is put before people, line by line."""
    import json

    from labwright.core.approval import settings_in
    from labwright.core.moment import moment

    content = json.loads(approval.content)
    yield f"{approval.name} is {approval.state}{f': {approval.why}' if approval.why else ''}"
    for setting in settings_in(content):
        values = ", ".join(f"{name} = {_exact(m.value, m.unit)}" for name, m in setting.values)
        yield f"  {setting.what}: {values or 'nothing is set'}"
    for reason in approval.reasons:
        yield f"  why: {reason}"
    yield f"  campaign file: sha256 {content['file'][:12]}"
    yield f"  all of this: sha256 {approval.digest[:12]}"
    for signature in approval.signatures:
        gone = "" if signature.counts else " (removed since; does not count)"
        yield f"  signed: {signature.person}, {signature.say}, {moment(signature.at)}{gone}"
    yield f"  needs: {'; '.join(approval.missing) or 'nothing more'}"
    yield f"  until: {moment(approval.expires_at)}"


def _exact(value: "Value", unit: str | None) -> str:
    """Write a value with every digit: people sign what they read."""
    return f"{value} {unit}" if unit and unit != "1" else str(value)


def _json(approval: "Approval") -> "dict[str, Json]":
    import json

    return {
        "trial": approval.name,
        "state": approval.state.value,
        "content": json.loads(approval.content),
        "digest": approval.digest,
        "reasons": list(approval.reasons),
        "demands": [d.told for d in approval.demands],
        "missing": list(approval.missing),
        "asked_at": approval.asked_at,
        "expires_at": approval.expires_at,
        "signatures": [{"person": s.person, "say": s.say.value, "at": s.at} for s in approval.signatures],
    }
