"""The record of who approved, ran and broke in: JSON lines that are only ever added to, each chained to the one before by a hash.

``record.jsonl`` in the state folder, mode 0600, with ``record.head`` beside it (how many lines there are, and the last one's
hash), so that a line which was changed, put in, taken out or cut off shows. It shows, and is not prevented: who may write in
the folder can write both files anew; send the head elsewhere to be safe from him too. What entries mean is their writers'.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from isostack.engine.files import locked, problem, write_whole
from isostack.errors import OperationFailed, Refused

FILE: Final = "record.jsonl"
HEAD: Final = "record.head"
LOCK: Final = "record.lock"
START: Final = "0" * 64


@dataclass(frozen=True)
class Entry:
    """A line. ``at`` is ISO 8601 in UTC; ``facts`` are the writer's."""

    number: int
    at: str
    kind: str
    facts: Mapping[str, Any]
    hash: str

    def as_dict(self) -> dict[str, Any]:
        return {"number": self.number, "at": self.at, "kind": self.kind, **self.facts, "hash": self.hash}


class Record:
    """The record of a state folder."""

    def __init__(self, home: Path) -> None:
        self.file = home / FILE
        self._head = home / HEAD
        self._lock = home / LOCK

    def entries(self) -> list[Entry]:
        """All lines, oldest first. Raises Refused where the chain is broken: then nothing in it counts."""
        with locked(self._lock):
            return self._verified()

    def append(self, kind: str, facts: Mapping[str, Any]) -> Entry:
        """Add a line. Raises Refused where the chain is broken, OperationFailed where the file cannot be written."""
        try:
            with locked(self._lock):
                before = self._verified()
                last = before[-1].hash if before else START
                at = datetime.now(UTC).isoformat(timespec="seconds")
                body = {"number": len(before) + 1, "at": at, "kind": kind, "facts": dict(facts), "previous": last}
                entry = Entry(len(before) + 1, at, kind, dict(facts), _hash(body))
                descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                with os.fdopen(descriptor, "ab") as file:
                    file.write((json.dumps({**body, "hash": entry.hash}, sort_keys=True) + "\n").encode())
                    file.flush()
                    os.fsync(file.fileno())
                write_whole(self._head, json.dumps({"count": entry.number, "hash": entry.hash}).encode())
                return entry
        except OSError as error:
            raise OperationFailed(problem("write", self.file, error)) from None

    def _verified(self) -> list[Entry]:
        # Bytes that are no UTF-8 are nobody's line, and break the chain as any other change does.
        lines = self.file.read_text(encoding="utf-8", errors="replace").splitlines() if self.file.exists() else []
        entries: list[Entry] = []
        previous = START
        for number, line in enumerate(lines, 1):
            entry = _entry(line, number, previous)
            if entry is None:
                raise Refused(_broken(self.file, f"line {number} is not the one that was written"))
            previous = entry.hash
            entries.append(entry)
        count, last = self._remembered()
        # A crash between the two writes leaves one line more than the head knows.
        if not count <= len(entries) <= count + 1 or (count and entries[count - 1].hash != last):
            raise Refused(_broken(self.file, f"it has {len(entries)} lines, and {count} were written"))
        return entries

    def _remembered(self) -> tuple[int, str]:
        if not self._head.exists():
            return 0, START
        try:
            head = json.loads(self._head.read_text())
            return int(head["count"]), str(head["hash"])
        except (ValueError, KeyError, TypeError):
            raise Refused(_broken(self.file, f"{self._head.name} is damaged")) from None


def _broken(file: Path, why: str) -> str:
    return (
        f"the record {file} was tampered with: {why}; nothing in it counts. Find out who did it, then move it and {HEAD} away "
        "and have what is needed approved anew"
    )


def _entry(line: str, number: int, previous: str) -> Entry | None:
    """The line's entry, where it is the one that belongs here."""
    try:
        body = json.loads(line)
        given = body.pop("hash")
        fits = body["number"] == number and body["previous"] == previous and _hash(body) == given
        return Entry(number, str(body["at"]), str(body["kind"]), dict(body["facts"]), str(given)) if fits else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
