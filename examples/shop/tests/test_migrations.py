"""Migrations: all the way up and down, data brought along, and nothing done where one fails."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import psycopg
import pytest

from shop.database import SCHEMA

ROOT = Path(__file__).parent.parent
FAILING = """
from alembic import op

revision = "9999"
down_revision = "0003"


def upgrade() -> None:
    op.execute("CREATE TABLE half_done ()")
    op.execute("ALTER TABLE products DROP COLUMN stock")
    op.execute("SELECT 1 / 0")
"""
Alembic = Callable[..., CompletedProcess[str]]


@pytest.fixture
def alembic(environment: Mapping[str, str], empty_database: str, run: Any) -> Alembic:
    """Alembic on an empty database."""

    def call(*command: str, cwd: Path = ROOT) -> CompletedProcess[str]:
        done: CompletedProcess[str] = run({**environment, "DATABASE_URL": empty_database}, "alembic", *command, cwd=cwd)
        return done

    return call


def schema(url: str) -> list[Any]:
    """All columns, constraints and indexes of the database, and the version that it says it has."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public' ORDER BY 1, 2"
        ).fetchall()
        found += connection.execute(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
        ).fetchall()
        found += connection.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1").fetchall()
        if any(row[0] == "alembic_version" for row in found):
            found += connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return found


def test_going_up_down_and_up_again_ends_at_the_same_tables(alembic: Alembic, empty_database: str) -> None:
    assert alembic("upgrade", "head").returncode == 0
    up = schema(empty_database)
    assert alembic("downgrade", "base").returncode == 0
    assert {row[0] for row in schema(empty_database) if len(row) == 4} == {"alembic_version"}
    assert alembic("upgrade", "head").returncode == 0
    assert schema(empty_database) == up


def test_orders_from_before_the_column_count_as_announced(alembic: Alembic, empty_database: str) -> None:
    assert alembic("upgrade", "0002").returncode == 0
    with psycopg.connect(empty_database) as connection:
        connection.execute("INSERT INTO carts DEFAULT VALUES")
        connection.execute("INSERT INTO orders (cart_id, idempotency_key, total_cents) SELECT id, 'k', 5 FROM carts")
    assert alembic("upgrade", "head").returncode == 0
    with psycopg.connect(empty_database) as connection:
        connection.execute("INSERT INTO orders (cart_id, idempotency_key, total_cents) SELECT id, 'later', 5 FROM carts")
        rows = connection.execute("SELECT announced_at = created_at FROM orders ORDER BY idempotency_key").fetchall()
    assert rows == [(True,), (None,)]


@pytest.mark.parametrize("before", ["base", "0001", "0003"])
def test_a_failing_migration_leaves_the_database_as_it_was(
    alembic: Alembic, empty_database: str, tmp_path: Path, before: str
) -> None:
    if before != "base":
        assert alembic("upgrade", before).returncode == 0
    was = schema(empty_database)
    for part in ("alembic.ini", "migrations", "shop"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, tmp_path / part)
    (tmp_path / "migrations" / "versions" / "9999_fails.py").write_text(FAILING)
    done = alembic("upgrade", "head", cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.strip() == "migrations: division by zero; the transaction was taken back"
    assert "Running upgrade 0003 -> 9999" in done.stdout
    assert schema(empty_database) == was
    assert alembic("upgrade", "head").returncode == 0, "and it goes on where it was"


def test_two_that_migrate_at_once_both_end_well(alembic: Alembic, empty_database: str) -> None:
    assert alembic("upgrade", "0002").returncode == 0
    with ThreadPoolExecutor(2) as threads:
        with psycopg.connect(empty_database) as reader:
            reader.execute("SELECT FROM orders")  # whoever alters the table waits until this transaction ends
            running = [threads.submit(alembic, "upgrade", "head") for _ in range(2)]
            _wait_until_both_wait(empty_database)
        both = [each.result(timeout=60) for each in running]
    assert [done.returncode for done in both] == [0, 0], [done.stderr for done in both]
    assert schema(empty_database)[-1] == ("0003",)


def _wait_until_both_wait(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as watcher:
        for _ in range(600):
            waiting = watcher.execute(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchall()
            if len(waiting) == 2:
                return
            time.sleep(0.05)
    raise AssertionError("the two migrations did not come to wait for a lock")


def test_the_release_asks_for_its_newest_migration(alembic: Alembic) -> None:
    assert alembic("heads").stdout == f"{SCHEMA} (head)\n"


def test_a_database_that_does_not_answer_is_one_line(run: Any) -> None:
    done = run({"DATABASE_URL": "postgresql://shop:very-secret@127.0.0.1:1/shop"}, "alembic", "upgrade", "head")
    assert done.returncode == 1
    assert done.stderr.startswith("migrations: connection failed: connection to server at")
    assert "Traceback" not in done.stdout + done.stderr
    assert "very-secret" not in done.stdout + done.stderr
