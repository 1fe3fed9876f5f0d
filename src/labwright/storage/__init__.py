"""The database: the trial table, the runs and the ledger."""
