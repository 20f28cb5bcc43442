"""Sampling: what there was to draw from, what was drawn, what people said of it, what was deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_GROWING = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "sampling_populations",
        sa.Column("camera_id", sa.String(64), primary_key=True),
        sa.Column("hour_us", sa.BigInteger, primary_key=True),
        sa.Column("unit", sa.String(8), primary_key=True),
        sa.Column("stratum", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(12), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "samples",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("camera_id", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(8), nullable=False),
        sa.Column("queue", sa.String(8), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("hour_us", sa.BigInteger, nullable=False),
        sa.Column("stratum", sa.String(64), nullable=False),
        sa.Column("model", sa.String(12), nullable=False),
        sa.Column("taken_us", sa.BigInteger, nullable=False),
        sa.Column("probability", sa.Float),
        sa.Column("blob_key", sa.Text, nullable=False),
        sa.Column("media_type", sa.String(32), nullable=False),
        sa.Column("width_px", sa.Integer, nullable=False),
        sa.Column("height_px", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("picture_deleted_us", sa.BigInteger),
    )
    op.create_index("ix_samples_camera_id_taken_us", "samples", ["camera_id", "taken_us"])
    op.create_index("ix_samples_unit_queue_taken_us", "samples", ["unit", "queue", "taken_us"])
    op.create_table(
        "sample_labels",
        sa.Column("number", _GROWING, primary_key=True, autoincrement=True),
        sa.Column(
            "sample_id",
            sa.String(32),
            sa.ForeignKey("samples.id", ondelete="CASCADE", name="fk_sample_labels_sample_id"),
            nullable=False,
        ),
        sa.Column("reviewer", sa.String(64), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("undone_us", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sample_labels_sample_id_reviewer", "sample_labels", ["sample_id", "reviewer"])
    op.create_table(
        "deletions",
        sa.Column("number", _GROWING, primary_key=True, autoincrement=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("camera_id", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(8), nullable=False),
        sa.Column("samples", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Take the tables away."""
    for name in ("deletions", "sample_labels", "samples", "sampling_populations"):
        op.drop_table(name)
