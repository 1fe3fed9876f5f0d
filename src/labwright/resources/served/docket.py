"""Under which id a server holds each of our commands, kept on disk from before it is told to begin."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from labwright.core.errors import ResourceUnavailable

PLACE = Path(".labwright") / "dockets"


@dataclass(frozen=True, kw_only=True)
class Note:
    """Under which id the server holds a command since which epoch; None: it was not begun, and will not be."""

    item: str | None
    epoch: int


class Docket:
    """Notes in a file beside the campaign's, one a line; the newest of a command holds."""

    def __init__(self, folder: Path, server: str) -> None:
        self._path = (folder / PLACE / f"{quote(server, safe='')[:200]}.jsonl").absolute()
        self._notes: dict[str, Note] = {}
        self._read_to = 0

    def look(self, command_id: str) -> Note | None:
        """Return what is noted of a command."""
        self._read()
        return self._notes.get(command_id)

    def note(self, command_id: str, note: Note) -> None:
        """Keep a note, safely on disk; what cannot be kept must not begin."""
        line = "\n" + json.dumps({"command": command_id, "item": note.item, "epoch": note.epoch}) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            if not self._read_to:  # the file may be new, and its name is in its folder
                self._sync(self._path.parent)
        except OSError as error:
            raise ResourceUnavailable(
                f"{self._path} cannot be written ({error}), and without it the command is not begun."
            ) from error
        self._notes[command_id] = note

    def _sync(self, folder: Path) -> None:
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def _read(self) -> None:
        """Read what was added since, perhaps by another process."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read_to)
                added = file.read()
        except FileNotFoundError:
            return
        except OSError as error:
            raise ResourceUnavailable(f"{self._path} cannot be read: {error}.") from error
        whole = added[: added.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.splitlines():
            try:
                found = json.loads(line)
                self._notes[found["command"]] = Note(item=found["item"], epoch=found["epoch"])
            except (ValueError, KeyError, TypeError):
                continue  # torn by a power failure: what it said had not begun
