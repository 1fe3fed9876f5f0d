"""Reads a campaign file whole, before anything runs; every problem is named with its line."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from labwright import plugins
from labwright.campaigns.file.build import build
from labwright.campaigns.file.keys import meant
from labwright.campaigns.file.problems import Problems
from labwright.campaigns.file.schema import CampaignName, CampaignPart, ResourcePart
from labwright.core.campaign import Campaign
from labwright.core.document import Document, DocumentError, parse
from labwright.core.errors import InvalidCampaign, InvalidInput, PluginNotFound

Location = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class CampaignFile:
    """A campaign with the document that it was read from."""

    path: Path
    campaign: Campaign
    document: Document

    def problems(self) -> Problems:
        """Return an empty list of problems for this file."""
        return Problems(file=str(self.path), document=self.document)


def read_campaign(path: Path, *, name: str | None = None) -> CampaignFile:
    """Read and check a campaign file; `name` replaces its own. All problems together raise InvalidCampaign."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The campaign file {path} {_unreadable(path, error)}") from error
    return parse_campaign(text, path, name=name)


def _unreadable(path: Path, error: Exception) -> str:
    if not path.is_dir():
        return f"cannot be read: {error}."
    inside = path / "campaign.yaml"
    return f"is a folder{f'; did you mean {inside}?' if inside.is_file() else '.'}"


def parse_campaign(text: str, path: Path, *, name: str | None = None) -> CampaignFile:
    """Read a campaign from the text of a file; `path` is for messages and for the files that it names."""
    return _parsed(text, path, name, path.parent)


def recall_campaign(text: str, path: Path, *, name: str | None = None) -> CampaignFile:
    """Read a campaign that is on record: a kind of resource that is in a file is not loaded, and may be gone by now."""
    return _parsed(text, path, name, None)


def _parsed(text: str, path: Path, name: str | None, folder: Path | None) -> CampaignFile:
    try:
        document = parse(text)
    except DocumentError as error:
        raise InvalidCampaign(str(path), [str(error)]) from error
    problems = Problems(file=str(path), document=document)
    part = _validate(CampaignPart, document.data, (), problems)
    _check_plugins(document, folder, problems)
    problems.raise_any()
    assert part is not None
    campaign = build(part if name is None else _renamed(part, name), text, problems)
    problems.raise_any()
    assert campaign is not None
    return CampaignFile(path=path, campaign=campaign, document=document)


def _validate(model: type[Any], data: Any, path: Location, problems: Problems) -> Any:
    if not isinstance(data, dict):
        problems.add(path, f"expected keys and values; found {_short(data)}.")
        return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for location, message in _explain(error, problems.document, path, model):
            problems.add(location, message)
        return None


def _renamed(part: CampaignPart, name: str) -> CampaignPart:
    try:
        TypeAdapter(CampaignName).validate_python(name)
    except ValidationError as error:
        raise InvalidInput(f"{name!r} cannot name a campaign: {_PATTERNS['name',]}.") from error
    return part.model_copy(update={"name": name})


def _check_plugins(document: Document, folder: Path | None, problems: Problems) -> None:
    planner = document.at(("planner",))
    planner = {"kind": "gp"} | planner if isinstance(planner, dict) else {"kind": "gp"}
    _check_plugin("labwright.planners", ("planner",), planner, {"kind", "seed", "beliefs"}, problems)
    _check_learns(document, planner["kind"], problems)
    resources = document.at(("resources",))
    for name, options in resources.items() if isinstance(resources, dict) else ():
        if isinstance(options, dict) and not (folder is None and plugins.FILE in str(options.get("kind"))):
            own = set(ResourcePart.model_fields)
            _check_plugin("labwright.resources", ("resources", name), options, own, problems, folder)


