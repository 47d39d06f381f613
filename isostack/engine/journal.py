"""What a run does, line by line, before and after it does it: a crash at any moment leaves a state to go on from.

JSON lines beside the state. The first line tells which state it goes with; each other is one event::

    {"begin": 3, "type": "creating", "resource": {...}}                 a step is about to act
    {"end": 3, "put": [{...}], "removed": [[URN, ID, DELETE], ...]}     it has ended, with this outcome
    {"fail": 3}                                                         it has ended without any effect
    {"put": [...], "removed": [...]}                                    an outcome without a step
    {"rename": [URN, URN]}   {"metadata": {...}}   {"settle": {...}}    as the methods of :class:`Journal` say
    {"secrets": {"salt": ...}}                                          comes before the first secret of a stack

A line outlasts the process before its step acts; where lines go is a :class:`~isostack.engine.backend.Log`'s affair. A last
line without its end is one that a crash cut off, and counts for nothing.
"""

from __future__ import annotations

import itertools
import json
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from isostack.engine.backend import Log
from isostack.engine.state import PendingOperation, ResourceState, Snapshot
from isostack.engine.state_file import Codec, operation
from isostack.engine.values import SECRET_SIGNATURE
from isostack.errors import BadInput

FORMAT: Final = 1
FORMAT_KEY: Final = "isostack-journal"


class Journal:
    """Records steps and outcomes. Its methods may be called from several threads.

    Each raises OperationFailed where the line cannot be written, and Locked where another run has taken over; then the
    event counts as not recorded, and what it announces must not be done.
    """

    def __init__(self, log: Log, codec: Codec, base: Snapshot, number: int = 0) -> None:
        """Start a journal over the state that ``base`` was read from; ``number`` is the fence's."""
        self.log = log
        self.id = uuid.uuid4().hex
        self.pending: dict[int, PendingOperation] = {}
        """The steps that were begun and have not ended, by number."""
        self._codec = codec
        self._numbers = itertools.count(1)
        self._salting = threading.Lock()
        self._has_salt = bool(base.secrets_state)
        header = {FORMAT_KEY: FORMAT, "id": self.id, "base": base.digest, "fence": number}
        try:
            self._write(json.dumps(header) + "\n")
        except BaseException:
            self.close()
            raise

    def begin(self, pending: PendingOperation) -> int:
        """Record that a step is about to act; gives the number by which to end it."""
        number = next(self._numbers)
        resource = self._codec.encode(pending.resource)
        self._write(f'{{"begin":{number},"type":"{pending.type}","resource":{resource}}}\n')
        self.pending[number] = pending
        return number

    def end(self, number: int, put: Sequence[ResourceState] = (), removed: Sequence[ResourceState] = ()) -> None:
        """Record that a step has ended, and its outcome: what is removed, and then what is put, in this order."""
        self._write(f'{{"end":{number},{self._outcome(put, removed)}}}\n')
        self.pending.pop(number, None)

    def fail(self, number: int) -> None:
        """Record that a step has ended and changed nothing."""
        self._write(f'{{"fail":{number}}}\n')
        self.pending.pop(number, None)

    def put(self, put: Sequence[ResourceState] = (), removed: Sequence[ResourceState] = ()) -> None:
        """Record an outcome that needed no step, such as changed options of an unchanged resource."""
        if put or removed:
            self._write(f"{{{self._outcome(put, removed)}}}\n")

    def rename(self, old: str, new: str) -> None:
        """Record that a resource has another URN, in all references to it as well."""
        self._write(json.dumps({"rename": [old, new]}) + "\n")

    def metadata(self, **changes: str) -> None:
        """Record changed fields of the snapshot's metadata."""
        self._write(json.dumps({"metadata": changes}) + "\n")

    def settle(self, pending: PendingOperation) -> None:
        """Record that an operation which an earlier run left pending is settled."""
        resource = pending.resource
        self._write(json.dumps({"settle": {"type": pending.type, "urn": resource.urn, "id": resource.id}}) + "\n")

    def close(self) -> None:
        """End the journal: nothing can be recorded afterwards. It stays."""
        self.log.close()

    def _outcome(self, put: Sequence[ResourceState], removed: Sequence[ResourceState]) -> str:
        text = f'"put":[{",".join(map(self._codec.encode, put))}]'
        if removed:
            text += f',"removed":{json.dumps([(r.urn, r.id, r.delete) for r in removed])}'
        return text

    def _write(self, line: str) -> None:
        if not self._has_salt and SECRET_SIGNATURE in line:
            with self._salting:  # no other secret comes before it
                if not self._has_salt:
                    line = json.dumps({"secrets": self._codec.secrets.state}) + "\n" + line
                    self.log.append(line.encode())
                    self._has_salt = True
                    return
        self.log.append(line.encode())


