"""Products: what they are called, what they cost, how many there are."""

from __future__ import annotations

from typing import Annotated

from psycopg import Connection
from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow, class_row
from pydantic import BaseModel, Field, StringConstraints

from shop.errors import Conflict, NotFound

Id = Annotated[int, Field(ge=1, lt=2**63)]  # what the column takes


class NewProduct(BaseModel):
    """The price is in the smallest unit of the currency."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    price_cents: Annotated[int, Field(ge=0, le=100_000_000)]
    stock: Annotated[int, Field(ge=0, le=1_000_000)]


class Product(NewProduct):
    """A product that is sold here."""

    id: int


def create(connection: Connection[DictRow], new: NewProduct) -> Product:
    """Raises Conflict where there is a product of that name."""
    with connection.cursor(row_factory=class_row(Product)) as cursor:
        try:
            cursor.execute(
                "INSERT INTO products (name, price_cents, stock) VALUES (%(name)s, %(price_cents)s, %(stock)s)"
                " RETURNING id, name, price_cents, stock",
                new.model_dump(),
            )
        except UniqueViolation:
            raise Conflict(f"there is a product {new.name!r} already") from None
        return cursor.fetchall()[0]


def find(connection: Connection[DictRow], product_id: int) -> Product:
    """Raises NotFound."""
    with connection.cursor(row_factory=class_row(Product)) as cursor:
        cursor.execute("SELECT id, name, price_cents, stock FROM products WHERE id = %s", [product_id])
        product = cursor.fetchone()
    if product is None:
        raise NotFound(f"there is no product {product_id}")
    return product


def page(connection: Connection[DictRow], after: int, limit: int) -> list[Product]:
    """The next products by their numbers."""
    with connection.cursor(row_factory=class_row(Product)) as cursor:
        cursor.execute(
            "SELECT id, name, price_cents, stock FROM products WHERE id > %s ORDER BY id LIMIT %s",
            [after, limit],
        )
        return cursor.fetchall()
