"""A resource as a worker serves it: which thing it is, how much it takes at once, and what stands before it."""

from dataclasses import dataclass
from functools import cached_property

from labwright.core.capability import Capability
from labwright.resources.resource import Resource
from labwright.sites.available import Attendance
from labwright.sites.duty import Duty
from labwright.sites.guard import Guard


@dataclass(frozen=True, kw_only=True)
class Post:
    """A resource that a worker serves: `key` names the physical thing, `capacity` how many runs it takes at once.

    `duty` follows the record of its monitor, where one stands before it; `attendance` says when it is not to be had.
    """

    key: str
    resource: Resource
    capacity: int = 1
    duty: Duty | None = None
    attendance: Attendance | None = None

    @cached_property
    def capabilities(self) -> dict[str, Capability]:
        """What the resource can do, by name."""
        return {c.name: c for c in self.resource.capabilities()}

    @property
    def may_be_shared(self) -> bool:
        """Whether several processes may command it: nothing in the world changes, or the device keeps them apart."""
        return self.guard is None and all(c.repeatable or c.fenced for c in self.capabilities.values())

    @property
    def behind(self) -> Resource:
        """The resource itself: what goes on there is followed, whatever its monitor allows to begin."""
        return self.resource.resource if isinstance(self.resource, Guard) else self.resource

    @property
    def guard(self) -> Guard | None:
        """The monitor that stands before it, or None."""
        return self.resource if isinstance(self.resource, Guard) else None
