"""The commands that look: status, trials, show, report, verify."""

from pathlib import Path
from typing import Annotated

import typer

from labwright.cli.campaign import AsJson, Folder, Target


def status(folder: Folder = None, *, json: AsJson = False) -> None:
    """Show every campaign and the best so far, who works on what, and what waits for people."""
    from labwright.cli import machine, overview
    from labwright.cli.target import make_app

    app, where = make_app(), folder or Path.cwd()
    with app.laboratory(where) as laboratory:
        found = laboratory.overview()
    if json:
        machine.print_json(overview.as_json(found))
    else:
        overview.print_overview(found, where, app.place(where))


def trials(
    target: Target,
    *,
    json: AsJson = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values only.")] = False,
) -> None:
    """List a campaign's trials with their points and outcomes."""
    from labwright.cli import machine, tables
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    app = make_app()
    with app.laboratory(folder) as laboratory:
        standing = app.standing(laboratory, name)
    if json:
        machine.print_json([machine.trial_json(standing.campaign.problem, t) for t in standing.trials])
    elif csv:
        machine.print_csv(standing)
    else:
        tables.print_trials(standing)


def show(
    target: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="A campaign, by its name or file, or a trial: NAME/7.", show_default=False),
    ],
    *,
    json: AsJson = False,
) -> None:
    """Show one trial: why it was chosen, what was expected, sent, given and kept, and who said what of it.

    Of a campaign: the best, what the model makes of the results and how far it can be trusted, what is left to gain.
    """
    from labwright.cli import machine, tables, trial
    from labwright.cli.target import find_campaign, find_trial, is_trial, make_app

    app = make_app()
    if not is_trial(target):
        folder, name = find_campaign(target)
        with app.laboratory(folder) as laboratory:
            standing = app.standing(laboratory, name)
        if json:
            machine.print_json(machine.standing_json(standing))
        else:
            tables.print_standing(standing)
        return
    folder, name, number = find_trial(target)
    with app.laboratory(folder) as laboratory:
        found = laboratory.record(name, number)
    if json:
        machine.print_json(trial.as_json(found))
    else:
        typer.echo("\n".join(trial.lines_of(found)))


def report(
    target: Target,
    *,
    out: Annotated[Path | None, typer.Option(help="Where to write it; otherwise NAME.html here.")] = None,
) -> None:
    """Write a self-contained page: best so far, each parameter against the objective, the model's fit, the table."""
    from labwright.campaigns.report import write_report
    from labwright.cli.target import find_campaign, make_app
    from labwright.core.errors import InvalidInput

    folder, name = find_campaign(target)
    app = make_app()
    with app.laboratory(folder) as laboratory:
        standing, statements = app.standing(laboratory, name), laboratory.statements.of(name)
    path = out or Path(f"{name}.html")
    if path.suffix.lower() not in (".html", ".htm"):
        raise InvalidInput(
            f"A report is written as .html; {path} is not, and might be something else. Nothing was written."
        )
    write_report(
        path,
        standing.campaign,
        standing.record,
        standing.trials,
        statements=statements,
        beliefs=standing.beliefs,
    )
    typer.echo(f"Wrote {path}, the report of {name}. Open it in a browser.")


def verify(folder: Folder = None, *, json: AsJson = False) -> None:
    """Check the ledger: every chain of hashes, and the tables against it."""
    from labwright.cli import machine, tables
    from labwright.cli.exits import Exit
    from labwright.cli.target import make_app

    with make_app().laboratory(folder or Path.cwd()) as laboratory:
        found = laboratory.verify()
    if json:
        machine.print_json({"entries": found.entries, "heads": dict(found.heads), "problems": list(found.problems)})
    else:
        tables.print_verification(found)
    raise typer.Exit(Exit.BROKEN if found.problems else Exit.DONE)
