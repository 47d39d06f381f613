"""The lease on a stack: taken, renewed while its run goes on, taken over from a run that gave no sign of life.

Whoever takes over seals the journal that the run before left open (:mod:`isostack.shared_state.segments`), so that what it has
then read is all that was ever recorded.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

from isostack.engine.lock import Holder
from isostack.errors import BadInput, IsostackError, Locked, OperationFailed
from isostack.shared_state import segments
from isostack.shared_state.head import Head, decode, machine
from isostack.shared_state.objects import Conflict, Found, Objects, Written

LEASE: Final = 60.0
"""Seconds for which a holder is believed to be alive since its last sign of life, of which it gives three in this time."""

HEAD: Final = "head.json"
_ATTEMPTS: Final = 10


class Lease:
    """Holds the lease for the length of a ``with`` block. Its methods may be called from several threads."""

    def __init__(self, objects: Objects, folder: str, command: str, taken: Callable[[Lease], None]) -> None:
        """``taken`` is called when the lease is held."""
        self.objects, self.folder, self.command = objects, folder, command
        self.lease = LEASE
        self._taken = taken
        self.fence = 0
        self.warning = ""
        self.head = Head()
        self._etag: str | None = None
        self._lost: Locked | None = None
        self._alive = 0.0
        self._since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self._run = uuid.uuid4().hex
        self._mutex = threading.RLock()
        self._released = threading.Event()
        self._renewal = threading.Thread(target=self._renew_until_released, name="renew-lease", daemon=True)
        self.held = False

    @property
    def origin(self) -> str:
        return f"{self.objects.address}/{self.folder}"

    def __enter__(self) -> Lease:
        written = self._acquire()
        self.held = True
        self._renewal.start()
        try:
            self._require_safe(written)
            if self.head.journal:
                segments.seal(self.objects, self.folder, self.head.journal, str(self.head.holder))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self._taken(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._released.set()
        self._renewal.join()
        with suppress(IsostackError):  # then the lease runs out
            self.change(lambda head: replace(head, holder=None))
        self.held = False

    def change(self, make: Callable[[Head], Head]) -> None:
        """Write a new head, made of the present one. Raises Locked where another run has taken over."""
        with self._mutex:
            for _ in range(_ATTEMPTS):
                self.check()
                started = now()
                new = replace(make(self.head), beat=self.head.beat + 1)
                try:
                    written = self._put(new)
                except Conflict:
                    self._look_again()
                    continue
                self.head, self._etag, self._alive = new, written.etag, started
                return
        raise OperationFailed(f"cannot write {self.origin}/{HEAD}: S3 does not decide between two writes")

    def check(self) -> None:
        """Raise Locked where another run is known to have taken over."""
        if self._lost is not None:
            raise self._lost
        if not self.fence:
            raise Locked(f"the lease on {self.origin} is not held")

    def confirm(self) -> None:
        """Raise Locked unless the lease is held now: asks where the last sign of life is older than the lease.

        So a process that slept does nothing in a cloud that another run has begun to change.
        """
        if now() - self._alive > self.lease:
            self.change(lambda head: head)

    def _acquire(self) -> Written:
        for _ in range(_ATTEMPTS):
            found = look(self.objects, self.folder)
            head, self._etag = (decoded(self.objects, self.folder, found), found.etag) if found else (Head(), None)
            # Our own is there where its write was repeated because the answer was lost.
            is_ours = head.run == self._run
            if found and head.holder is not None and not is_ours:
                why = head.why_free(found.age)
                if not why:
                    raise Locked(f"{self.origin} is locked by {head.holder}; wait until that run has ended")
                self.warning = f"took over the lease of {head.holder}: {why}; what that run left open is settled first"
            started, fence = now(), head.fence if is_ours else head.fence + 1
            holder = Holder.here(self.command, self._since, self.lease, fence, machine() or "unknown")
            new = replace(head, fence=fence, beat=head.beat + 1, run=self._run, lease=self.lease, holder=holder)
            try:
                written = self._put(new)
            except Conflict:
                continue
            self.head, self._etag, self._alive, self.fence = new, written.etag, started, fence
            return written
        raise Locked(f"{self.origin}: others take the lease again and again; try once more")

    def _require_safe(self, written: Written) -> None:
        lacking = [] if written.version else ["keeps no versions"]
        lacking += [] if written.sealed else ["does not encrypt"]
        if lacking:
            raise BadInput(
                f"bucket {self.objects.bucket} {' and '.join(lacking)}, so it is no place for state: isostack bootstrap state"
                " mends it"
            )

    def _put(self, head: Head) -> Written:
        return self.objects.put(f"{self.folder}/{HEAD}", head.encode(), self._etag)

    def _look_again(self) -> None:
        """Take up a write of our own whose answer was lost. Raises Locked where the head is somebody else's."""
        found = look(self.objects, self.folder)
        head = decoded(self.objects, self.folder, found) if found else Head()
        if found is None or head.run != self._run:
            who = f"{head.holder} took" if head.holder else "another run took"
            self._lost = Locked(f"{who} over {self.origin}; this run writes nothing any more")
            raise self._lost
        self.head, self._etag = head, found.etag

    def _renew_until_released(self) -> None:
        while not self._released.wait(self.lease / 3):
            try:
                self.change(lambda head: head)
            except Locked:
                return
            except IsostackError:
                continue  # the lease may run out; a run that lost it is told by the next write


def look(objects: Objects, folder: str) -> Found | None:
    """The head of a stack as it is now."""
    return objects.get(f"{folder}/{HEAD}")


def decoded(objects: Objects, folder: str, found: Found) -> Head:
    """The head in an object. Raises BadInput."""
    return decode(found.data, f"{objects.address}/{folder}/{HEAD}")


def now() -> float:
    """Seconds that also pass while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
