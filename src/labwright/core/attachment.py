"""A file that a person hands in: what it is, told by its content and not by its name."""

import re
from dataclasses import dataclass, field
from hashlib import sha256

MB = 1_000_000
LARGEST = 20 * MB  # where nothing else is said
MOST = 200 * MB
UNKNOWN = "of no kind that is known"
SHOWN = 60  # characters of a name

# What a file of each kind begins with: the place of each mark, and the mark.
MARKS: dict[str, tuple[tuple[int, re.Pattern[bytes]], ...]] = {
    "image/png": ((0, re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR", re.DOTALL)),),
    "image/jpeg": ((0, re.compile(rb"\xff\xd8\xff[\xc0-\xfe]")),),
    "image/gif": ((0, re.compile(rb"GIF8[79]a")),),
    "image/tiff": ((0, re.compile(rb"II\*\x00|MM\x00\*")),),
    "image/webp": ((0, re.compile(rb"RIFF")), (8, re.compile(rb"WEBP"))),
    "image/heic": ((4, re.compile(rb"ftyp(heic|heix|hevc|heim|heis|mif1|msf1)")),),
    "video/mp4": ((4, re.compile(rb"ftyp(isom|iso[2-6]|mp4[12]|avc1|M4V |dash)")),),
    "video/quicktime": ((4, re.compile(rb"ftypqt  ")),),
    "application/pdf": ((0, re.compile(rb"%PDF-\d")),),
    "application/zip": ((0, re.compile(rb"PK\x03\x04|PK\x05\x06")),),  # and what is packed like it: .xlsx, .docx
    "application/x-hdf5": ((0, re.compile(rb"\x89HDF\r\n\x1a\n")),),
}
TEXT = "text/plain"
KINDS = (*MARKS, TEXT)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A file as it was handed in. `name` is what its owner calls it, and proves nothing."""

    name: str
    data: bytes = field(repr=False)

    @property
    def reference(self) -> str:
        """What it is kept under."""
        return f"sha256:{sha256(self.data).hexdigest()}"

    @property
    def kind(self) -> str | None:
        """What its content says that it is; None where that is nothing known."""
        return kind_of(self.data)

    def __str__(self) -> str:
        return _words(self.name, self.kind, len(self.data))


@dataclass(frozen=True, kw_only=True)
class HandedIn:
    """A file on record: for which field, how its owner calls it, what it is, how large, and where it is kept."""

    field: str
    name: str
    kind: str | None
    size: int
    reference: str

    def __str__(self) -> str:
        return f"{self.field}: {_words(self.name, self.kind, self.size)}"


def kind_of(data: bytes) -> str | None:
    """Return the media type that a file's content shows, or None; text is what reads as UTF-8 without control codes."""
    for kind, marks in MARKS.items():
        if all(mark.match(data, place) for place, mark in marks):
            return kind
    if not data or _CONTROL.search(data):
        return None
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return TEXT


def size_words(size: int) -> str:
    """Write a number of bytes for people."""
    for unit, of in (("MB", MB), ("kB", 1000)):
        if size >= of:
            return f"{size / of:.3g} {unit}"
    return f"{size} bytes"


def _words(name: str, kind: str | None, size: int) -> str:
    return f"{name[:SHOWN]}, {kind or UNKNOWN}, {size_words(size)}"
