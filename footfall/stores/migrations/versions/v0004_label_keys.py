"""A label sent twice is stored once."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give labels the key of whoever sends them."""
    op.add_column("sample_labels", sa.Column("key", sa.String(32)))
    op.create_index("ix_sample_labels_key", "sample_labels", ["key"], unique=True)


def downgrade() -> None:
    """Take the key away."""
    op.drop_index("ix_sample_labels_key", "sample_labels")
    with op.batch_alter_table("sample_labels") as table:
        table.drop_column("key")
