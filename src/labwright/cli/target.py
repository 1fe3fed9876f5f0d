"""What a person names on the command line: a campaign or its file, and a trial of it."""

from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import SettingsError

from labwright.app import App
from labwright.app.named import Named
from labwright.campaigns.file import DocumentError, parse
from labwright.core.errors import InvalidInput
from labwright.settings import Settings


def make_app() -> App:
    """Return the application with the settings of the environment."""
    try:
        return App(Settings())
    except (ValidationError, SettingsError) as error:
        raise InvalidInput(f"A LABWRIGHT_ variable of the environment cannot be used: {error}") from error


def find_campaign(target: str) -> tuple[Path, str]:
    """Return the folder and the name of a campaign, given by its name (here), FOLDER/NAME or its file (anywhere)."""
    path = Path(target)
    if path.suffix not in (".yaml", ".yml"):
        in_folder = "/" in target and path.parent.is_dir()
        return (path.parent.absolute(), path.name) if in_folder else (Path.cwd(), target)
    try:
        data = parse(path.read_text(encoding="utf-8-sig")).data
    except (OSError, UnicodeDecodeError, DocumentError) as error:
        raise InvalidInput(f"The campaign file {path} cannot be read: {error}.") from error
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise InvalidInput(f"The campaign file {path} has no name.")
    return path.absolute().parent, data["name"]


def is_trial(target: str) -> bool:
    """Whether a trial is named, as NAME/7, and not a campaign."""
    campaign, _, number = target.rpartition("/")
    return bool(campaign) and number.isdecimal()


def find_trial(target: str) -> tuple[Path, str, int]:
    """Return folder, campaign and number of a trial written as NAME/7, FOLDER/NAME/7 or FILE.yaml/7."""
    campaign, _, number = target.rpartition("/")
    if not is_trial(target):
        raise InvalidInput(f"{target!r} is not a trial. Expected the campaign's name or file and a number: NAME/7.")
    folder, name = find_campaign(campaign)
    return folder, name, int(number)


def named(target: str, resource: str) -> Named:
    """Return a resource of a campaign that is given by its name or its file."""
    folder, campaign = find_campaign(target)
    path = Path(target)
    return Named(
        folder=folder, campaign=campaign, resource=resource, file=path if path.suffix in (".yaml", ".yml") else None
    )
