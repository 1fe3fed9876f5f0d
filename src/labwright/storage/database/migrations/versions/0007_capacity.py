"""Each run knows how many its thing takes at once, as its campaign says."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; of runs that are there already nobody says it."""
    op.add_column("runs", sa.Column("capacity", sa.Integer))
