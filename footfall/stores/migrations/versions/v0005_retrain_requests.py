"""Requests for a better model."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "retrain_requests",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(64), unique=True),
        sa.Column("active", sa.String(64), unique=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("slice", sa.Text, nullable=False),
        sa.Column("champion", sa.String(12), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("handle", sa.JSON, nullable=False),
        sa.Column("claimed_by", sa.String(64)),
        sa.Column("claimed_until_us", sa.BigInteger),
        sa.Column("launched_us", sa.BigInteger),
        sa.Column("cancel_us", sa.BigInteger),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("outcome", sa.String(20)),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("ix_retrain_requests_at_us", "retrain_requests", ["at_us"])


def downgrade() -> None:
    """Take the table away."""
    op.drop_table("retrain_requests")
