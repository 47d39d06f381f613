"""What the shop is told by its environment, read once and complete.

Credentials and endpoint of AWS are not here: boto3 finds them by itself (``AWS_ACCESS_KEY_ID`` and the like,
``AWS_ENDPOINT_URL``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingsError(Exception):
    """The environment does not say what the shop needs."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``jobs_at_once`` is how many messages the worker takes from the queue at a time, 1 to 10."""

    database_url: str = field(repr=False)
    asset_bucket: str
    job_queue_url: str
    aws_region: str
    host: str
    port: int
    release: str
    log_level: str
    jobs_at_once: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings of an environment. Raises SettingsError, which names all that is missing."""
        needed = _required(environment, "DATABASE_URL", "ASSET_BUCKET", "JOB_QUEUE_URL", "AWS_REGION")
        level = environment.get("LOG_LEVEL", "info").lower()
        if level not in LOG_LEVELS:
            raise SettingsError(f"LOG_LEVEL is {level!r}; it can be {', '.join(LOG_LEVELS)}")
        return cls(
            database_url=database_url(environment),
            asset_bucket=needed["ASSET_BUCKET"],
            job_queue_url=needed["JOB_QUEUE_URL"],
            aws_region=needed["AWS_REGION"],
            host=environment.get("HOST", "127.0.0.1"),
            port=_number(environment, "PORT", 8080, 65535),
            release=environment.get("RELEASE", "none"),
            log_level=level,
            jobs_at_once=_number(environment, "JOBS_AT_ONCE", 1, 10),
        )


def database_url(environment: Mapping[str, str]) -> str:
    """DATABASE_URL alone, which is all that migrations need. Raises SettingsError, which does not show it."""
    url = _required(environment, "DATABASE_URL")["DATABASE_URL"]
    try:
        conninfo_to_dict(url)
    except ProgrammingError:  # its words have the URL in them, and so the password
        raise SettingsError("DATABASE_URL cannot be read; it is written postgresql://USER:PASSWORD@HOST:PORT/NAME") from None
    return url


def _required(environment: Mapping[str, str], *names: str) -> dict[str, str]:
    missing = [name for name in names if not environment.get(name)]
    if missing:
        raise SettingsError(f"not set: {', '.join(missing)}; in a playground: isostack play run -- COMMAND")
    return {name: environment[name] for name in names}


def secrets_of(database_url: str) -> tuple[str, ...]:
    """What must never be shown: the URL, and its password as it is written there and as it is typed."""
    try:
        password = urlsplit(database_url).password or ""
    except ValueError:  # not a URL: all of it may be the secret
        password = ""
    found = {database_url, password, unquote(password)} - {""}
    return tuple(sorted(found, key=len, reverse=True))


def _number(environment: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise SettingsError(f"{name} is {text!r}; it is a number from 1 to {most}")
    return int(text)
