"""Order messages: they arrive, the worker deals with them once, and what it cannot deal with stays."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from fastapi.testclient import TestClient

from shop import orders
from shop.database import Database
from shop.database import database as connections
from shop.queue import Queue
from shop.settings import Settings
from shop.worker import work

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def the_queue(settings: Settings) -> Queue:
    return Queue(settings.job_queue_url, settings.aws_region)


@pytest.fixture
def queue(the_queue: Queue) -> Queue:
    """The queue, with no message of another test in it."""
    while messages := the_queue.receive(10, 0):
        for message in messages:
            the_queue.done(message)
    return the_queue


@pytest.fixture(scope="module")
def pool(settings: Settings) -> Iterator[Database]:
    with connections(settings.database_url) as pool:
        yield pool


@pytest.fixture
def place(http: TestClient, queue: Queue, product: Callable[..., Any], cart: Callable[..., str]) -> Callable[[], str]:
    """Places an order, told of on an empty queue, and gives its id."""

    def make() -> str:
        answer = http.post(f"/carts/{cart({product(): 1})}/orders", headers={"Idempotency-Key": uuid.uuid4().hex})
        assert answer.status_code == 201, answer.text
        order_id: str = answer.json()["id"]
        return order_id

    return make


def status(http: TestClient, order_id: str) -> str:
    found: str = http.get(f"/orders/{order_id}").json()["status"]
    return found


def test_the_message_of_an_order_arrives_and_the_worker_marks_the_order(
    place: Callable[[], str], http: TestClient, queue: Queue, pool: Database
) -> None:
    order_id = place()
    assert [json.loads(message.body) for message in queue.receive(10, 0)] == [{"order": order_id}]
    assert status(http, order_id) == "placed"
    assert work(pool, queue, 10, 0) == 1
    assert status(http, order_id) == "sent"
    assert queue.receive(10, 0) == []


def test_a_message_that_comes_twice_changes_nothing_the_second_time(
    place: Callable[[], str], queue: Queue, pool: Database, database: Any
) -> None:
    order_id = place()
    work(pool, queue, 10, 0)
    sent = database.execute("SELECT sent_at FROM orders WHERE id = %s", [order_id]).fetchone()
    queue.send({"order": order_id})
    assert work(pool, queue, 10, 0) == 1
    assert database.execute("SELECT sent_at FROM orders WHERE id = %s", [order_id]).fetchone() == sent


@pytest.mark.parametrize("body", ["no json", "[]", "7", '{"other": 1}', '{"order": 7}', '{"order": "x"}', None])
def test_a_message_that_means_nothing_stays_and_stops_no_other(
    place: Callable[[], str], http: TestClient, queue: Queue, settings: Settings, pool: Database, body: str | None
) -> None:
    client = boto3.session.Session(region_name=settings.aws_region).client("sqs")
    nobodys = json.dumps({"order": str(uuid.uuid4())})
    client.send_message(QueueUrl=settings.job_queue_url, MessageBody=body or nobodys)
    order_id = place()
    assert work(pool, queue, 10, 0) == 1
    assert status(http, order_id) == "sent"
    assert [message.body for message in queue.receive(10, 0)] == [body or nobodys]


def test_an_order_that_was_not_announced_is_announced_by_the_worker(
    place: Callable[[], str], http: TestClient, queue: Queue, pool: Database, database: Any
) -> None:
    order_id = place()
    for message in queue.receive(10, 0):
        queue.done(message)
    database.execute("UPDATE orders SET announced_at = NULL WHERE id = %s", [order_id])
    assert orders.announce_forgotten(pool, queue, 3600) == 0, "it is not forgotten yet"
    assert orders.announce_forgotten(pool, queue, 0) >= 1
    work(pool, queue, 10, 0)
    assert status(http, order_id) == "sent"
    row = database.execute("SELECT announced_at FROM orders WHERE id = %s", [order_id]).fetchone()
    assert row["announced_at"] is not None


def test_the_worker_works_until_it_is_told_to_stop(
    place: Callable[[], str], http: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = place()
    monkeypatch.setenv("JOB_QUEUE_URL", settings.job_queue_url)
    worker = subprocess.Popen(
        [sys.executable, "-m", "shop.worker"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(600):
            if status(http, order_id) == "sent" or worker.poll() is not None:
                break
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in worker.communicate(timeout=60)[0].splitlines()]
    finally:
        worker.kill()
    assert status(http, order_id) == "sent"
    assert worker.returncode == 0
    assert (lines[0]["message"], lines[-1]["message"]) == ("worker is ready", "worker has stopped")
    assert ("order sent", order_id) in [(line["message"], line.get("order")) for line in lines]
