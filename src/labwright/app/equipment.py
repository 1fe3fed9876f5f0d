"""The resources that campaigns name: where they are, what they are, and opening them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from labwright.campaigns.file import CampaignFile
from labwright.campaigns.wiring import Wiring
from labwright.core.campaign import Campaign, PlugIn
from labwright.core.capability import Capability
from labwright.core.errors import InvalidInput, PlatformError
from labwright.core.run import thing_of
from labwright.resources.opening import key_of, opened, remembering
from labwright.resources.resource import Remembering, Resource
from labwright.resources.stranger import guarded, words
from labwright.safety.orders import orders_of
from labwright.settings import Settings
from labwright.sites.available import Attendance
from labwright.sites.guard import Guard, Place, limits_of
from labwright.sites.post import Post


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
                        opened(name, self._addressed(name, plug_in), folder)
                    )
                except InvalidInput as error:
                    problems.add(("resources", name), str(error))
            problems.raise_any()
            yield resources

    def posts(self, campaign: Campaign, resources: Mapping[str, Resource], folder: Path) -> dict[str, Post]:
        """Return the campaign's resources as they are served, by name."""
        return {name: self._post(campaign, name, resources, folder) for name in resources}

    def _post(self, campaign: Campaign, name: str, resources: Mapping[str, Resource], folder: Path) -> Post:
        plug_in = self._addressed(name, campaign.resources[name])
        said, place = plug_in.availability, self.places(campaign, folder).get(name)
        return Post(
            key=key_of(name, plug_in, folder),
            resource=_guarded(resources[name], place),
            capacity=plug_in.capacity,
            attendance=None if said is None else Attendance(name, said, resources, folder),
        )

    def places(self, campaign: Campaign, folder: Path) -> dict[str, Place]:
        """Return the campaign's resources before which a monitor stands, by name."""
        keys = self.keys(campaign, folder)
        return {
            n: Place(name=n, plug_in=self._addressed(n, plug_in), folder=folder, thing=thing_of(keys[n]))
            for n, plug_in in campaign.resources.items()
            if plug_in.guard is not None
        }

    def opened_one(self, campaign: Campaign, name: str, folder: Path) -> AbstractAsyncContextManager[Resource]:
        """Open one resource of a campaign by itself."""
        return opened(name, self._addressed(name, campaign.resources[name]), folder)

    def keys(self, campaign: Campaign, folder: Path) -> dict[str, str]:
        """Return what names the physical thing that each of the campaign's resources stands for."""
        return {
            name: key_of(name, self._addressed(name, plug_in), folder) for name, plug_in in campaign.resources.items()
        }

    def guarded(
        self, wiring: Wiring, file: CampaignFile, resources: Mapping[str, Resource], keys: Sequence[str]
    ) -> Wiring:
        """Return the wiring with the limits that hold at monitors; what is wrong with them raises InvalidCampaign."""
        problems, guards = file.problems(), {}
        for name, place in self.places(file.campaign, file.path.absolute().parent).items():
            try:
                limits = limits_of(place, keys)
                known = {c.name: c for c in resources[name].capabilities()}
                guards[name] = (limits, orders_of(place.guard, known, limits, "guard"))
            except PlatformError as error:
                problems.add(("resources", name, "guard"), str(error))
        problems.raise_any()
        return replace(wiring, guards=guards)

    @asynccontextmanager
    async def post(self, campaign: Campaign, name: str, folder: Path) -> AsyncIterator[Post]:
        """Open one resource of a campaign, to be served, and those whose channels say whether it is to be had."""
        said = campaign.resources[name].availability
        needed = dict.fromkeys([name, *(n.resource or name for n in (said.needs if said else ()))])
        async with AsyncExitStack() as stack:
            resources = {
                n: await stack.enter_async_context(opened(n, self._addressed(n, campaign.resources[n]), folder))
                for n in needed
            }
            yield self._post(campaign, name, resources, folder)

    async def stop_all(self, file: CampaignFile, folder: Path) -> list[str]:
        """Send every resource of a campaign to its safe state; return what went wrong."""
        problems = []
        for name, plug_in in file.campaign.resources.items():
            try:
                async with opened(name, self._addressed(name, plug_in), folder) as resource:
                    await guarded(resource.stop)
            except PlatformError as error:
                problems.append(f"{name} could not be told to stop: {error}")
            except Exception as error:  # an adapter may raise anything, and the others are still to be stopped
                problems.append(f"{name} could not be told to stop: {words(error)}")
        return problems

    def remembering(self, campaign: Campaign, name: str, folder: Path) -> tuple[Remembering, BaseModel]:
        """Return the kind of a resource that keeps a memory, and its options; another kind raises InvalidInput."""
        return remembering(name, self._addressed(name, campaign.resources[name]), folder)

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


def _guarded(resource: Resource, place: Place | None) -> Resource:
    return resource if place is None else Guard(resource, place)


def capabilities_of(resources: Mapping[str, Resource]) -> dict[str, Capability]:
    """Return every capability by its full name: resource.capability."""
    return {f"{name}.{c.name}": c for name, resource in resources.items() for c in resource.capabilities()}
