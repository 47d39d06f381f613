"""The connections to PostgreSQL. What is in the tables is the business of products, carts and orders."""

from __future__ import annotations

from psycopg import Connection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

CONNECT_SECONDS = 3
WAIT_SECONDS = 3
MOST_CONNECTIONS = 10

Database = ConnectionPool[Connection[DictRow]]


def database(url: str) -> Database:
    """The connections to the database at a URL, none of them open yet.

    A block ``with database.connection() as connection`` is a transaction. Each connection is tried before it is given, so that
    a database that was restarted or restored is found again.
    """
    return ConnectionPool(
        url,
        connection_class=Connection[DictRow],
        kwargs={"row_factory": dict_row, "connect_timeout": CONNECT_SECONDS, "application_name": "shop"},
        min_size=1,
        max_size=MOST_CONNECTIONS,
        timeout=WAIT_SECONDS,
        check=ConnectionPool.check_connection,
        open=False,
    )


def check(pool: Database) -> None:
    """Raises psycopg.OperationalError where the database does not answer."""
    with pool.connection() as connection:
        connection.execute("SELECT 1")
