"""A journal as objects, ``journal/FENCE/NUMBER``: each is written once, after the one before it, and only if it is not there.

So whoever takes over ends it by writing the next segment itself, a seal: a late writer then finds its place taken, writes
nothing and is told. Seals stay for good. Lines that come in while a segment is under way go into the next one together.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from isostack.errors import BadInput, IsostackError, Locked, OperationFailed
from isostack.shared_state.objects import Conflict, Objects

SEAL: Final = b'{"sealed"'
_READERS: Final = 16


class SegmentLog:
    """The open journal of a run. ``confirm`` raises Locked where its lease has gone; it is asked when a line is kept."""

    def __init__(self, objects: Objects, folder: str, fence: int, check: Callable[[], None], confirm: Callable[[], None]) -> None:
        self.origin = f"{objects.address}/{_folder(folder, fence)}"
        self._objects, self._folder, self._fence = objects, folder, fence
        self._check, self._confirm = check, confirm
        self._turn = threading.Condition()
        self._waiting: list[bytes] = []
        self._under_way = False
        self._taken = self._kept = 0  # how many calls of append have been taken in, and kept
        self._next = 0
        self._broken: IsostackError | None = None

    def append(self, data: bytes) -> None:
        with self._turn:
            self._raise_if_broken()
            self._waiting.append(data)
            self._taken += 1
            mine, batch = self._taken, b""
            while self._kept < mine and not batch:
                self._raise_if_broken()
                if self._under_way:
                    self._turn.wait()
                else:
                    batch, upto = b"".join(self._waiting), self._taken
                    self._waiting, self._under_way = [], True
        if batch:
            self._keep(batch, upto)
        self._confirm()

    def check(self) -> None:
        self._check()

    def close(self) -> None:
        with self._turn:
            while self._under_way:
                self._turn.wait()
            self._broken = self._broken or OperationFailed(f"cannot write {self.origin}: it is closed")

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _keep(self, batch: bytes, upto: int) -> None:
        """Write the next segment. Where that fails nobody knows whether it is there, so that nothing can follow it."""
        failure: BaseException | None = None
        try:
            self._put(batch)
        except BaseException as error:
            failure = error
            raise
        finally:
            with self._turn:
                self._under_way = False
                if failure is None:
                    self._kept = upto
                elif self._broken is None:
                    told = OperationFailed(f"cannot write {self.origin}: an earlier line could not be written ({failure})")
                    self._broken = failure if isinstance(failure, IsostackError) else told
                self._turn.notify_all()

    def _put(self, data: bytes) -> None:
        key = _key(self._folder, self._fence, self._next)
        try:
            self._objects.put(key, data)
        except Conflict:
            found = self._objects.get(key)
            if found is None or found.data != data:  # else it was our own, repeated because its answer was lost
                who = json.loads(found.data)["sealed"] if found and found.data.startswith(SEAL) else "another run"
                raise Locked(
                    f"{who} took over {self._objects.address}/{self._folder}; this run writes nothing any more"
                ) from None
        self._next += 1


def seal(objects: Objects, folder: str, fence: int, by: str) -> None:
    """End a journal, whoever is still writing it."""
    number = len(segments_of(objects, folder, fence))
    while True:
        try:
            objects.put(_key(folder, fence, number), json.dumps({"sealed": by}).encode() + b"\n")
        except Conflict:
            found = objects.get(_key(folder, fence, number))
            if found is None or not found.data.startswith(SEAL):
                number += 1  # its writer was faster
                continue
        return


def read(objects: Objects, folder: str, fence: int) -> bytes:
    """What a journal says, up to its seal. Raises BadInput where a segment is missing."""
    keys = segments_of(objects, folder, fence)
    with ThreadPoolExecutor(_READERS) as pool:
        found = list(pool.map(objects.get, keys))
    lines: list[bytes] = []
    for number, (key, segment) in enumerate(zip(keys, found, strict=True)):
        if segment is None or key != _key(folder, fence, number):
            raise BadInput(f"{objects.address}/{_key(folder, fence, number)} is missing; bring its last version back")
        if segment.data.startswith(SEAL):
            break
        lines.append(segment.data)
    return b"".join(lines)


def segments_of(objects: Objects, folder: str, fence: int) -> list[str]:
    """The keys of a journal's segments, in order, its seal among them."""
    return objects.keys(f"{_folder(folder, fence)}/")


def _folder(folder: str, fence: int) -> str:
    return f"{folder}/journal/{fence:012d}"


def _key(folder: str, fence: int, number: int) -> str:
    return f"{_folder(folder, fence)}/{number:08d}"
