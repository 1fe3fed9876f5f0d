"""Brings a database to the newest version of the tables."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from labwright.core.errors import StorageUnavailable


def upgrade(connection: Connection, name: str) -> None:
    """Apply every migration that the database has not seen; the caller holds the lock and the transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StorageUnavailable(
            f"The database {name} is of another version: {error}. Was it made by a newer Labwright? Use that one."
        ) from error
