"""The connections to PostgreSQL, and whether its tables are there; products, carts and orders know what is in them."""

from __future__ import annotations

from psycopg import Connection
from psycopg.errors import UndefinedTable
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

CONNECT_SECONDS = 3
WAIT_SECONDS = 3
STATEMENT_SECONDS = 10
MOST_CONNECTIONS = 10
SCHEMA = "0003"
"""The migration that this release needs. The database may be ahead: it is migrated before the release is served."""

Database = ConnectionPool[Connection[DictRow]]


class NotMigrated(Exception):
    """The tables are not those that this release needs."""


def database(url: str) -> Database:
    """The connections to the database at a URL, none of them open yet.

    A block ``with database.connection() as connection`` is a transaction. Each connection is tried before it is given, so that
    a database that was restarted or restored is found again.
    """
    return ConnectionPool(
        url,
        connection_class=Connection[DictRow],
        kwargs={
            "row_factory": dict_row,
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "shop",
            "options": f"-c statement_timeout={STATEMENT_SECONDS}s",  # waiting for a lock is part of it
        },
        min_size=1,
        max_size=MOST_CONNECTIONS,
        timeout=WAIT_SECONDS,
        check=ConnectionPool.check_connection,
        open=False,
    )


def check(pool: Database) -> None:
    """Raises psycopg.OperationalError where the database does not answer, and NotMigrated."""
    with pool.connection() as connection:
        try:
            found = connection.execute("SELECT FROM alembic_version WHERE version_num >= %s", [SCHEMA]).fetchone()
        except UndefinedTable as error:
            raise NotMigrated from error
    if found is None:
        raise NotMigrated
