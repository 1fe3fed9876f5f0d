"""What is wrong with a campaign file, gathered so that a person sees all of it at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from labwright.core.document import Document
from labwright.core.errors import InvalidCampaign, InvalidInput

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Problems:
    """The problems of one file, each with its line."""

    file: str
    document: Document
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: Sequence[str | int], message: str) -> None:
        """Add a problem with the part of the file at `path`."""
        place = self._place(path)
        said = message.removeprefix(f"{path[-1]}: ") if path else message
        self.found.append((self.document.line(path), f"{place}: {said}" if place else said))

    def _place(self, path: Sequence[str | int]) -> str:
        """Write a path for people, who count from 1; a step is named as the file does."""
        parts = [str(part + 1) if isinstance(part, int) else part for part in path]
        if path[:1] != ("procedure",) or len(path) == 1:
            return ".".join(parts)
        step = self.document.at(path[:2])
        called = (step.get(key) for key in ("name", "use")) if isinstance(step, dict) else ()
        name = next((text for text in called if isinstance(text, str)), parts[1])
        return ", ".join([f"step {name}", ".".join(parts[2:])] if parts[2:] else [f"step {name}"])

    def attempt(self, path: Sequence[str | int], act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Return what `act` returns; what it refuses becomes a problem at `path`, and None is returned."""
        try:
            return act(*args, **kwargs)
        except InvalidInput as error:
            self.add(path, str(error))
            return None

    def raise_any(self) -> None:
        """Raise InvalidCampaign if there is any problem."""
        if self.found:
            raise InvalidCampaign(self.file, [f"line {line}: {message}" for line, message in sorted(self.found)])
