"""The database itself: its connections, transactions, tables and ledger. What is kept in it stands beside."""

from labwright.storage.database.database import Database

__all__ = ["Database"]
