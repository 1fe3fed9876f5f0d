"""Any instrument behind a bluesky RE Manager: its plans are found by asking it, and each is executed once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from labwright.core.errors import InvalidInput
from labwright.resources.queueserver.connection import Connection
from labwright.resources.queueserver.manager import Manager
from labwright.resources.queueserver.options import ManagedPlanPart, ManagerOptions
from labwright.resources.queueserver.plans import read_plans
from labwright.resources.served import ServedResource
from labwright.resources.served.docket import Docket
from labwright.resources.served.skill import read_skills
from labwright.resources.served.wire import Lost, NotAccepted


class QueueserverResource(ServedResource):
    """Offers the plans of an RE Manager, which is told our command's id, and finds it in its history."""

    Options = ManagerOptions

    @classmethod
    def identity(cls, options: ManagerOptions, folder: Path) -> str:
        """Return the manager's address: whatever a campaign calls on it, it is the same instrument."""
        return options.url

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: ManagerOptions, folder: Path) -> AsyncIterator["QueueserverResource"]:
        """Connect, and read plans, parameters and limits from the manager."""
        async with Connection.open(name, options) as connection:
            try:
                answer = await connection.order("plans_allowed", user_group=options.user_group)
            except (Lost, NotAccepted) as error:
                raise connection.unavailable(error) from error
            plans = answer.get("plans_allowed")
            if answer.get("success") is not True or not isinstance(plans, dict):
                raise InvalidInput(f"{name}: the RE Manager does not say its plans: {answer.get('msg')}.")
            if not plans:
                raise InvalidInput(
                    f"{name}: the RE Manager allows {options.user_group!r} no plan. Open its environment, or name"
                    " another user_group."
                )
            skills = read_skills(name, options.capabilities, read_plans(plans), lambda plan: ManagedPlanPart(plan=plan))
            yield cls(Manager(connection, plans), skills, options, Docket(folder, options.url))