def _check_learns(document: Document, kind: Any, problems: Problems) -> None:
    """What people believe and others answer, and what is left to gain, mean something to a planner that learns only."""
    if kind not in plugins.installed("labwright.planners"):
        return
    if not getattr(plugins.load("labwright.planners", kind), "learns", False):
        for path in (("planner", "beliefs"), ("sources",), ("stop",)):
            if document.at(path):
                problems.add(path, f"the planner {kind!r} takes no account of it; take it out, or choose `gp`.")


def _check_plugin(
    group: str,
    path: Location,
    data: dict[str, Any],
    own: set[str],
    problems: Problems,
    folder: Path | None = None,
) -> None:
    if not isinstance(data.get("kind"), str):
        return  # the schema has said so already
    try:
        model: type[BaseModel] = plugins.load(group, data["kind"], folder).Options
    except PluginNotFound:
        problems.add((*path, "kind"), _no_such_kind(group, data["kind"]))
        return
    except InvalidInput as error:
        problems.add((*path, "kind"), str(error))
        return
    _validate(model, {key: value for key, value in data.items() if key not in own}, path, problems)


def _no_such_kind(group: str, kind: str) -> str:
    names = plugins.installed(group)
    close = difflib.get_close_matches(kind, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    what = group.rpartition(".")[2].removesuffix("s")
    return f"no kind of {what} is named {kind!r}; known: {', '.join(names) or 'none'}{hint}"


def _explain(
    error: ValidationError, document: Document, base: Location, model: type[Any]
) -> Iterator[tuple[Location, str]]:
    for one in error.errors():
        if _is_other_branch(one["loc"], one["input"]):
            continue
        location = _real(document, base, one["loc"])
        match one["type"]:
            case "missing":
                yield location, "this key is missing."
            case "extra_forbidden":
                yield location, f"unknown key.{meant(str(location[-1]), model, one['loc'][:-1])}"
            case "union_tag_invalid":
                yield (*location, "kind"), f"found {one['ctx']['tag']!r}; one of {_KINDS} was expected."
            case "union_tag_not_found":
                yield (*location, "kind"), f"this key is missing; one of {_KINDS} was expected."
            case "string_pattern_mismatch":
                yield location, f"found {_short(one['input'])}; {_wanted(base, location, one['ctx']['pattern'])}."
            case _:
                message = one["msg"].removeprefix("Value error, ")
                yield location, f"found {_short(one['input'])}; {message[:1].lower()}{message[1:].rstrip('.')}."


def _is_other_branch(location: Sequence[str | int], found: Any) -> bool:
    """Whether keys stand where a word could, too: the branch that has keys says what is wrong with them."""
    return isinstance(found, dict) and bool(location) and str(location[-1]).startswith("literal[")


_KINDS = "continuous, discrete, ordinal, categorical, composition"
_NAME = "a name of letters, digits and _ was expected"
_PATTERNS: dict[Location, str] = {
    ("name",): "letters, digits, '.', '_' and '-' were expected",
    ("procedure", "use"): "resource.capability was expected",
}
_TEXTS = {"opc.tcp://": "opc.tcp://host:port/ was expected"}  # by how the pattern of a plug-in begins


def _wanted(base: Location, location: Location, pattern: str) -> str:
    """Say what a text must look like: a name of the campaign, or what a plug-in at `base` wants of its options."""
    if not base:
        return _PATTERNS.get(location[::2] if location[-1:] == ("use",) else location, _NAME)
    plain = pattern.replace("\\", "")
    known = (words for start, words in _TEXTS.items() if plain.startswith(f"^{start}"))
    return next(known, f"a text like {pattern} was expected")


_BRANCHES = ("[key]", "literal[", "dict[", "list[")


def _real(document: Document, base: Location, location: Sequence[str | int]) -> Location:
    """Drop the parts of a location that name a branch of a union and not a key of the file."""
    path = base
    for i, part in enumerate(location):
        held = document.at(path)
        known = isinstance(held, list) or (isinstance(held, dict) and (part in held or i == len(location) - 1))
        if known and not str(part).startswith(_BRANCHES):
            path = (*path, part)
    return path


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
