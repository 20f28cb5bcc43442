"""When the files of a model were removed; it stays in the log."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("models", sa.Column("files_deleted_us", sa.BigInteger))


def downgrade() -> None:
    """Take the column away."""
    op.drop_column("models", "files_deleted_us")
