"""How Alembic reaches the database: by DATABASE_URL, with all outstanding migrations in one transaction.

PostgreSQL takes back changes of tables too, so a migration that fails leaves the database as it was. Two that start at once
run one after the other.
"""

from __future__ import annotations

import os
import sys

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool, text
from sqlalchemy.exc import DBAPIError

from shop import logs
from shop.settings import SettingsError, database_url, secrets_of

ONLY_ONE = 7_305_818_420  # any number that no other advisory lock of this database has
LOCK_SECONDS = 10

if context.is_offline_mode():
    sys.exit("migrations: there is no offline mode; what a migration does is in migrations/versions")
try:
    url = database_url(os.environ)
except SettingsError as error:
    sys.exit(f"migrations: {error}")
if context.config.cmd_opts is not None:  # run from the command line, and not inside another program with logs of its own
    logs.configure(os.environ.get("RELEASE", "none"), "info", secrets_of(url))

# psycopg reads the URL itself: SQLAlchemy's have another scheme and other parameters.
engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=pool.NullPool)
try:
    with engine.connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            connection.execute(text(f"SELECT pg_advisory_xact_lock({ONLY_ONE})"))
            # A migration that has to wait for a table makes all who come after it wait too: better fail, and try again.
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
            context.run_migrations()
except DBAPIError as error:
    sys.exit(f"migrations: {error.orig}; the transaction was taken back")
