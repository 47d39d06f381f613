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
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from fastapi.testclient import TestClient

from shop.app import create_app
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
    assert (mine["method"], mine["path"], mine["status"], mine["level"]) == ("GET", "/products", 200, "info")
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
