"""Carts: what somebody means to buy. Nothing is kept back for a cart; only an order takes stock."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow, class_row
from pydantic import BaseModel, Field

from shop import products
from shop.errors import NotFound


class Quantity(BaseModel):
    """How many of a product; 0 takes it out of the cart."""

    quantity: Annotated[int, Field(ge=0, le=99)]


class CartLine(BaseModel):
    """A product in a cart, at its price of now, in the smallest unit of the currency."""

    product_id: int
    name: str
    quantity: int
    price_cents: int


class Cart(BaseModel):
    """Who knows the id of a cart can change it and order it."""

    id: UUID
    lines: list[CartLine]
    total_cents: int


def create(connection: Connection[DictRow]) -> Cart:
    """An empty cart."""
    row = connection.execute("INSERT INTO carts DEFAULT VALUES RETURNING id").fetchall()[0]
    return Cart(id=row["id"], lines=[], total_cents=0)


def find(connection: Connection[DictRow], cart_id: UUID) -> Cart:
    """Raises NotFound."""
    if connection.execute("SELECT FROM carts WHERE id = %s", [cart_id]).fetchone() is None:
        raise NotFound(f"there is no cart {cart_id}")
    with connection.cursor(row_factory=class_row(CartLine)) as cursor:
        cursor.execute(
            "SELECT product_id, name, quantity, price_cents FROM cart_lines JOIN products ON products.id = product_id"
            " WHERE cart_id = %s ORDER BY product_id",
            [cart_id],
        )
        lines = cursor.fetchall()
    return Cart(id=cart_id, lines=lines, total_cents=sum(line.quantity * line.price_cents for line in lines))


def put(connection: Connection[DictRow], cart_id: UUID, product_id: int, quantity: int) -> Cart:
    """So many of a product, whatever was in the cart of it. Raises NotFound for the cart or the product."""
    with connection.transaction():
        lock(connection, cart_id)
        products.find(connection, product_id)
        if quantity:
            connection.execute(
                "INSERT INTO cart_lines (cart_id, product_id, quantity) VALUES (%s, %s, %s)"
                " ON CONFLICT (cart_id, product_id) DO UPDATE SET quantity = excluded.quantity",
                [cart_id, product_id, quantity],
            )
        else:
            connection.execute("DELETE FROM cart_lines WHERE cart_id = %s AND product_id = %s", [cart_id, product_id])
        return find(connection, cart_id)


def lock(connection: Connection[DictRow], cart_id: UUID) -> None:
    """Until the transaction ends, nobody else changes or orders this cart. Raises NotFound."""
    if connection.execute("SELECT FROM carts WHERE id = %s FOR UPDATE", [cart_id]).fetchone() is None:
        raise NotFound(f"there is no cart {cart_id}")
