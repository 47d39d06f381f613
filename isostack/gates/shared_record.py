"""The record of those who share a bucket: ``record/entries/NUMBER``, each written once, and ``record/head.json``.

An entry is written only where its number has none yet, so that of two who append at once one has it, and the other looks again at
what it is about to add.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Final

from isostack.gates.record import count_of
from isostack.shared_state.objects import Conflict, Objects

FOLDER: Final = "record/entries/"
HEAD: Final = "record/head.json"
_READERS: Final = 16


class SharedLines:
    """The lines under a prefix of a bucket."""

    def __init__(self, objects: Objects) -> None:
        self.origin = f"{objects.address}/{FOLDER}"
        self._objects = objects

    def turn(self) -> AbstractContextManager[None]:
        return nullcontext()

    def head(self) -> bytes | None:
        found = self._objects.get(HEAD)
        return found.data if found else None

    def lines(self) -> list[str]:
        keys = self._objects.keys(FOLDER)
        with ThreadPoolExecutor(_READERS) as pool:
            found = list(pool.map(self._objects.get, keys))
        # An object that has another name than its line's number would have is nobody's line, and breaks the chain.
        return [
            one.data.decode(errors="replace") if one and key == _key(number) else ""
            for number, (key, one) in enumerate(zip(keys, found, strict=True), 1)
        ]

    def add(self, number: int, line: bytes) -> bool:
        try:
            self._objects.put(_key(number), line)
        except Conflict:
            found = self._objects.get(_key(number))
            return found is not None and found.data == line  # our own, repeated because its answer was lost
        return True

    def remember(self, count: int, head: bytes) -> None:
        while True:
            found = self._objects.get(HEAD)
            with suppress(ValueError, KeyError, TypeError):
                if found is None or count_of(found.data) < count:
                    try:
                        self._objects.put(HEAD, head, found.etag if found else None)
                    except Conflict:
                        continue
            return  # also where it is damaged, as whoever reads next is told


def _key(number: int) -> str:
    return f"{FOLDER}{number:012d}.json"
