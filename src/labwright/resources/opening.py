"""Opening a resource: the plug-in by its name, with the options of the file."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, ValidationError

from labwright import plugins
from labwright.core.campaign import PlugIn
from labwright.core.errors import InvalidInput, ResourceUnavailable
from labwright.core.run import BAR
from labwright.core.values import Json, canonical, digest
from labwright.resources.resource import Remembering, Resource, ResourceKind
from labwright.resources.stranger import Misbehaved, guarded, words


@asynccontextmanager
async def opened(name: str, plug_in: PlugIn, folder: Path) -> AsyncIterator[Resource]:
    """Open a resource; what its own code raises is ResourceUnavailable, and a wrong option InvalidInput."""
    kind: ResourceKind = plugins.load("labwright.resources", plug_in.kind, folder)
    opening = kind.open(name, _options(name, kind, plug_in), folder)
    async with AsyncExitStack() as stack:
        try:
            resource = await guarded(lambda: stack.enter_async_context(opening))
        except Misbehaved as error:
            raise ResourceUnavailable(f"{name} cannot be opened: {words(error)}") from error
        yield resource


def key_of(name: str, plug_in: PlugIn, folder: Path) -> str:
    """Return what names the physical thing, the same for all campaigns, and how this one has set it up."""
    kind = plugins.load("labwright.resources", plug_in.kind, folder)
    said: list[Json] = [plug_in.kind, dict(plug_in.options), str(folder.resolve())]
    if plug_in.guard is not None:
        said.append(asdict(plug_in.guard))
    setup = digest(canonical(said))[:12]
    identity = getattr(kind, "identity", None)
    thing = setup if identity is None else identity(_options(name, kind, plug_in), folder)
    return f"{plug_in.kind} {thing}{BAR}{setup}"


def remembering(name: str, plug_in: PlugIn, folder: Path) -> tuple[Remembering, BaseModel]:
    """Return the kind of a resource that keeps a memory, and its options; another kind raises InvalidInput."""
    kind: ResourceKind = plugins.load("labwright.resources", plug_in.kind, folder)
    if not isinstance(kind, Remembering):
        raise InvalidInput(f"{name} ({plug_in.kind}) keeps no memory of what it handles: nothing can be settled.")
    return kind, _options(name, kind, plug_in)


def _options(name: str, kind: ResourceKind, plug_in: PlugIn) -> BaseModel:
    """Return the plug-in's options; it is told how many runs it takes at once, where that matters to it."""
    told = {"capacity": plug_in.capacity} if "capacity" in kind.Options.model_fields else {}
    try:
        return kind.Options(**plug_in.options, **told)
    except ValidationError as error:
        raise InvalidInput(f"{name}: its options cannot be used: {error}") from error
