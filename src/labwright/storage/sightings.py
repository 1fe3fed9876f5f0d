"""What people said of the things that a resource handles, in the ledger beside the resource's own memory."""

from collections.abc import Mapping

from labwright.storage.database import Database
from labwright.storage.database.ledger import append
from labwright.storage.presence import STREAM


def tell_settled(
    database: Database, resource: str, by: str, why: str, happened: bool | None, said: Mapping[str, str]
) -> None:
    """Record what a person saw of a resource, and whether what was pending there has happened."""
    body = {"resource": resource, "by": by, "why": why, "happened": happened, "said": dict(said)}
    with database.write(STREAM) as connection:
        append(connection, STREAM, "resource.settled", body)
