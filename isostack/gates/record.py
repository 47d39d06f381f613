"""The record of who approved, ran and broke in: lines that are only ever added to, each chained to the one before by a hash.

Beside them is a head (how many lines there are, and the last one's hash), so that a line which was changed, put in, taken out or
cut off shows. It shows, and is not prevented: who may write both can write both anew; send the head elsewhere to be safe from
him too. What entries mean is their writers'. Where lines are kept is a :class:`Lines`: of a state folder here, of a bucket in
:mod:`isostack.gates.shared_record`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

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


class Lines(Protocol):
    """Where a record is kept. Knows nothing of hashes."""

    @property
    def origin(self) -> str:
        """Its place, for messages."""

    def turn(self) -> AbstractContextManager[None]:
        """Keeps out meanwhile those of this machine who share the place."""

    def head(self) -> bytes | None: ...

    def lines(self) -> list[str]:
        """All lines, oldest first."""

    def add(self, number: int, line: bytes) -> bool:
        """Keep a line as this number, from 1; False where somebody else's has it."""

    def remember(self, count: int, head: bytes) -> None:
        """Keep the head, unless one of more lines is there already."""


class FolderLines:
    """``record.jsonl`` and ``record.head`` in a state folder, mode 0600."""

    def __init__(self, home: Path) -> None:
        self.file = home / FILE
        self.origin = str(self.file)
        self._head = home / HEAD
        self._lock = home / LOCK

    def turn(self) -> AbstractContextManager[None]:
        return locked(self._lock)

    def head(self) -> bytes | None:
        return self._head.read_bytes() if self._head.exists() else None

    def lines(self) -> list[str]:
        # Bytes that are no UTF-8 are nobody's line, and break the chain as any other change does.
        return self.file.read_text(encoding="utf-8", errors="replace").splitlines() if self.file.exists() else []

    def add(self, number: int, line: bytes) -> bool:
        try:
            descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OperationFailed(problem("write", self.file, error)) from None
        return True

    def remember(self, count: int, head: bytes) -> None:
        try:
            write_whole(self._head, head)
        except OSError as error:
            raise OperationFailed(problem("write", self._head, error)) from None


class Record:
    """The record that is kept in some lines."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def entries(self) -> list[Entry]:
        """All lines, oldest first. Raises Refused where the chain is broken: then nothing in it counts."""
        with self._lines.turn():
            return self._verified()

    def append(self, kind: str, facts: Mapping[str, Any], check: Callable[[Sequence[Entry]], None] | None = None) -> Entry:
        """Add a line after those that ``check`` has let pass.

        Raises Refused where the chain is broken, OperationFailed where nothing can be written, and what ``check`` raises.
        """
        with self._lines.turn():
            while True:
                before = self._verified()
                if check is not None:
                    check(before)
                number, last = len(before) + 1, before[-1].hash if before else START
                at = datetime.now(UTC).isoformat(timespec="seconds")
                body = {"number": number, "at": at, "kind": kind, "facts": dict(facts), "previous": last}
                body["nonce"] = secrets.token_hex(8)  # no two writers have the same line
                entry = Entry(number, at, kind, dict(facts), _hash(body))
                if self._lines.add(number, json.dumps({**body, "hash": entry.hash}, sort_keys=True).encode()):
                    self._lines.remember(number, json.dumps({"count": number, "hash": entry.hash}).encode())
                    return entry

    def _verified(self) -> list[Entry]:
        count, last = self._remembered()  # first: others may add lines while these are read
        entries: list[Entry] = []
        previous = START
        for number, line in enumerate(self._lines.lines(), 1):
            entry = _entry(line, number, previous)
            if entry is None:
                raise Refused(self._broken(f"line {number} is not the one that was written"))
            previous = entry.hash
            entries.append(entry)
        # Who was cut off between the two writes has left lines that the head does not know.
        if len(entries) < count or (count and entries[count - 1].hash != last):
            raise Refused(self._broken(f"it has {len(entries)} lines, and {count} were written"))
        return entries

    def _remembered(self) -> tuple[int, str]:
        data = self._lines.head()
        if data is None:
            return 0, START
        try:
            return count_of(data), str(json.loads(data)["hash"])
        except (ValueError, KeyError, TypeError):
            raise Refused(self._broken("its head is damaged")) from None

    def _broken(self, why: str) -> str:
        return (
            f"the record {self._lines.origin} was tampered with: {why}; nothing in it counts. Find out who did it, then move it "
            "and its head away and have what is needed approved anew"
        )


def count_of(head: bytes) -> int:
    """How many lines a head knows. Raises ValueError, KeyError or TypeError where it is none."""
    return int(json.loads(head)["count"])


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
