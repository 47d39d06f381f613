"""``python -m shop.worker``: takes order messages from the queue, and marks their orders as sent.

A message that it cannot deal with stays in the queue, which sets it aside after some tries. It also announces the orders that
nobody has announced (see :mod:`shop.orders`).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from psycopg import OperationalError

from shop import logs, orders
from shop.database import Database, database
from shop.errors import NotFound
from shop.queue import WAIT_SECONDS, Message, Queue
from shop.settings import Settings, SettingsError, secrets_of

FORGOTTEN_SECONDS = 30
PAUSE_SECONDS = 5

log = logging.getLogger("shop.worker")


def work(pool: Database, queue: Queue, most: int, wait_seconds: int = WAIT_SECONDS) -> int:
    """Deal with the messages that are there, ``most`` of them; gives how many are done.

    Raises psycopg.OperationalError, BotoCoreError or ClientError where database or queue does not answer; the messages stay.
    """
    done = 0
    for message in queue.receive(most, wait_seconds):
        if _dealt_with(pool, message):
            queue.done(message)
            done += 1
    return done


def _dealt_with(pool: Database, message: Message) -> bool:
    try:
        order_id = UUID(json.loads(message.body)["order"])
        with pool.connection() as connection:
            orders.mark_sent(connection, order_id)
    except (ValueError, KeyError, TypeError, AttributeError, NotFound) as error:
        log.error("message left in the queue", extra={"reason": f"{type(error).__name__}: {error}"})
        return False
    log.info("order sent", extra={"order": order_id})
    return True


def main() -> None:
    """Work until told to stop; the messages in hand are dealt with first."""
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        sys.exit(f"shop worker: {error}")
    logs.configure(settings.release, settings.log_level, secrets_of(settings.database_url))
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    queue = Queue(settings.job_queue_url, settings.aws_region)
    with database(settings.database_url) as pool:
        log.info("worker is ready")
        while not told.is_set():
            try:
                work(pool, queue, settings.jobs_at_once)
                orders.announce_forgotten(pool, queue, FORGOTTEN_SECONDS)
            except (OperationalError, BotoCoreError, ClientError) as error:
                log.warning("waiting for database or queue", extra={"reason": error})
                told.wait(PAUSE_SECONDS)
    log.info("worker has stopped")


if __name__ == "__main__":
    main()
