"""What people can do, what they are at, and where they expect the best of a campaign."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the tables of skills and of beliefs, and who has claimed a task."""
    op.add_column("tasks", sa.Column("claimed", sa.Text))
    op.create_table(
        "skills",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey("people.id"), nullable=False, index=True),
        sa.Column("skill", sa.String, nullable=False, index=True),
        sa.Column("added_at", sa.String, nullable=False),
        sa.Column("added_by", sa.String, nullable=False),
        sa.Column("until", sa.Float),
        *_ended(),
    )
    op.create_table(
        "beliefs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign_id", sa.Integer, sa.ForeignKey("campaigns.id"), nullable=False, index=True),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("why", sa.Text),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("task_id", sa.Integer, sa.ForeignKey("tasks.id")),
        *_ended(),
    )


def _ended() -> list[sa.Column[str]]:
    return [sa.Column("ended_at", sa.String), sa.Column("ended_by", sa.String), sa.Column("ended_why", sa.Text)]
