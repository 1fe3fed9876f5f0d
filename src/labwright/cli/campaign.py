"""The commands that act: check, run, stop."""

import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

CampaignFile = Annotated[Path, typer.Argument(metavar="FILE", help="The campaign file.", show_default=False)]
Target = Annotated[
    str, typer.Argument(metavar="NAME", help="The campaign's name, FOLDER/NAME, or its file.", show_default=False)
]
Folder = Annotated[
    Path | None, typer.Argument(metavar="[FOLDER]", help="Where labwright.db is; otherwise here.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON only.")]


def check(file: CampaignFile, *, json: AsJson = False) -> None:
    """Check a campaign file and what its resources offer; say what would happen. Nothing moves.

    Exit codes: 0 it can run, perhaps once people have approved; 2 something in the file or the input is wrong;
    3 a resource is out of reach; 4 the gate would not allow the first proposal.
    """
    from labwright.cli import machine, tables
    from labwright.cli.exits import Exit
    from labwright.cli.target import make_app

    app = make_app()
    checked = app.check(file)
    if json:
        machine.print_json(machine.checked_json(checked))
    else:
        tables.print_checked(checked, app.place(file.absolute().parent))
    can_run = checked.verdict.allowed or checked.verdict.waits
    raise typer.Exit(Exit.DONE if can_run else Exit.HALTED)


def run(
    file: CampaignFile,
    *,
    new: Annotated[str | None, typer.Option("--new", metavar="NAME", help="Start another campaign so named.")] = None,
    json: AsJson = False,
) -> None:
    """Run a campaign to its end. The same command again goes on where it was left, or shows the answer.

    Exit codes: 0 finished; 2 something in the file or the input is wrong; 3 a resource is out of reach; 4 the campaign
    cannot go on; 5 finished, but some trials failed; 130 interrupted.
    """
    from labwright.app import Faces
    from labwright.cli import machine, tables
    from labwright.cli.progress import Display
    from labwright.cli.target import make_app
    from labwright.cli.words import exit_of

    # What a function prints belongs to the progress: the standard output holds the answer only.
    with redirect_stdout(sys.stderr), Display(quiet=json) as display:
        standing = make_app().run(file, name=new, faces=Faces(watcher=display.watch, tell=display.tell))
    if json:
        machine.print_json(machine.standing_json(standing))
    else:
        tables.print_answer(standing, file, new)
    raise typer.Exit(exit_of(standing.record.state, standing.trials))


def conduct(file: CampaignFile) -> None:
    """Conduct a campaign whose runs are carried out by `labwright worker` processes.

    Exit codes are those of `labwright run`.
    """
    from labwright.app import Faces
    from labwright.cli import tables
    from labwright.cli.progress import Display
    from labwright.cli.target import make_app
    from labwright.cli.words import exit_of

    with Display(quiet=False) as display:
        faces = Faces(watcher=display.watch, tell=display.tell)
        standing = make_app().run(file, name=None, faces=faces, serve=False)
    tables.print_answer(standing, file, None, command="conduct")
    raise typer.Exit(exit_of(standing.record.state, standing.trials))


def worker(folder: Folder = None) -> None:
    """Serve the resources of every campaign at work, until interrupted; several such processes share the work."""
    from labwright.cli.target import make_app

    make_app().work(folder or Path.cwd(), tell=lambda text: typer.echo(text, err=True))


def stop(target: Target) -> None:
    """Stop a campaign: its resources go to their safe state first, then it is recorded. It cannot be resumed.

    What people have before them stays open: its trial ends with what they report.
    """
    from labwright.cli.exits import Exit
    from labwright.cli.target import find_campaign, make_app

    folder, name = find_campaign(target)
    app = make_app()
    problems = app.stop(folder, name, file=path if (path := Path(target)).suffix in (".yaml", ".yml") else None)
    typer.echo(f"{name} is stopped.")
    tasks = app.desk.tasks(folder, name)
    for task in tasks:
        typer.echo(f"People may have begun {task}: its trial ends with what they report, or that it was not done.")
    if tasks:
        typer.echo(f"To report: labwright worksheet {shlex.quote(target)}")
    for problem in problems:
        typer.echo(problem, err=True)
    raise typer.Exit(Exit.UNAVAILABLE if problems else Exit.DONE)
