"""The resources that campaigns name: where they are, what they are, and opening them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ValidationError

from labwright import plugins
from labwright.campaigns.file import CampaignFile
from labwright.core.campaign import Campaign, PlugIn
from labwright.core.capability import Capability
from labwright.core.errors import InvalidInput, NotFound, PlatformError, ResourceUnavailable
from labwright.core.run import BAR
from labwright.core.values import canonical, digest
from labwright.resources.memory import Standing
from labwright.resources.resource import Remembering, Resource, ResourceKind, Seen
from labwright.resources.stranger import Misbehaved, guarded, words
from labwright.settings import Settings
from labwright.sites.worker import Post


class Equipment:
    """Opens resources, at the addresses that the settings give them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def opened(self, file: CampaignFile, folder: Path) -> AsyncIterator[dict[str, Resource]]:
        """Open every resource of a campaign; a wrong option raises InvalidCampaign with its line."""
        problems = file.problems()
        self._check_urls(file.campaign)
        async with AsyncExitStack() as stack:
            resources = {}
            for name, plug_in in file.campaign.resources.items():
                try:
                    resources[name] = await stack.enter_async_context(
                        _open(name, self._addressed(name, plug_in), folder)
                    )
                except InvalidInput as error:
                    problems.add(("resources", name), str(error))
            problems.raise_any()
            yield resources

    def posts(self, campaign: Campaign, resources: Mapping[str, Resource], folder: Path) -> dict[str, Post]:
        """Return the campaign's resources as they are served, by name."""
        keys = self.keys(campaign, folder)
        return {n: Post(key=keys[n], resource=r, capacity=campaign.resources[n].capacity) for n, r in resources.items()}

    def keys(self, campaign: Campaign, folder: Path) -> dict[str, str]:
        """Return what names the physical thing that each of the campaign's resources stands for."""
        return {
            name: _key(name, self._addressed(name, plug_in), folder) for name, plug_in in campaign.resources.items()
        }

    @asynccontextmanager
    async def post(self, campaign: Campaign, name: str, folder: Path) -> AsyncIterator[Post]:
        """Open one resource of a campaign, to be served."""
        plug_in = self._addressed(name, campaign.resources[name])
        async with _open(name, plug_in, folder) as resource:
            yield Post(key=_key(name, plug_in, folder), resource=resource, capacity=plug_in.capacity)

    async def stop_all(self, file: CampaignFile, folder: Path) -> list[str]:
        """Send every resource of a campaign to its safe state; return what went wrong."""
        problems = []
        for name, plug_in in file.campaign.resources.items():
            try:
                async with _open(name, self._addressed(name, plug_in), folder) as resource:
                    await guarded(resource.stop)
            except PlatformError as error:
                problems.append(f"{name} could not be told to stop: {error}")
            except Exception as error:  # an adapter may raise anything, and the others are still to be stopped
                problems.append(f"{name} could not be told to stop: {words(error)}")
        return problems

    def standing(self, file: CampaignFile, name: str) -> Standing:
        """Return what a resource of a campaign believes of the things that it handles."""
        kind, options, folder = self._remembering(file, name)
        return kind.standing(name, options, folder)

    def settle(self, file: CampaignFile, name: str, seen: Seen) -> Standing:
        """Let a resource of a campaign take a person's word for what it handles; return what it believes then."""
        kind, options, folder = self._remembering(file, name)
        return kind.settle(name, options, folder, seen)

    def _remembering(self, file: CampaignFile, name: str) -> tuple[Remembering, BaseModel, Path]:
        plug_in = file.campaign.resources.get(name)
        if plug_in is None:
            raise NotFound(f"{file.path} has no resource {name!r}. It has: {', '.join(file.campaign.resources)}.")
        kind: ResourceKind = plugins.load("labwright.resources", plug_in.kind)
        if not isinstance(kind, Remembering):
            raise InvalidInput(f"{name} ({plug_in.kind}) keeps no memory of what it handles: nothing can be settled.")
        return kind, _options(name, kind, self._addressed(name, plug_in)), file.path.absolute().parent

    def _addressed(self, name: str, plug_in: PlugIn) -> PlugIn:
        """Return the plug-in with the address that the settings give its resource, if they do."""
        url = next((u for n, u in self._settings.urls.items() if n.lower() == name.lower()), None)
        return plug_in if url is None else replace(plug_in, options={**plug_in.options, "url": url})

    def _check_urls(self, campaign: Campaign) -> None:
        """Refuse an address for a resource that the campaign does not have: it was meant for another."""
        known = {name.lower() for name in campaign.resources}
        unknown = [name for name in self._settings.urls if name.lower() not in known]
        if unknown:
            raise InvalidInput(
                f"LABWRIGHT_URLS gives an address for {', '.join(unknown)}, but the campaign's resources are "
                f"{', '.join(campaign.resources)}."
            )


@asynccontextmanager
async def _open(name: str, plug_in: PlugIn, folder: Path) -> AsyncIterator[Resource]:
    kind: ResourceKind = plugins.load("labwright.resources", plug_in.kind)
    opening = kind.open(name, _options(name, kind, plug_in), folder)
    async with AsyncExitStack() as stack:
        try:
            resource = await guarded(lambda: stack.enter_async_context(opening))
        except Misbehaved as error:
            raise ResourceUnavailable(f"{name} cannot be opened: {words(error)}") from error
        yield resource


def capabilities_of(resources: Mapping[str, Resource]) -> dict[str, Capability]:
    """Return every capability by its full name: resource.capability."""
    return {f"{name}.{c.name}": c for name, resource in resources.items() for c in resource.capabilities()}


def _key(name: str, plug_in: PlugIn, folder: Path) -> str:
    """Return what names the physical thing, the same for all campaigns, and how this one has set it up."""
    kind = plugins.load("labwright.resources", plug_in.kind)
    setup = digest(canonical([plug_in.kind, dict(plug_in.options), str(folder.resolve())]))[:12]
    identity = getattr(kind, "identity", None)
    thing = setup if identity is None else identity(_options(name, kind, plug_in), folder)
    return f"{plug_in.kind} {thing}{BAR}{setup}"


def _options(name: str, kind: ResourceKind, plug_in: PlugIn) -> BaseModel:
    """Return the plug-in's options; it is told how many runs it takes at once, where that matters to it."""
    told = {"capacity": plug_in.capacity} if "capacity" in kind.Options.model_fields else {}
    try:
        return kind.Options(**plug_in.options, **told)
    except ValidationError as error:
        raise InvalidInput(f"{name}: its options cannot be used: {error}") from error
