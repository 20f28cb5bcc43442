"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_GROWING = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table of version 0.1."""
    op.create_table(
        "settings", sa.Column("key", sa.String(64), primary_key=True), sa.Column("value", sa.Text, nullable=False)
    )
    op.create_table(
        "cameras",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("cursor", _GROWING, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("camera_id", sa.String(64), nullable=False),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.String(8), nullable=False),
        sa.Column("track_id", sa.BigInteger, nullable=False),
        sa.Column("undoes", sa.String(32)),
        sa.Column("entered_us", sa.BigInteger),
        sa.Column("dwell_s", sa.Float),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_camera_id_at_us", "events", ["camera_id", "at_us"])
    op.create_table(
        "line_minutes",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("line", sa.String(64), primary_key=True),
        sa.Column("minute_us", sa.BigInteger, primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("n_in", "n_out", "undone_in", "undone_out")),
    )
    op.create_table(
        "coverage_minutes",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("minute_us", sa.BigInteger, primary_key=True),
        sa.Column("watched_s", sa.Float, nullable=False),
        sa.Column("analysed", sa.Integer, nullable=False),
    )
    op.create_table(
        "state_changes",
        sa.Column("number", _GROWING, primary_key=True, autoincrement=True),
        sa.Column("camera_id", sa.String(64), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_state_changes_camera_id_at_us", "state_changes", ["camera_id", "at_us"])
    op.create_table(
        "frame_statistics",
        sa.Column("number", _GROWING, primary_key=True, autoincrement=True),
        sa.Column("camera_id", sa.String(64), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("values", sa.JSON, nullable=False),
    )
    op.create_index("ix_frame_statistics_camera_id_at_us", "frame_statistics", ["camera_id", "at_us"])


def downgrade() -> None:
    """Take the tables away."""
    for name in (
        "frame_statistics",
        "state_changes",
        "coverage_minutes",
        "line_minutes",
        "events",
        "cameras",
        "settings",
    ):
        op.drop_table(name)
