"""How right the counting is, as the monitor works it out."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "quality_estimates",
        sa.Column("measure", sa.String(32), primary_key=True),
        sa.Column("scope", sa.String(8), primary_key=True),
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("line", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(12), primary_key=True),
        sa.Column("hour_us", sa.BigInteger, primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("newest_us", sa.BigInteger),
        sa.Column("value", sa.Float),
        sa.Column("lower", sa.Float),
        sa.Column("upper", sa.Float),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("missing", sa.BigInteger, nullable=False),
        sa.Column("population", sa.BigInteger),
        sa.Column("definition", sa.Text, nullable=False),
    )
    op.create_index("ix_quality_estimates_at_us", "quality_estimates", ["at_us"])


def downgrade() -> None:
    """Take the table away."""
    op.drop_table("quality_estimates")
