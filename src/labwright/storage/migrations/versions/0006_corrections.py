"""The tables of corrections."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
