"""Takes in what people report on one task: texts, files and beliefs become a report."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from labwright.campaigns.assignments import raise_all
from labwright.campaigns.believing import read_belief
from labwright.core.attachment import Attachment
from labwright.core.belief import Belief
from labwright.core.campaign import Campaign
from labwright.core.command import Measurement
from labwright.core.errors import InvalidInput
from labwright.core.form import Field, FieldKind, expected, taken
from labwright.core.task import PostedTask, Report
from labwright.core.units import parse_quantity
from labwright.core.values import is_number


class Clerk:
    """Takes in reports on a campaign's tasks. `folder`: where the files that people name are looked for."""

    def __init__(self, campaign: Callable[[], Campaign], folder: Path) -> None:
        self._campaign = campaign
        self._folder = folder

    def read(self, posted: PostedTask, texts: Sequence[str], *, failed: str | None, note: str | None) -> Report:
        """Return the report that texts such as `mass=12.5 mg` and `photo=IMG_1.png` make; every problem is named."""
        assigned, wrong = _split(texts, posted.task.fields)
        entries: dict[str, Measurement | Attachment] = {}
        for field, text in assigned:
            try:
                entries[field.name] = self.entry(field, text)
            except InvalidInput as error:
                wrong.append(str(error))
        if failed and texts:
            wrong.append("it has values, and says that it failed. Give one of the two.")
        raise_all(str(posted), wrong, "nothing was recorded")
        return self.report(posted, entries, failed=failed, note=note)

    def report(
        self,
        posted: PostedTask,
        entries: Mapping[str, Measurement | Attachment],
        *,
        failed: str | None = None,
        note: str | None = None,
    ) -> Report:
        """Return a report of what was entered for some fields."""
        values = {name: found for name, found in entries.items() if isinstance(found, Measurement)}
        files = {name: found for name, found in entries.items() if isinstance(found, Attachment)}
        beliefs = () if failed else self.beliefs(posted, values)
        return Report(
            task=posted.id, values=values, files=files, beliefs=beliefs, failed=failed or None, note=note or None
        )

    def entry(self, field: Field, text: str) -> Measurement | Attachment:
        """Return what a text says for a field; what the field does not take raises InvalidInput."""
        if field.kind is FieldKind.FILE:
            file = self.file(field, text)
            taken(field, None, file)
            return file
        found = _value(field, text)
        taken(field, found, None)
        if field.kind is FieldKind.BELIEF:
            self.belief(field, text)
        return found

    def file(self, field: Field, text: str) -> Attachment:
        """Return a file that somebody names, read no further than its field allows."""
        path = self._folder / Path(text.strip()).expanduser()
        try:
            if not path.is_file():
                raise InvalidInput(f"{field.name}: there is no file {path}; expected {expected(field)}.")
            with path.open("rb") as file:
                return Attachment(name=path.name, data=file.read(field.largest + 1))
        except OSError as error:
            raise InvalidInput(f"{field.name}: the file {path} cannot be read: {error.strerror or error}.") from error

    def belief(self, field: Field, text: str) -> Belief:
        """Return what a text says of where the best of a parameter lies."""
        return read_belief(self._campaign().problem.space, field.name, text)

    def beliefs(self, posted: PostedTask, values: Mapping[str, Measurement]) -> tuple[Belief, ...]:
        """Return the beliefs among what was reported; where nothing else is asked for, there must be one."""
        wanted = [f for f in posted.task.fields if f.kind is FieldKind.BELIEF]
        found = tuple(self.belief(f, str(values[f.name].value)) for f in wanted if f.name in values)
        if wanted and not found and len(wanted) == len(posted.task.fields):
            names = ", ".join(f.name for f in wanted)
            raise InvalidInput(f"{posted}: no belief was given. Say one of {names}, or why not: --failed TEXT.")
        return found


def _value(field: Field, text: str) -> Measurement:
    text = text.strip()
    if field.kind in (FieldKind.WORDS, FieldKind.YES_NO, FieldKind.BELIEF):
        return Measurement(value=text)
    if field.levels is not None:
        return Measurement(value=next((level for level in field.levels if _means(text, level)), text))
    try:
        number, unit = parse_quantity(text, field.name)
    except InvalidInput as error:
        if field.is_numeric:
            raise InvalidInput(f"{str(error).rstrip('.')}; expected {expected(field)}.") from error
        return Measurement(value=text)
    return Measurement(value=number, unit=unit)


def _means(text: str, level: float | int | str) -> bool:
    if not is_number(level):
        return text == level
    try:
        return float(text) == level
    except ValueError:
        return False


def _split(texts: Sequence[str], fields: Sequence[Field]) -> tuple[list[tuple[Field, str]], list[str]]:
    """Return the text given for each field, and what is wrong with the others."""
    known, found, wrong = {field.name: field for field in fields}, dict[str, str](), list[str]()
    for text in texts:
        name, mark, value = (part.strip() for part in text.partition("="))
        if not mark or not name or not value:
            wrong.append(f"found {text!r}, expected NAME=VALUE. Asked for: {', '.join(known)}.")
        elif name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"asked for: {', '.join(known)}."
            wrong.append(f"{name}: nothing of that name is asked for; {hint}")
        elif name in found:
            wrong.append(f"{name} is set twice.")
        else:
            found[name] = value
    return [(known[name], text) for name, text in found.items()], wrong
