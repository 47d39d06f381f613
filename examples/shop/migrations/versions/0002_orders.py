"""Orders."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE orders (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            cart_id uuid NOT NULL REFERENCES carts,
            idempotency_key text NOT NULL,
            total_cents bigint NOT NULL CHECK (total_cents >= 0),
            created_at timestamptz NOT NULL DEFAULT now(),
            sent_at timestamptz,
            UNIQUE (cart_id, idempotency_key)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE order_lines (
            order_id uuid NOT NULL REFERENCES orders ON DELETE CASCADE,
            product_id bigint NOT NULL REFERENCES products,
            quantity integer NOT NULL CHECK (quantity > 0),
            price_cents integer NOT NULL CHECK (price_cents >= 0),
            PRIMARY KEY (order_id, product_id)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE order_lines, orders")
