"""What people take by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table of reservations."""
    op.create_table(
        "reservations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("thing", sa.String, nullable=False, index=True),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("since", sa.String, nullable=False),
        sa.Column("until", sa.Float),
        sa.Column("ended_at", sa.String),
    )
