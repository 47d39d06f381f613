"""Logs: a JSON document a line on standard output, with the release and the request in it, and without secrets."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType

_request: ContextVar[str | None] = ContextVar("request", default=None)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonLines(logging.Formatter):
    """What a log call gives as ``extra`` become members of the document."""

    def __init__(self, release: str, secrets: Sequence[str]) -> None:
        super().__init__()
        self._release = release
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "release": self._release,
            **({"request": request} if (request := _request.get()) else {}),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps({name: self._shown(value) for name, value in entry.items()})

    def _shown(self, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        text = str(value)
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text


@contextmanager
def of_request(request_id: str) -> Iterator[None]:
    """Lines that are written for it bear its id."""
    token = _request.set(request_id)
    try:
        yield
    finally:
        _request.reset(token)


def configure(release: str, level: str, secrets: Sequence[str]) -> None:
    """From here on all loggers of the process, its libraries' too, write such lines, and so does what ends it."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(release, secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for library in ("boto3", "botocore", "urllib3"):  # on debug they write whole requests, signatures included
        logging.getLogger(library).setLevel(logging.WARNING)
    sys.excepthook = _ended


def _ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("shop").critical("ended by an error", exc_info=(kind, error, trace))
