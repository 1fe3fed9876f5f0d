"""The tables of people: who they are, and what they approve."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables."""
