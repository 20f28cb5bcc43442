"""Models that every program can get, and the log of their promotions."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "models",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("card", sa.JSON, nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("gates", sa.JSON),
        sa.Column("is_rejected", sa.Boolean, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("added_us", sa.BigInteger, nullable=False),
        sa.Column("added_by", sa.String(64), nullable=False),
        sa.Column("refused_us", sa.BigInteger),
        sa.Column("refusal", sa.Text, nullable=False),
    )
    op.create_index("ix_models_name_added_us", "models", ["name", "added_us"])
    op.create_table(
        "model_changes",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("before", sa.String(64)),
        sa.Column("model", sa.String(64)),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("gates_digest", sa.String(64), nullable=False),
        sa.Column("champion", sa.String(64)),
        sa.Column("challenger", sa.String(64)),
        sa.Column("previous", sa.String(64)),
        sa.Column("canaries", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    """Take the tables away."""
    op.drop_table("model_changes")
    op.drop_table("models")
