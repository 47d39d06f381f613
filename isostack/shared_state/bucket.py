"""Stacks in a bucket: ``PREFIX/stacks/PROJECT/STACK/{head.json, states/, journal/}``, as the engine's store asks for them.

A state is an object of its own, written once and named by the head with its version and digest; the head names the one before
as well. What must not be lost is in the bucket before the cloud is told (:mod:`isostack.shared_state.segments`).
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote

from isostack.engine.backend import file_name
from isostack.errors import BadInput, IsostackError, Locked
from isostack.shared_state import lease as leases
from isostack.shared_state import segments
from isostack.shared_state.head import KEPT, Head, Pointer
from isostack.shared_state.lease import Lease
from isostack.shared_state.objects import Conflict, Objects
from isostack.shared_state.segments import SegmentLog

_MISSING: Final = "it is not there any more"


class SharedPlace:
    """Where one stack is kept in a bucket. Its methods but ``lock`` and what reads want the lease of :meth:`lock`."""

    def __init__(self, objects: Objects, folder: str, stack: str) -> None:
        self.objects, self.folder, self.stack = objects, folder, stack
        self.origin = f"{objects.address}/{folder}"
        self._lease: Lease | None = None
        self._written = 0

    def lock(self, command: str) -> Lease:
        return Lease(self.objects, self.folder, command, self._take)

    def _take(self, lease: Lease) -> None:
        self._lease, self._written = lease, 0

    def holder(self) -> str | None:
        found = leases.look(self.objects, self.folder)
        head = leases.decoded(self.objects, self.folder, found) if found else Head()
        return str(head.holder) if found and head.holder and not head.why_free(found.age) else None

    # -- reading --------------------------------------------------------------------------------------------------------

    def state(self) -> bytes | None:
        """Raises BadInput where the object is gone or is not what the head says, and then names the state before it."""
        pointer = self._head().state
        if pointer is None:
            return None
        data, wrong = self._read(pointer)
        if data is None:
            raise BadInput(self.damaged(wrong))
        return data

    def journal(self) -> bytes | None:
        while fence := self._head().journal:
            try:
                lines = segments.read(self.objects, self.folder, fence)
            except BadInput:
                if self._lease is not None and self._lease.held:
                    self._lease.change(lambda head: head)  # raises Locked where another run has just dealt with it
                if self._head().journal == fence:
                    raise
                continue  # it is being removed
            if self._head().journal == fence:
                return lines
        return None

    def previous(self) -> bytes | None:
        for pointer in self._head().history:
            data, _ = self._read(pointer)
            if data is not None:
                return data
        return None

    def damaged(self, why: str) -> str:
        pointer = self._head().state
        name = f"{self.objects.address}/{pointer.key}" if pointer else self.origin
        before = next((one for one in self._head().history if self._read(one)[0] is not None), None)
        kept = (
            f"the state before it, of {before.written}, is sound: isostack import {self.stack} --previous puts it in its place"
            if before
            else f"put an earlier version of the object in its place, or an export, with isostack import {self.stack}"
        )
        return f"{name} is damaged ({why}) and left as it is; {kept}; then run refresh"

    def damaged_journal(self, why: str) -> str:
        return (
            f"the journal of {self.origin} is damaged: {why}; it is left as it is. Bring the earlier version of that segment"
            f" back, or, to give up what its run recorded, put an export in the state's place with isostack import {self.stack}"
        )

    def _head(self) -> Head:
        if self._lease is not None and self._lease.held:
            return self._lease.head
        found = leases.look(self.objects, self.folder)
        return leases.decoded(self.objects, self.folder, found) if found else Head()

    def _read(self, pointer: Pointer) -> tuple[bytes | None, str]:
        """The bytes of a state, or None and what is wrong with it."""
        found = self.objects.get(pointer.key, pointer.version) or self.objects.get(pointer.key)
        if found is None:
            return None, _MISSING
        digest = _digest(found.data)
        if digest != pointer.sha256:
            return None, f"its digest is {digest[:12]}…, and {pointer.sha256[:12]}… was written"
        return found.data, ""

    # -- writing --------------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        lease = self._held()
        self._written += 1
        digest = _digest(data)
        key = f"{self.folder}/states/{lease.fence:012d}-{self._written:04d}.json"
        try:
            version = self.objects.put(key, data, sha256=digest).version
        except Conflict:
            found = self.objects.get(key)  # our own, repeated because its answer was lost: nobody else has this fence
            if found is None or found.data != data:
                raise Locked(f"another run writes to {self.origin}; this run writes nothing any more") from None
            version = found.version
        pointer = Pointer(key, version, digest, datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))
        before = lease.head
        kept = ((before.state,) if before.state else ()) + before.history
        # Where this fails the object stays: a change whose answer was lost may have been kept, and taken over by another run.
        lease.change(lambda head: replace(head, state=pointer, history=kept[:KEPT]))
        self._clear([one.key for one in kept[KEPT:]])

    def start_log(self, fence: int) -> SegmentLog:
        lease = self._held()
        if lease.head.journal:
            raise BadInput(f"cannot start the journal of {self.origin}: an earlier run's is there")
        lease.change(lambda head: replace(head, journal=fence))
        return SegmentLog(self.objects, self.folder, fence, lease.check, lease.confirm)

    def drop_journal(self) -> None:
        lease = self._held()
        if fence := lease.head.journal:
            lease.change(lambda head: replace(head, journal=0))
            with suppress(IsostackError):  # what stays does no harm
                keys = segments.segments_of(self.objects, self.folder, fence)
                self.objects.delete(keys if fence == lease.fence else keys[:-1])  # the last of an earlier run's is its seal

    def remove(self) -> None:
        lease = self._held()
        self.drop_journal()
        lease.change(lambda head: replace(head, state=None, history=()))
        self._clear(self.objects.keys(f"{self.folder}/states/"))

    def _held(self) -> Lease:
        if self._lease is None or not self._lease.held:
            raise Locked(f"the lease on {self.origin} is not held")
        return self._lease

    def _clear(self, keys: list[str]) -> None:
        """Delete what the head names no more; what stays does no harm."""
        with suppress(IsostackError):
            self.objects.delete(keys)


class Bucket:
    """The stacks under a prefix of a bucket."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.origin = objects.address

    def place(self, project: str, stack: str) -> SharedPlace:
        return SharedPlace(self.objects, f"stacks/{file_name(project)}/{file_name(stack)}", stack)

    def stacks(self) -> list[tuple[str, str]]:
        found = [
            (unquote(project), unquote(stack))
            for project in self.objects.folders("stacks/")
            for stack in self.objects.folders(f"stacks/{project}/")
        ]
        return sorted(pair for pair in found if self._is_kept(*pair))

    def _is_kept(self, project: str, stack: str) -> bool:
        head = self.place(project, stack)._head()
        return bool(head.state or head.journal)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
