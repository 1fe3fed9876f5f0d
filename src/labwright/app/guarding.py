"""What people do with the monitors before instruments: see, sign for, arm, disarm, trip and reset them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from labwright.access import Credential, authenticate
from labwright.app.equipment import Equipment
from labwright.app.laboratory import Laboratory
from labwright.app.named import Named
from labwright.campaigns.file import CampaignFile
from labwright.campaigns.wiring import Wiring
from labwright.core.campaign import Campaign
from labwright.core.errors import InvalidInput, StorageUnavailable
from labwright.core.reason import stated
from labwright.resources.resource import Resource
from labwright.safety.envelope import Limits
from labwright.safety.signature import public_key, sign
from labwright.sites.guard import Place, limits_of
from labwright.storage.guards import GuardRecord, Guards
from labwright.storage.people import People

SHORTEST = 12  # digits of a digest that name it


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A monitor as people see it: what its limits file says now, and what is on record of it."""

    place: Place
    limits: Limits
    signed_by: str
    record: GuardRecord | None


class Guarding:
    """What people do with monitors; whoever acts shows their secret."""

    def __init__(self, laboratory: Callable[..., AbstractContextManager[Laboratory]], equipment: Equipment) -> None:
        self._laboratory, self._equipment = laboratory, equipment

    def before(self, wiring: Wiring, file: CampaignFile, resources: Mapping[str, Resource]) -> Wiring:
        """Return the wiring with the limits that hold at monitors; what is wrong with them raises InvalidCampaign.

        Where there is no database yet, nobody's signature is trusted.
        """
        folder = file.path.absolute().parent
        if not self._equipment.places(file.campaign, folder):
            return wiring
        try:
            with self._laboratory(folder) as laboratory:
                keys = list(Guards(laboratory.database).keys())
        except StorageUnavailable:
            keys = []
        return self._equipment.guarded(wiring, file, resources, keys)

    def stopped(self, laboratory: Laboratory, campaign: Campaign, folder: Path) -> None:
        """Record that nothing passes the monitors of a campaign that a person has stopped."""
        for place in self._equipment.places(campaign, folder).values():
            if laboratory.guards.find(place.thing) is not None:
                why = f"campaign {campaign.name} was stopped"
                laboratory.guards.disarm(place.thing, why=why, by="whoever stopped it")

    def all(self, folder: Path) -> list[GuardRecord]:
        """Return how every monitor stands that was ever armed."""
        with self._laboratory(folder) as laboratory:
            return Guards(laboratory.database).all()

    def add_key(self, folder: Path, by: Credential, private: bytes) -> str:
        """Trust what a person signs with a key from now on; return its public part in hexadecimal digits."""
        public = public_key(private).hex()
        with self._laboratory(folder) as laboratory:
            person = authenticate(People(laboratory.database), by.name, by.secret)
            Guards(laboratory.database).add_key(public, person)
        return public

    def end_key(self, folder: Path, by: Credential, public: str, why: str) -> None:
        """Trust a key no more."""
        with self._laboratory(folder) as laboratory:
            person = authenticate(People(laboratory.database), by.name, by.secret)
            Guards(laboratory.database).end_key(public, by=person, why=stated(why))

    def show(self, named: Named) -> Shown:
        """Read the limits of a resource; what is wrong with them or their signature is raised."""
        with self._laboratory(named.folder) as laboratory:
            return self._shown(laboratory, named)

    def arm(self, named: Named, by: Credential, *, digest: str, motion: bool) -> GuardRecord:
        """Arm a resource, in the mode of its campaign, with the limits that a person names by their digest."""
        with self._laboratory(named.folder) as laboratory:
            person = authenticate(People(laboratory.database), by.name, by.secret)
            shown = self._shown(laboratory, named)
            limits, place = shown.limits, shown.place
            if len(digest) < SHORTEST or not limits.digest.startswith(digest.lower()):
                raise InvalidInput(
                    f"The digest {digest!r} is not that of {place.guard.limits}, or has fewer than {SHORTEST} digits. "
                    "Read the file; its digest is shown by: labwright guard show"
                )
            if limits.instrument != place.instrument:
                raise InvalidInput(
                    f"{place.guard.limits} is for {limits.instrument!r}, and {named.resource} is {place.instrument!r}. "
                    "Take its own file, or say `instrument:` under `guard:`."
                )
            if place.guard.mode not in limits.modes:
                raise InvalidInput(f"{place.guard.limits} has no mode {place.guard.mode!r}: {', '.join(limits.modes)}.")
            return Guards(laboratory.database).arm(
                place.thing,
                instrument=place.instrument,
                version=limits.version,
                digest=limits.digest,
                mode=place.guard.mode,
                motion=motion,
                by=person,
            )

    def disarm(self, named: Named, by: Credential, why: str) -> GuardRecord:
        """Let nothing pass any more; the instrument stays as it is."""
        with self._laboratory(named.folder) as laboratory:
            person = authenticate(People(laboratory.database), by.name, by.secret)
            thing = self._place(laboratory, named).thing
            return Guards(laboratory.database).disarm(thing, why=stated(why), by=person.name)

    def trip(self, named: Named, why: str, by: str) -> GuardRecord:
        """Stop, and let nothing pass until two people reset it. That needs nobody's secret."""
        with self._laboratory(named.folder) as laboratory:
            place = self._place(laboratory, named)
            guards = Guards(laboratory.database)
            return guards.trip(place.thing, instrument=place.instrument, why=stated(why), by=by)

    def reset(self, named: Named, first: Credential, second: Credential) -> GuardRecord:
        """Record that two people have removed the cause of a trip."""
        with self._laboratory(named.folder) as laboratory:
            people = People(laboratory.database)
            both = [authenticate(people, c.name, c.secret) for c in (first, second)]
            if both[0].name == both[1].name:
                raise InvalidInput(f"{both[0].name} stands for one of the two; somebody else must for the other.")
            return Guards(laboratory.database).reset(self._place(laboratory, named).thing, both[0], both[1])

    def _shown(self, laboratory: Laboratory, named: Named) -> Shown:
        place, guards = self._place(laboratory, named), Guards(laboratory.database)
        keys = guards.keys()
        limits = limits_of(place, list(keys))
        signers = [person for key, person in keys.items() if _is_by(place, key)]
        return Shown(place=place, limits=limits, signed_by=", ".join(signers), record=guards.find(place.thing))

    def _place(self, laboratory: Laboratory, named: Named) -> Place:
        file, folder = named.file_and_folder(laboratory)
        place = self._equipment.places(file.campaign, folder).get(named.resource)
        if place is None:
            raise InvalidInput(f"{named.resource} has no `guard:` in the file of {file.campaign.name}.")
        return place


def _is_by(place: Place, key: str) -> bool:
    try:
        limits_of(place, [key])
    except Exception:  # it is by another of the trusted keys
        return False
    return True


def sign_limits(path: Path, private: bytes) -> Path:
    """Write the signature of a limits file beside it; return where."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    signature = path.with_name(f"{path.name}.sig")
    signature.write_text(f"{sign(data, private).hex()}\n", encoding="ascii")
    return signature
