"""What resources say of themselves: asked now, or as they said when their campaign began."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from labwright.app.equipment import Equipment
from labwright.app.laboratory import Laboratory
from labwright.campaigns.crew import can_do
from labwright.campaigns.file import CampaignFile
from labwright.core.campaign import Campaign, PlugIn
from labwright.core.capability import Capability
from labwright.core.errors import NotFound, PlatformError, StorageUnavailable
from labwright.core.run import thing_of
from labwright.storage.guards import GuardRecord
from labwright.storage.reservations import Reservation, Reservations

PROBE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Described:
    """One resource of a campaign. `capabilities` None: nobody has said yet what it can do.

    `problem`: why it was not reached; `took_s`: how long it took to reach it. Both only of one that was asked now.
    """

    name: str
    plug_in: PlugIn
    capabilities: tuple[Capability, ...] | None
    problem: str | None = None
    took_s: float | None = None
    guard: GuardRecord | None = None
    taken: Reservation | None = None

    @property
    def is_healthy(self) -> bool:
        """Whether it was reached, if it was asked at all."""
        return self.problem is None


class Probing:
    """Describes the resources of a campaign; nothing moves."""

    def __init__(self, laboratory: Callable[..., AbstractContextManager[Laboratory]], equipment: Equipment) -> None:
        self._laboratory, self._equipment = laboratory, equipment

    def described(self, file: CampaignFile, folder: Path) -> list[Described]:
        """Return each resource as it is on record, where its campaign has begun."""
        campaign = file.campaign
        try:
            with self._laboratory(folder) as laboratory:
                known = can_do(campaign, laboratory.campaigns.get(campaign.name).declared)
        except (NotFound, StorageUnavailable):
            known = {}
        found = []
        for name, plug_in in campaign.resources.items():
            own = tuple(c for use, c in known.items() if use.partition(".")[0] == name)
            found.append(Described(name=name, plug_in=plug_in, capabilities=own or None))
        return self._with_standing(found, campaign, folder)

    def probed(self, file: CampaignFile, folder: Path) -> list[Described]:
        """Ask each resource now, all at once; one that cannot be reached does not hide the others."""
        return self._with_standing(asyncio.run(self._probe(file.campaign, folder)), file.campaign, folder)

    async def _probe(self, campaign: Campaign, folder: Path) -> list[Described]:
        return list(await asyncio.gather(*(self._ask(campaign, name, folder) for name in campaign.resources)))

    async def _ask(self, campaign: Campaign, name: str, folder: Path) -> Described:
        plug_in, begun = campaign.resources[name], time.monotonic()
        try:
            async with asyncio.timeout(PROBE_S), self._equipment.opened_one(campaign, name, folder) as resource:
                found = tuple(resource.capabilities())
            return Described(name=name, plug_in=plug_in, capabilities=found, took_s=time.monotonic() - begun)
        except TimeoutError:
            problem = f"it did not answer within {PROBE_S:g} s"
        except PlatformError as error:
            problem = str(error)
        return Described(name=name, plug_in=plug_in, capabilities=None, problem=problem)

    def _with_standing(self, found: list[Described], campaign: Campaign, folder: Path) -> list[Described]:
        """Return them with how their monitors stand, and who has taken them."""
        try:
            with self._laboratory(folder) as laboratory:
                taken, keys = Reservations(laboratory.database).now(), self._equipment.keys(campaign, folder)
                guards = {record.thing: record for record in laboratory.guards.all()}
        except (StorageUnavailable, PlatformError):
            return found
        things = {name: thing_of(key) for name, key in keys.items()}
        return [_standing(one, guards.get(things[one.name]), taken.get(things[one.name])) for one in found]


def _standing(one: Described, guard: GuardRecord | None, taken: Reservation | None) -> Described:
    return Described(
        name=one.name,
        plug_in=one.plug_in,
        capabilities=one.capabilities,
        problem=one.problem,
        took_s=one.took_s,
        guard=guard,
        taken=taken,
    )
