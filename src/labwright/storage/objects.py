"""Files by their content: what an instrument or a program gave, under the sha256 of its bytes."""

import os
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from labwright.core.errors import InvalidInput, LedgerBroken, NotFound, StorageUnavailable
from labwright.core.values import is_reference


class Objects:
    """The objects in one folder, `ab/cdef...` under their hash; what is there is never changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        """Store bytes and return their reference; they are on disk when it returns. The same bytes are stored once."""
        reference = f"sha256:{sha256(data).hexdigest()}"
        path = self._path(reference)
        try:
            if not (path.exists() and path.read_bytes() == data):
                _write(path, data)
        except OSError as error:
            raise StorageUnavailable(f"The object {path} cannot be written: {error}.") from error
        return reference

    def get(self, reference: str) -> bytes:
        """Return the bytes; what is not there raises NotFound, and what has changed raises LedgerBroken."""
        path = self._path(reference)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no object {reference} in {self._folder}. Restore it from a backup.") from None
        except OSError as error:
            raise StorageUnavailable(f"The object {path} cannot be read: {error}.") from error
        found = f"sha256:{sha256(data).hexdigest()}"
        if found != reference:
            raise LedgerBroken(f"The object {path} is damaged: its content is now {found}. Restore it from a backup.")
        return data

    def find(self, reference: str) -> Path | None:
        """Return where an object lies; None where it is not here, or no reference at all."""
        path = self._path(reference) if is_reference(reference) else None
        return path if path is not None and path.exists() else None

    def _path(self, reference: str) -> Path:
        if not is_reference(reference):
            raise InvalidInput(f"{reference!r} is not a reference; expected sha256: and 64 hex digits.")
        digits = reference.removeprefix("sha256:")
        return self._folder / digits[:2] / digits[2:]


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, on disk with its name."""
    new = [folder for folder in (path.parent.parent, path.parent) if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    for folder in (path.parent, *(folder.parent for folder in new)):
        _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
