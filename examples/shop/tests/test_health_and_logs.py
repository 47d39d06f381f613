"""What the shop says of itself: its health, its settings, its logs."""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from fastapi.testclient import TestClient

from shop.app import create_app
from shop.database import database as connections
from shop.logs import JsonLines
from shop.settings import Settings, SettingsError, secrets_of

ROOT = Path(__file__).parent.parent
NOBODY = "postgresql://shop:it%27s-secret@127.0.0.1:1/shop"


def test_a_shop_that_stands_is_well_and_says_its_release(http: TestClient) -> None:
    answer = http.get("/healthz")
    expected = {"status": "ok", "release": "under-test", "database": "ok", "bucket": "ok", "queue": "ok"}
    assert (answer.status_code, answer.json()) == (200, expected)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("database", {"database_url": NOBODY}),
        ("bucket", {"asset_bucket": "a-bucket-that-is-not-there"}),
        ("queue", {"job_queue_url": "http://127.0.0.1:1/123456789012/not-there"}),
    ],
)
def test_health_tells_what_is_missing(settings: Settings, part: str, change: Mapping[str, Any]) -> None:
    with TestClient(create_app(replace(settings, **change))) as client:
        answer = client.get("/healthz")
    parts = {"database": "ok", "bucket": "ok", "queue": "ok", part: "unreachable"}
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "release": "under-test", **parts})


@pytest.mark.parametrize(("before", "health"), [(None, "not migrated"), ("0002", "not migrated"), ("head", "ok")])
def test_health_tells_whether_the_tables_are_those_of_the_release(
    settings: Settings, empty_database: str, run: Any, before: str | None, health: str
) -> None:
    if before:
        assert run({"DATABASE_URL": empty_database}, "alembic", "upgrade", before).returncode == 0
    with TestClient(create_app(replace(settings, database_url=empty_database))) as client:
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["database"]) == (200 if health == "ok" else 503, health)


def test_a_request_that_needs_a_missing_table_is_answered_as_unavailable(settings: Settings, empty_database: str) -> None:
    with TestClient(create_app(replace(settings, database_url=empty_database))) as client:
        assert client.get("/products").status_code == 503


def test_no_statement_runs_for_ever(settings: Settings) -> None:
    with connections(settings.database_url) as pool, pool.connection() as connection:
        assert connection.execute("SHOW statement_timeout").fetchall() == [{"statement_timeout": "10s"}]


def test_a_request_that_needs_the_missing_database_is_answered_as_unavailable(settings: Settings) -> None:
    with TestClient(create_app(replace(settings, database_url=NOBODY))) as client:
        answer = client.get("/products")
    assert answer.status_code == 503
    assert "secret" not in answer.text


def test_what_is_not_set_is_named_all_at_once() -> None:
    with pytest.raises(SettingsError, match="not set: DATABASE_URL, ASSET_BUCKET, JOB_QUEUE_URL; in a playground"):
        Settings.read({"AWS_REGION": "eu-west-1", "DATABASE_URL": ""})


