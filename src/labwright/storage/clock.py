"""The database's own clock."""

from sqlalchemy import ColumnElement, Float, func


def database_now() -> ColumnElement[float]:
    """Return an expression for the seconds since 1970 by the database's clock."""
    return func.labwright_now(type_=Float)
