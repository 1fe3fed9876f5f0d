"""The commands for work that people do: tasks, done, worksheet, record."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labwright.cli.campaign import AsJson, Folder, Target
from labwright.cli.credentials import SecretFile
from labwright.cli.numbers import whole

if TYPE_CHECKING:
    from labwright.access import Credential
    from labwright.app.desk import About
    from labwright.campaigns.worksheet import Filled
    from labwright.core.task import PostedTask, Report
    from labwright.core.values import Json

Number = Annotated[int, typer.Argument(parser=whole(1), metavar="TASK", help="The task's number.", show_default=False)]
By = Annotated[str | None, typer.Option(help="Who did it, in your words; kept with the record.")]
Signer = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="Who you are, to sign it with your secret.", show_default=False),
]


def tasks(
    folder: Folder = None,
    *,
    person: Annotated[
        str | None, typer.Option("--for", metavar="NAME", help="Only what this person may take up.", show_default=False)
    ] = None,
    json: AsJson = False,
) -> None:
    """List what people are asked to do: what is set, what is to be reported, since when, and until when."""
    from labwright.cli import machine
    from labwright.cli.target import make_app

    app, where = make_app(), folder or Path.cwd()
    found = app.desk.tasks(where, person=person)
    if json:
        machine.print_json([_as_json(task) for task in found])
        return
    about = app.desk.about(where, found)
    for task in found:
        typer.echo(_words(task, about))
    if not found:
        typer.echo("No task is open." if person is None else f"No task for {person} is open.")
        return
    names = dict.fromkeys(app.called(where, task.campaign) for task in found)
    typer.echo(f"To report on one: labwright done {found[0].id}{app.place(where)}")
    typer.echo("\n".join(f"For a sheet to fill in: labwright worksheet {n}" for n in names))


def done(
    number: Number,
    folder: Folder = None,
    *,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="What you found: 'mass=12.5 mg'; of a file, its path."),
    ] = None,
    failed: Annotated[
        str | None, typer.Option("--failed", metavar="TEXT", help="Why it was not done, or not to its end.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Anything else for the record.")] = None,
    by: By = None,
    as_: Signer = None,
    secret_file: SecretFile = None,
) -> None:
    """Report on one task. Without values, at a terminal, you are asked for each."""
    from labwright.cli import form
    from labwright.cli.target import make_app

    app, where = make_app(), folder or Path.cwd()
    posted = app.desk.task(where, number)
    typer.echo(_words(posted, app.desk.about(where, [posted])))
    clerk = app.desk.clerk(where, posted)
    if assign or failed or not form.is_at_terminal():
        report = clerk.read(posted, assign or (), failed=failed, note=note)
    else:
        report = form.fill_in(clerk, posted, note)
        as_ = form.signer(posted, as_)
    if as_ is not None:
        typer.echo(f"  to be signed by {as_}: {_reported(report)}")
    recorded = app.desk.report(where, report, by=by, signer=_signer(as_, secret_file, by))
    typer.echo(_recorded(recorded))


def claim(
    number: Number,
    folder: Folder = None,
    *,
    by: Annotated[str | None, typer.Option(help="Who you are, in your words.")] = None,
    as_: Signer = None,
    secret_file: SecretFile = None,
) -> None:
    """Say that you are at a task, so that nobody else begins it. Whoever has done it may still report on it."""
    from labwright.cli.target import make_app

    app, where = make_app(), folder or Path.cwd()
    before = app.desk.task(where, number).claimed_by
    claimed = app.desk.claim(where, number, by=by, signer=_signer(as_, secret_file, by))
    over = f" {before} had claimed it before." if before not in (None, claimed.claimed_by) else ""
    typer.echo(f"{claimed} is claimed by {claimed.claimed_by}.{over}")


def worksheet(
    target: Target,
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write it, .csv or .xlsx; otherwise NAME-worksheet.csv.")
    ] = None,
) -> None:
    """Write the open tasks of a campaign as a sheet: fill in the empty columns, then `labwright record`."""
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    path = out or Path(f"{name}-worksheet.csv")
    found = make_app().desk.worksheet(folder, name, path)
    if not found:
        typer.echo(f"{name} has no open task; nothing was written.")
        return
    sign = " --as NAME" if any(task.task.signed for task in found) else ""
    then = f"labwright record {shlex.quote(target)} {shlex.quote(str(path))}{sign}"
    typer.echo(f"Wrote {path} with {_counted(len(found), 'task')}. Fill it in, then: {then}")


def record(
    target: Target,
    file: Annotated[Path, typer.Argument(help="The filled worksheet: .csv, .tsv or .xlsx.", show_default=False)],
    *,
    by: By = None,
    as_: Signer = None,
    secret_file: SecretFile = None,
    valid_only: Annotated[
        bool, typer.Option("--valid-only", help="Record the rows that are right, although others are not.")
    ] = False,
    decimal: Annotated[str | None, typer.Option(help="The decimal mark, '.' or ',', where it is not clear.")] = None,
) -> None:
    """Record a filled worksheet. Every row is checked first; where one is wrong, nothing is recorded."""
    from labwright.cli.exits import Exit
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    signer = _signer(as_, secret_file, by)
    filled = make_app().desk.record(folder, name, file, by=by, signer=signer, decimal=decimal, valid_only=valid_only)
    for line in _said(filled):
        typer.echo(line)
    for problem in filled.problems:
        typer.echo(f"Not recorded: {problem}", err=True)
    raise typer.Exit(Exit.INVALID if filled.problems else Exit.DONE)


def _signer(name: str | None, file: Path | None, by: str | None) -> "Credential | None":
    from labwright.cli.credentials import credential
    from labwright.core.errors import InvalidInput

    if name is None:
        return None
    if by is not None:
        raise InvalidInput("--as signs with a name that is proven, --by is a word without proof. Use one of them.")
    return credential(name, file)


def _reported(report: "Report") -> str:
    """Write what somebody is about to sign."""
    from labwright.core.command import assigned

    files = [f"{name} = {file} (sha256 {file.reference[7:19]})" for name, file in report.files.items()]
    said = [assigned(report.values)] * bool(report.values) + files
    said += [f"failed: {report.failed}"] * bool(report.failed) + [f"note: {report.note}"] * bool(report.note)
    return ", ".join(said) or "done"


def _recorded(posted: "PostedTask") -> str:
    from labwright.core.command import Failure, Observation, assigned

    found = posted.outcome
    what = f": {assigned(found.values)}" if isinstance(found, Observation) and found.values else ""
    what = f" as failed: {found.reason}" if isinstance(found, Failure) else what
    signed = f" {posted.by} signed it (sha256 {posted.sealed[:12]})." if posted.sealed else ""
    return f"Recorded {posted}{what.rstrip('.')}.{signed}"


def _said(filled: "Filled") -> list[str]:
    numbers = ", ".join(str(report.task) for report in filled.reports)
    lines = [f"Recorded {_counted(len(filled.reports), 'task')}{f': {numbers}' if numbers else ''}."]
    if filled.known:
        lines.append(f"Already recorded: {', '.join(str(task.id) for task in filled.known)}.")
    if filled.empty:
        lines.append(f"Empty, skipped: line {', '.join(map(str, filled.empty))}.")
    if filled.unread:
        lines.append(f"Columns that were not read: {', '.join(filled.unread)}.")
    return lines


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _words(posted: "PostedTask", about: "About") -> str:
    from labwright.app import from_here
    from labwright.core.command import assigned
    from labwright.core.moment import moment

    task, shown, trials = posted.task, posted.task.given.items(), f" {', '.join(map(str, posted.trials))}"
    which = f", {'trial' if len(posted.trials) == 1 else 'trials'}{trials}" if posted.trials else ""
    lines = [
        f"Task {posted.id}: {task.title} for {posted.campaign}{which}, since {moment(posted.since)}{_due(posted)}",
        f"  {' '.join(task.instructions.split())}",
        *([f"  set: {assigned(task.given)}"] if task.given else []),
        *(f"  file {n}: {from_here(about.files[str(m.value)])}" for n, m in shown if str(m.value) in about.files),
        f"  report: {'; '.join(field.asked for field in task.fields)}",
        *([f"  for: {_whom(posted, about)}"] if task.signed or not task.to.anybody else []),
    ]
    if posted.claimed_by:
        lines.append(f"  claimed by {posted.claimed_by}, {moment(posted.claimed_at or '')}")
    if posted.campaign_state.value == "stopped":
        lines.append("  The campaign is stopped: report what was done, or say under `failed` that it was not.")
    elif posted.campaign_state.value not in ("draft", "running"):
        lines.append(f"  The campaign is {posted.campaign_state}.")
    return "\n".join(lines)


def _whom(posted: "PostedTask", about: "About") -> str:
    """Say whom a task is for, who that is now, and whether it must be signed."""
    to = posted.task.to
    has = f" ({', '.join(about.able.get(to.skill, ())) or 'nobody on record has it'})" if to.skill else ""
    return f"{to}{has}{', to be signed: --as NAME' if posted.task.signed else ''}"


def _due(posted: "PostedTask") -> str:
    from datetime import UTC, datetime

    from labwright.core.moment import moment

    if posted.due is None:
        return ""
    return f", due {moment(posted.due)}{' (late)' if posted.is_late(datetime.now(UTC).isoformat()) else ''}"


def _as_json(posted: "PostedTask") -> "Json":
    task = posted.task
    return {
        "task": posted.id,
        "campaign": posted.campaign,
        "campaign_state": posted.campaign_state.value,
        "trials": list(posted.trials),
        "resource": posted.resource,
        "title": task.title,
        "instructions": task.instructions,
        "given": {n: {"value": m.value, "unit": m.unit} for n, m in task.given.items()},
        "fields": [
            {
                "name": f.name,
                "kind": f.kind.value,
                "unit": f.unit,
                "low": f.low,
                "high": f.high,
                "levels": f.levels and list(f.levels),
                "required": f.required,
                "types": list(f.types),
            }
            for f in task.fields
        ],
        "people": list(task.to.people),
        "skill": task.to.skill,
        "signed": task.signed,
        "claimed_by": posted.claimed_by,
        "claimed_at": posted.claimed_at,
        "since": posted.since,
        "due": posted.due,
        "command_id": posted.command_id,
    }