@pytest.mark.parametrize(("name", "value"), [("PORT", "http"), ("PORT", "70000"), ("JOBS_AT_ONCE", "11"), ("LOG_LEVEL", "loud")])
def test_a_setting_that_cannot_be_is_named(environment: Mapping[str, str], name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is '{value}'"):
        Settings.read({**environment, name: value})


def test_settings_do_not_show_the_databases_password(settings: Settings) -> None:
    assert str(urlsplit(settings.database_url).password) not in repr(settings)


def test_a_log_line_has_no_password_however_it_came_there() -> None:
    password = 'it\'s a \\ "secret"'
    url = f"postgresql://shop:{quote(password)}@127.0.0.1/shop"
    shown = JsonLines("r1", secrets_of(url))
    try:
        raise ValueError(f"cannot connect to {url}")
    except ValueError:
        record = logging.makeLogRecord({"msg": "%s and %s", "args": (password, url), "exc_info": sys.exc_info(), "why": password})
    entry = json.loads(shown.format(record))
    assert (entry["message"], entry["why"], entry["release"]) == ("[secret] and [secret]", "[secret]", "r1")
    assert "ValueError: cannot connect to [secret]" in entry["error"]


@pytest.mark.parametrize(
    "url", ["postgresql//shop:very-secret@127.0.0.1/shop", "postgresql://shop:very-secret@127.0.0.1/?pool=3"]
)
def test_an_address_that_cannot_be_read_is_not_shown(environment: Mapping[str, str], url: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.read({**environment, "DATABASE_URL": url})
    assert str(raised.value) == "DATABASE_URL cannot be read; it is written postgresql://USER:PASSWORD@HOST:PORT/NAME"


@pytest.mark.parametrize(
    "command", [["shop"], ["shop.worker"], ["shop.seed"], ["alembic", "upgrade", "head"]], ids=lambda c: c[0]
)
def test_whatever_starts_without_its_settings_ends_with_one_line(run: Any, command: Sequence[str]) -> None:
    done = run({"DATABASE_URL": ""}, *command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "not set: DATABASE_URL" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_ends_a_process_is_a_log_line_without_secrets() -> None:
    program = "from shop import logs; logs.configure('r1', 'info', ['very-secret']); raise ValueError('it is very-secret')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - this interpreter
    assert (done.returncode, done.stderr) == (1, "")
    entry = json.loads(done.stdout)
    assert (entry["level"], entry["message"]) == ("critical", "ended by an error")
    assert entry["error"].endswith("ValueError: it is [secret]")


def test_logs_do_not_tell_the_id_of_a_cart_and_every_line_of_a_request_has_its_id(
    settings: Settings, product: Any, cart: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cart_id = cart({product(): 1})
    caplog.set_level(logging.INFO)
    without_queue = replace(settings, job_queue_url=f"{settings.job_queue_url}-that-is-not-there")
    caplog.handler.setFormatter(JsonLines("r1", ()))
    with TestClient(create_app(without_queue)) as client:
        headers = {"Idempotency-Key": "k", "X-Request-ID": "mine-2"}
        assert client.post(f"/carts/{cart_id}/orders", headers=headers).status_code == 201
    lines = [
        line for line in map(json.loads, caplog.text.splitlines()) if line["logger"] == "shop"
    ]  # and not those of the client
    assert cart_id not in str(lines)
    assert [line["message"] for line in lines] == ["order not announced yet", "request"]
    assert {line["request"] for line in lines} == {"mine-2"}
    assert lines[-1]["route"] == "/carts/{cart_id}/orders"


def test_a_request_that_fails_by_a_bug_is_logged_too(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(settings)

    @app.get("/bug")
    def bug() -> None:
        raise RuntimeError

    caplog.set_level(logging.INFO)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/bug").status_code == 500
    assert ("/bug", 500) in [(vars(record).get("route"), vars(record).get("status")) for record in caplog.records]


def test_the_served_shop_writes_a_line_of_json_for_each_request_and_stops_when_told(
    environment: Mapping[str, str],
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = subprocess.Popen(
        [sys.executable, "-m", "shop"],
        cwd=ROOT,
        env={**os.environ, **environment, "PORT": str(port), "RELEASE": "r7", "LOG_LEVEL": "debug"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait_for(port, served)
        health = subprocess.run(
            [sys.executable, "-m", "shop.health"], cwd=ROOT, env={**os.environ, "PORT": str(port)}, check=False
        )
        _ask(port, "/products?limit=1", {"X-Request-ID": "mine-1"})
        served.send_signal(signal.SIGTERM)
        output = served.communicate(timeout=60)[0]
    finally:
        served.kill()
    assert health.returncode == 0
    lines = [json.loads(line) for line in output.splitlines()]
    assert {line["release"] for line in lines} == {"r7"}
    mine = next(line for line in lines if line.get("request") == "mine-1")
    assert (mine["method"], mine["route"], mine["status"], mine["level"]) == ("GET", "/products", 200, "info")
    assert str(urlsplit(environment["DATABASE_URL"]).password) not in output


def test_a_container_whose_shop_does_not_answer_is_not_well() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "shop.health"],
        cwd=ROOT,
        env={**os.environ, "PORT": "1"},
        capture_output=True,
        check=False,
    )
    assert asked.returncode == 1


def _ask(port: int, path: str, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


def _wait_for(port: int, served: subprocess.Popen[str]) -> None:
    for _ in range(600):
        try:
            _ask(port, "/healthz", {})
            return
        except OSError:
            assert served.poll() is None, served.communicate()[0]
            time.sleep(0.05)
    raise AssertionError("the shop did not begin to answer")
