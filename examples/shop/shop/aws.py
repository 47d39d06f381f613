"""Clients of AWS that give up soon: an answer that comes late is no use to somebody who waits."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

CONNECT_SECONDS = 2
READ_SECONDS = 10


def client(service: str, region: str) -> Any:
    """A client for a service, with the credentials and the endpoint that the environment names."""
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 2})
    # Each its own session: sessions are not safe between threads, clients are.
    return boto3.session.Session(region_name=region).client(service, config=config)
