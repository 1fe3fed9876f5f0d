"""Any instrument behind a blueapi server: its plans are found by asking it, and each task is begun once."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from labwright.core.errors import ResourceUnavailable
from labwright.resources.blueapi.options import BlueapiOptions, PlanPart
from labwright.resources.blueapi.worker import API, BlueapiWorker
from labwright.resources.served import ServedResource
from labwright.resources.served.docket import Docket
from labwright.resources.served.kind import of_schema, resolved
from labwright.resources.served.skill import Action, Parameter, read_skills
from labwright.resources.served.web import Web
from labwright.resources.served.wire import Lost, NotAccepted, Refused


class BlueapiResource(ServedResource):
    """Offers the plans of a blueapi server.

    The server gives each task an id before it is begun, and tells by it what came of the task until its environment is
    loaded anew.
    """

    Options = BlueapiOptions

    @classmethod
    def identity(cls, options: BlueapiOptions, folder: Path) -> str:
        """Return the server's address: whatever a campaign calls on it, it is the same instrument."""
        return options.url.rstrip("/")

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, options: BlueapiOptions, folder: Path) -> AsyncIterator["BlueapiResource"]:
        """Connect, and read plans, parameters and limits from the server."""
        async with Web.open(name, options, folder) as web:
            plans = await _read_plans(web)
            skills = read_skills(name, options.capabilities, plans, lambda plan: PlanPart(plan=plan))
            worker = BlueapiWorker(web, options)
            yield cls(worker, skills, options, Docket(folder, cls.identity(options, folder)))


async def _read_plans(web: Web) -> dict[str, Action]:
    try:
        answer = await web.order("GET", f"{API}/plans")
    except (Lost, NotAccepted) as error:
        raise web.unavailable(error) from error
    except Refused as error:
        raise ResourceUnavailable(
            f"{web.name}: {web.options.url} is no blueapi server, or not ours: {error}"
        ) from error
    plans = answer.get("plans") if isinstance(answer, Mapping) else None
    if not isinstance(plans, list):
        raise ResourceUnavailable(f"{web.name}: {web.options.url} is no blueapi server: it names no plans.")
    return {str(p["name"]): _action(p) for p in plans if isinstance(p, Mapping) and "name" in p}


def _action(plan: Mapping[str, Any]) -> Action:
    schema = plan.get("schema")
    root: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
    found, required = root.get("properties"), root.get("required")
    properties = found if isinstance(found, Mapping) else {}
    needed = required if isinstance(required, list) else []
    return Action(
        name=str(plan["name"]),
        parameters=tuple(
            Parameter(
                name=str(name), kind=of_schema(said, root), required=name in needed, words=_words(resolved(said, root))
            )
            for name, said in properties.items()
        ),
    )


def _words(said: Mapping[str, Any]) -> str:
    return f"a value of the type {said.get('type', 'that the server does not say')}"
