"""Drift: verdicts by window, episodes, and what people accepted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_GROWING = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "drift_verdicts",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("begin_us", sa.BigInteger, primary_key=True),
        sa.Column("end_us", sa.BigInteger, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("tier", sa.String(12), nullable=False),
        sa.Column("reference", sa.String(12), nullable=False),
        sa.Column("recent", sa.JSON, nullable=False),
        sa.Column("calm_for", sa.BigInteger, nullable=False),
        sa.Column("episode", sa.BigInteger, nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.Column("cause", sa.String(12)),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("others", sa.JSON, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("report_key", sa.Text, nullable=False),
    )
    op.create_index("ix_drift_verdicts_begin_us", "drift_verdicts", ["begin_us"])
    op.create_table(
        "drift_episodes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("open", sa.String(64), unique=True),
        sa.Column("camera_id", sa.String(64), nullable=False),
        sa.Column("cause", sa.String(12), nullable=False),
        sa.Column("since_us", sa.BigInteger, nullable=False),
        sa.Column("opened_us", sa.BigInteger, nullable=False),
        sa.Column("last_us", sa.BigInteger, nullable=False),
        sa.Column("invalidates", sa.Boolean, nullable=False),
        sa.Column("batch_until_us", sa.BigInteger),
        sa.Column("closed_us", sa.BigInteger),
        sa.Column("end", sa.String(12)),
        sa.Column("closed_by", sa.String(64), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_index("ix_drift_episodes_camera_id_since_us", "drift_episodes", ["camera_id", "since_us"])
    op.create_table(
        "drift_acceptances",
        sa.Column("number", _GROWING, primary_key=True, autoincrement=True),
        sa.Column("camera_id", sa.String(64), nullable=False),
        sa.Column("begins_us", sa.BigInteger),
        sa.Column("until_us", sa.BigInteger, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_drift_acceptances_camera_id", "drift_acceptances", ["camera_id"])


def downgrade() -> None:
    """Take the tables away."""
    op.drop_table("drift_acceptances")
    op.drop_table("drift_episodes")
    op.drop_table("drift_verdicts")
