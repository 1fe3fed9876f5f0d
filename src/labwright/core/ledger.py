"""The chain of hashes: each entry names the one before it, so that none can be changed unseen."""

from dataclasses import dataclass

from labwright.core.values import canonical, digest

BEGINNING = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happened. `seq` counts from 1 in its stream; `body` is canonical JSON; `at` is UTC."""

    stream: str
    seq: int
    at: str
    kind: str
    body: str
    previous: str
    hash: str

    @property
    def expected_hash(self) -> str:
        """The hash that the entry's content calls for."""
        return entry_hash(self.stream, self.seq, self.at, self.kind, self.body, self.previous)


def entry_hash(stream: str, seq: int, at: str, kind: str, body: str, previous: str) -> str:
    """Return the sha256 over an entry's content and the hash of the entry before it."""
    return digest(canonical([stream, seq, at, kind, body, previous]))
