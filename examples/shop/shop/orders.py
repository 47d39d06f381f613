"""Orders: an order takes what is in its cart out of stock, once, and is then announced on the queue.

Taking the stock, writing the order and emptying the cart are one transaction. The message follows the transaction, since no
transaction spans both: ``announced_at`` is empty until the queue has it, and what a crash in between leaves unannounced is
announced by the worker. A message may therefore come twice, and finds an order that it changes only once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow, class_row
from pydantic import BaseModel

from shop import carts
from shop.database import Database
from shop.errors import Conflict, NotFound
from shop.queue import Queue


class OrderLine(BaseModel):
    """A product at the price it was ordered for, in the smallest unit of the currency."""

    product_id: int
    quantity: int
    price_cents: int


class Order(BaseModel):
    """``placed`` until the worker has dealt with it, ``sent`` from then on."""

    id: UUID
    status: Literal["placed", "sent"]
    total_cents: int
    created_at: datetime
    lines: list[OrderLine]


def place(connection: Connection[DictRow], cart_id: UUID, key: str) -> tuple[Order, bool]:
    """The order of a cart, and whether it is new: the same key gives the same order, however often it is asked for at once.

    Raises NotFound for the cart, and Conflict, with nothing changed, where it is empty or there is too little in stock.
    """
    with connection.transaction():
        carts.lock(connection, cart_id)
        earlier = connection.execute(
            "SELECT id FROM orders WHERE cart_id = %s AND idempotency_key = %s",
            [cart_id, key],
        ).fetchone()
        if earlier:
            return find(connection, earlier["id"]), False
        total = _reserve(connection, cart_id)
        order_id = connection.execute(
            "INSERT INTO orders (cart_id, idempotency_key, total_cents) VALUES (%s, %s, %s) RETURNING id",
            [cart_id, key, total],
        ).fetchall()[0]["id"]
        connection.execute(
            "INSERT INTO order_lines (order_id, product_id, quantity, price_cents)"
            " SELECT %s, product_id, quantity, price_cents FROM cart_lines JOIN products ON products.id = product_id"
            " WHERE cart_id = %s",
            [order_id, cart_id],
        )
        connection.execute("DELETE FROM cart_lines WHERE cart_id = %s", [cart_id])
        return find(connection, order_id), True


def _reserve(connection: Connection[DictRow], cart_id: UUID) -> int:
    """Take the cart's lines out of stock; gives what they cost. Raises Conflict."""
    # By number, so that two orders of the same products wait for each other and never both for ever.
    lines = connection.execute(
        "SELECT name, stock, quantity, price_cents FROM cart_lines JOIN products ON products.id = product_id"
        " WHERE cart_id = %s ORDER BY product_id FOR UPDATE OF products",
        [cart_id],
    ).fetchall()
    if not lines:
        raise Conflict("the cart is empty")
    short = [f"{line['name']!r} ({line['stock']} left)" for line in lines if line["stock"] < line["quantity"]]
    if short:
        raise Conflict(f"not enough in stock: {', '.join(short)}")
    connection.execute(
        "UPDATE products SET stock = stock - quantity FROM cart_lines WHERE cart_id = %s AND products.id = product_id",
        [cart_id],
    )
    return sum(line["quantity"] * line["price_cents"] for line in lines)


def find(connection: Connection[DictRow], order_id: UUID) -> Order:
    """Raises NotFound."""
    order = connection.execute(
        "SELECT id, CASE WHEN sent_at IS NULL THEN 'placed' ELSE 'sent' END AS status, total_cents, created_at"
        " FROM orders WHERE id = %s",
        [order_id],
    ).fetchone()
    if order is None:
        raise NotFound(f"there is no order {order_id}")
    with connection.cursor(row_factory=class_row(OrderLine)) as cursor:
        cursor.execute(
            "SELECT product_id, quantity, price_cents FROM order_lines WHERE order_id = %s ORDER BY product_id",
            [order_id],
        )
        return Order(**order, lines=cursor.fetchall())


def announce(database: Database, queue: Queue, order_id: UUID) -> None:
    """Tell the queue of an order. Raises BotoCoreError or ClientError where the queue does not take the message."""
    queue.send({"order": str(order_id)})
    with database.connection() as connection:
        connection.execute("UPDATE orders SET announced_at = now() WHERE id = %s AND announced_at IS NULL", [order_id])


def announce_forgotten(database: Database, queue: Queue, older_than_seconds: float) -> int:
    """Announce the orders of that age that nobody has announced, a hundred at most; gives how many. Raises as ``announce``."""
    with database.connection() as connection:
        forgotten = connection.execute(
            "SELECT id FROM orders WHERE announced_at IS NULL AND created_at <= now() - make_interval(secs => %s)"
            " ORDER BY created_at LIMIT 100",
            [older_than_seconds],
        ).fetchall()
    for order in forgotten:
        announce(database, queue, order["id"])
    return len(forgotten)


def mark_sent(connection: Connection[DictRow], order_id: UUID) -> None:
    """The order is on its way; one that was already stays as it is. Raises NotFound."""
    found = connection.execute(
        "UPDATE orders SET sent_at = coalesce(sent_at, now()) WHERE id = %s RETURNING id",
        [order_id],
    ).fetchone()
    if found is None:
        raise NotFound(f"there is no order {order_id}")
