"""Taking a resource by hand, giving it back, and its calendar."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from labwright.access import Credential, authenticate
from labwright.app.equipment import Equipment
from labwright.app.laboratory import Laboratory
from labwright.app.named import Named
from labwright.core.availability import Busy
from labwright.core.reason import stated
from labwright.core.run import thing_of
from labwright.resources.calendars import read_calendar, write_calendar
from labwright.storage.people import People
from labwright.storage.reservations import Reservation, Reservations

PAST, AHEAD = timedelta(days=90), timedelta(days=365)


class Booking:
    """What people do with resources that campaigns share; whoever acts shows their secret."""

    def __init__(self, laboratory: Callable[..., AbstractContextManager[Laboratory]], equipment: Equipment) -> None:
        self._laboratory, self._equipment = laboratory, equipment

    def take(self, named: Named, by: Credential, why: str, *, for_s: float | None) -> tuple[Reservation, int]:
        """Take a resource: nothing more is begun on it. Return as well how many runs are in flight there."""
        with self._laboratory(named.folder) as laboratory:
            person = authenticate(People(laboratory.database), by.name, by.secret)
            thing, reservations = self._thing(laboratory, named), Reservations(laboratory.database)
            taken = reservations.take(thing, person, stated(why), for_s=for_s)
            return taken, sum(ended is None for _, _, ended in reservations.runs(thing))

    def give_back(self, named: Named, by: Credential) -> Reservation:
        """Let campaigns have a resource again."""
        with self._laboratory(named.folder) as laboratory:
            person = authenticate(People(laboratory.database), by.name, by.secret)
            return Reservations(laboratory.database).give_back(self._thing(laboratory, named), person)

    def calendar(self, named: Named) -> bytes:
        """Return what takes a resource as an iCalendar file: its own calendars, people, and the runs of campaigns."""
        with self._laboratory(named.folder) as laboratory:
            return write_calendar(named.resource, sorted(self._busy(laboratory, named), key=lambda b: b.start))

    def _busy(self, laboratory: Laboratory, named: Named) -> Iterator[Busy]:
        file, folder = named.file_and_folder(laboratory)
        thing, now = self._thing(laboratory, named), datetime.now(UTC)
        said, reservations = file.campaign.resources[named.resource].availability, Reservations(laboratory.database)
        if said is not None:
            for name in said.calendars:
                yield from read_calendar(folder / name, now - PAST, now + AHEAD, said.timezone)
        for taken in reservations.of(thing):
            start = datetime.fromisoformat(taken.since)
            yield Busy(start=start, end=_end(taken, now), why=f"{taken.person}: {taken.why}")
        for what, began, ended in reservations.runs(thing):
            end = now if ended is None else datetime.fromisoformat(ended)
            yield Busy(start=datetime.fromisoformat(began), end=end, why=what)

    def _thing(self, laboratory: Laboratory, named: Named) -> str:
        file, folder = named.file_and_folder(laboratory)
        return thing_of(self._equipment.keys(file.campaign, folder)[named.resource])


def _end(taken: Reservation, now: datetime) -> datetime:
    """Return when it was or will be given back; while nobody knows, in an hour."""
    if taken.ended_at is not None:
        return datetime.fromisoformat(taken.ended_at)
    return now + timedelta(hours=1) if taken.until is None else datetime.fromtimestamp(taken.until, UTC)