# -- reading ----------------------------------------------------------------------------------------------------------


class Damaged(Exception):
    """The journal is damaged in this way."""


@dataclass
class Recording:
    """A journal that was read: its id, the digest of the state file it goes with, the salt in it, and its events."""

    origin: str
    id: str = ""
    base: str = ""
    secrets_state: dict[str, str] = field(default_factory=dict)
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def is_merged_into(self, base: Snapshot) -> bool:
        """Whether it says nothing more than the state file already does."""
        return not self.id or base.metadata.journal == self.id

    def fits(self, base: Snapshot) -> bool:
        """Whether it goes with the state file that ``base`` was read from."""
        return self.is_merged_into(base) or self.base == base.digest

    def replay(self, base: Snapshot, codec: Codec) -> Snapshot:
        """The snapshot as the journal left it; steps begun and not ended are pending operations. ``base`` is unchanged.

        Raises Damaged where the journal is damaged, and BadInput where it goes with another state file.
        """
        snapshot = base.copy()
        if self.is_merged_into(base):
            return snapshot
        if not self.fits(base):
            raise BadInput(
                f"{self.origin} was written over another state file than the one beside it; put that one back, or, to give"
                " up what the journal's run did, move the journal away and run refresh"
            )
        if self.secrets_state:
            snapshot.secrets_state = self.secrets_state
        snapshot.metadata.journal = self.id
        begun: dict[int, PendingOperation] = {}
        for number, event in self.events:
            try:
                _apply(event, snapshot, begun, codec, f"line {number}")
            except BadInput as error:
                raise Damaged(str(error)) from None
            except (KeyError, TypeError, ValueError, AttributeError):
                raise Damaged(f"line {number} is malformed") from None
        snapshot.pending_operations += begun.values()
        snapshot.prune()
        return snapshot


def parse(data: bytes, origin: str) -> Recording:
    """A journal from its bytes; ``origin`` names it in errors. Raises Damaged."""
    recording = Recording(origin)
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            event = json.loads(line)
        except ValueError:
            raise Damaged(f"line {number} is no JSON") from None
        if number == 1:
            if not isinstance(event, dict) or event.get(FORMAT_KEY) != FORMAT:
                raise Damaged("its first line is not that of a journal which this version reads")
            recording.id, recording.base = str(event.get("id")), str(event.get("base"))
        elif not isinstance(event, dict):
            raise Damaged(f"line {number} is malformed")
        elif "secrets" in event:
            recording.secrets_state = event["secrets"]
        else:
            recording.events.append((number, event))
    return recording


def _apply(event: dict[str, Any], snapshot: Snapshot, begun: dict[int, PendingOperation], codec: Codec, origin: str) -> None:
    if "begin" in event:
        begun[event["begin"]] = operation(event, codec, origin)
        return
    if "fail" in event:
        del begun[event["fail"]]
        return
    if "end" in event:
        del begun[event["end"]]
    if "put" in event:
        for urn, id_, delete in event.get("removed", ()):
            snapshot.discard(urn, id_, delete)
        for fields in event["put"]:
            snapshot.put(codec.decode(fields, origin))
    elif "rename" in event:
        snapshot.rename(*event["rename"])
    elif "metadata" in event:
        for name, value in event["metadata"].items():
            setattr(snapshot.metadata, name, value)
    elif "settle" in event:
        settled = event["settle"]
        for pending in snapshot.pending_operations:
            if settled == {"type": pending.type, "urn": pending.resource.urn, "id": pending.resource.id}:
                snapshot.pending_operations.remove(pending)
                break
    else:
        raise ValueError
