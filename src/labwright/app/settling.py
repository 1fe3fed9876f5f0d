"""What resources believe of the things that they handle, and what people saw of them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from labwright.access import Credential, authenticate
from labwright.app.equipment import Equipment
from labwright.app.laboratory import Laboratory
from labwright.app.named import Named
from labwright.core.reason import stated
from labwright.resources.memory import Standing
from labwright.resources.resource import Seen
from labwright.storage.people import People
from labwright.storage.sightings import tell_settled


class Settling:
    """Shows and mends the memories of resources; whoever says what is so shows their secret."""

    def __init__(self, laboratory: Callable[..., AbstractContextManager[Laboratory]], equipment: Equipment) -> None:
        self._laboratory, self._equipment = laboratory, equipment

    def standing(self, named: Named) -> Standing:
        """Return what a resource believes, and what is in doubt."""
        with self._laboratory(named.folder) as laboratory:
            file, folder = named.file_and_folder(laboratory)
        kind, options = self._equipment.remembering(file.campaign, named.resource, folder)
        return kind.standing(named.resource, options, folder)

    def settle(
        self, named: Named, by: Credential, why: str, *, happened: bool | None, said: Mapping[str, str]
    ) -> Standing:
        """Record what a person saw: whether what was pending happened, and what is so; the resource goes on from it."""
        reason = stated(why)
        with self._laboratory(named.folder) as laboratory:
            file, folder = named.file_and_folder(laboratory)
            kind, options = self._equipment.remembering(file.campaign, named.resource, folder)
            person = authenticate(People(laboratory.database), by.name, by.secret).name
            seen = Seen(by=person, why=reason, happened=happened, said=said)
            standing = kind.settle(named.resource, options, folder, seen)
            tell_settled(laboratory.database, named.resource, person, reason, happened, said)
            return standing
