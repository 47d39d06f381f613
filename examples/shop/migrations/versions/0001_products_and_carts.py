"""Products and carts."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE products (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name text NOT NULL UNIQUE CHECK (name <> ''),
            price_cents integer NOT NULL CHECK (price_cents >= 0),
            stock integer NOT NULL CHECK (stock >= 0)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE carts (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            created_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(
        """
        CREATE TABLE cart_lines (
            cart_id uuid NOT NULL REFERENCES carts ON DELETE CASCADE,
            product_id bigint NOT NULL REFERENCES products,
            quantity integer NOT NULL CHECK (quantity > 0),
            PRIMARY KEY (cart_id, product_id)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE cart_lines, carts, products")
