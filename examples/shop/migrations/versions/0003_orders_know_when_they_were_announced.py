"""Orders know when they were announced on the queue, so that the worker finds those that were not.

The release before sends its messages without writing that down, and may still be running: what it orders from now on is announced
twice, which does no harm. What is there already counts as announced, or the worker would announce the shop's whole past.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN announced_at timestamptz")
    op.execute("UPDATE orders SET announced_at = created_at")
    op.execute("CREATE INDEX orders_unannounced ON orders (created_at) WHERE announced_at IS NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE orders DROP COLUMN announced_at")
