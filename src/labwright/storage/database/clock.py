"""The database's own clock: what leases and waits are measured by, so that all who use one database agree."""

from typing import Any

from sqlalchemy import Connection, Float, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

SQLITE_NOW = "labwright_now"  # a Python function that `sqlite.py` gives to each of its connections


class database_now(FunctionElement[float]):  # noqa: N801  (it reads as SQL does)
    """The time by the database's clock, for use in a statement: seconds since 1970, as a float."""

    type = Float()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite(element: object, compiler: object, **_: Any) -> str:
    return f"{SQLITE_NOW}()"


@compiles(database_now, "postgresql")
def _postgresql(element: object, compiler: object, **_: Any) -> str:
    # Not now(), which stands still within a transaction.
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


_NOW = select(database_now())


def now(connection: Connection) -> float:
    """Return the time by the database's clock, in seconds since 1970."""
    return float(connection.execute(_NOW).scalar_one())
