"""The example shop in a playground of this repository's own dev environment, by the commands that its README names."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from isostack.localcloud.database_server import available
from shop.settings import Settings
from tests.command_line import COMMAND, CommandLine, Ran

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "shop"
NAME = "with-shop"
FAILING = """
from alembic import op

revision = "9999"
down_revision = "0003"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE products DROP COLUMN price_cents")
        op.execute("SELECT 1 / 0")
"""


class Playground:
    """One playground, and the shop's own commands in it."""

    def __init__(self, home: Path) -> None:
        self.isostack = CommandLine(home)

    def play(self, command: str, *arguments: str) -> Ran:
        ran = self.isostack("play", command, *arguments, "--json", cwd=ROOT)
        assert ran.code == 0, ran.out + ran.err
        return ran

    def make(self, target: str, shop: Path = SHOP) -> Ran:
        return self.isostack("play", "run", NAME, "--", *make(target, shop), cwd=ROOT)

    @contextmanager
    def served(self) -> Iterator[int]:
        """The shop, answering at the port that this gives."""
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        served = subprocess.Popen(  # noqa: S603 - our own command line, and this interpreter
            [*COMMAND, "play", "run", NAME, "--", *make("run", SHOP)],
            cwd=ROOT,
            env=self.isostack.env({"PORT": str(port)}),
            stdout=subprocess.DEVNULL,
        )
        try:
            for _ in range(1200):
                if ask(port, "GET", "/healthz")[0] or served.poll() is not None:
                    break
                time.sleep(0.05)
            yield port
        finally:
            served.send_signal(signal.SIGTERM)
            served.wait(timeout=60)


def make(target: str, shop: Path) -> list[str]:
    """The shop's Makefile, which is to take what is installed here for its own environment and to install nothing."""
    return ["make", "-C", str(shop), "-o", ".venv/.shop", f"BIN={Path(sys.executable).parent}", target]


def ask(port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """The status and the document that the shop answers with; 0 where it does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        sent = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, json.dumps(body) if body is not None else None, sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except OSError:
        return 0, None
    finally:
        connection.close()


def told_on_ecs(state: Any) -> list[dict[str, str]]:
    """What each task of a state finds in its environment; of a secret, its ARN."""
    tasks = [r for r in state["deployment"]["resources"] if r["type"] == "aws:ecs/taskDefinition:TaskDefinition"]
    containers = [json.loads(task["outputs"]["containerDefinitions"])[0] for task in tasks]
    return [
        {given["name"]: given.get("value") or given["valueFrom"] for given in [*container["environment"], *container["secrets"]]}
        for container in containers
    ]


def stocks(port: int) -> dict[str, int]:
    return {product["name"]: product["stock"] for product in ask(port, "GET", "/products")[1]}


def test_a_playground_serves_the_shop_under_the_names_of_ecs_and_reset_alone_mends_what_a_failing_migration_broke(
    tmp_path: Path,
) -> None:
    if reason := available():
        pytest.skip(f"no PostgreSQL here: {reason}")
    playground = Playground(tmp_path / "home")
    try:
        playground.play("up", NAME)
        told = told_on_ecs(playground.isostack("export", f"play-{NAME}", cwd=ROOT).json)
        here = json.loads(playground.play("env", NAME).out)
        assert told
        for names in told:
            settings = Settings.read({**names, "DATABASE_URL": here["DATABASE_URL"]})
            assert (settings.asset_bucket, settings.job_queue_url) == (here["ASSET_BUCKET"], here["JOB_QUEUE_URL"])
            assert "database-url" in names["DATABASE_URL"]
        assert "5 products added, 0 were there" in playground.make("seed").out
        with playground.served() as port:
            assert ask(port, "GET", "/healthz")[0] == 200
            cart = ask(port, "POST", "/carts")[1]["id"]
            assert ask(port, "PUT", f"/carts/{cart}/lines/1", {"quantity": 2})[0] == 200
            assert ask(port, "POST", f"/carts/{cart}/orders", headers={"Idempotency-Key": "first"})[0] == 201
            kept = stocks(port)
            playground.play("snapshot", "good", NAME)

            broken = shutil.copytree(SHOP, tmp_path / "shop", ignore=shutil.ignore_patterns(".*", "__pycache__"))
            (broken / "migrations" / "versions" / "9999_fails.py").write_text(FAILING)
            assert "migrations: division by zero" in playground.make("migrate", broken).err
            assert ask(port, "GET", "/products")[0] == 503

            playground.play("reset", NAME)
            assert ask(port, "GET", "/healthz")[0] == 200, "the same process finds the same database again"
            assert stocks(port) == kept
            assert ask(port, "PUT", f"/carts/{cart}/lines/2", {"quantity": 1})[0] == 200
            assert ask(port, "POST", f"/carts/{cart}/orders", headers={"Idempotency-Key": "second"})[0] == 201
        playground.play("down", NAME, "--no-snapshot")
        left = playground.isostack("cloud", "status", "--json", cwd=ROOT).json["resources"]
        assert not left
    finally:
        playground.isostack("cloud", "stop", cwd=ROOT)
