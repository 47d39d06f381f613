"""Stacks, loaded with what an unfinished run recorded, and saved with a run's journal merged in; exports and imports.

Where they are kept is a :class:`~isostack.engine.backend.Backend`'s affair: folders of this machine, unless told otherwise.
Whoever changes a stack holds its lock; reading needs none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from isostack.engine import journal as journals
from isostack.engine import state_file
from isostack.engine import urn as urns
from isostack.engine.backend import Backend, Lock, Place
from isostack.engine.folders import Folders
from isostack.engine.journal import Damaged, Journal, Recording
from isostack.engine.secrets import Keyring, PassphraseSecrets
from isostack.engine.state import Snapshot
from isostack.engine.state_file import Codec
from isostack.errors import BadInput

ATTEMPTS: Final = 20


class StackSecrets:
    """A stack's secrets, opened when they are first needed; a stack that has none yet gets a new salt then."""

    def __init__(self, keyring: Keyring, state: Mapping[str, str]) -> None:
        self._keyring = keyring
        self.known = dict(state)
        """``{"salt": ...}``, or empty for a stack that had none when it was loaded."""
        self._lock = threading.Lock()
        self._opened: PassphraseSecrets | None = None

    @property
    def state(self) -> dict[str, str]:
        """``{"salt": ...}``."""
        return self.known or self._open().state

    def encrypt_value(self, value: Any) -> dict[str, str]:
        """As :meth:`PassphraseSecrets.encrypt_value`."""
        return self._open().encrypt_value(value)

    def decrypt_value(self, sealed: Mapping[str, Any]) -> Any:
        """As :meth:`PassphraseSecrets.decrypt_value`."""
        if "plaintext" in sealed:
            return json.loads(sealed["plaintext"])
        return self._open().decrypt_value(sealed)

    def prefetch(self) -> None:
        """Begin to derive the key on another thread, if the stack has secrets. Raises BadInput for a malformed salt."""
        if self.known:
            self._open(prefetch=True)

    def check(self) -> None:
        """Raise BadInput where the stack has secrets and the passphrase does not open them: now rather than later."""
        if self.known:
            self._open().check()

    def _open(self, *, prefetch: bool = False) -> PassphraseSecrets:
        with self._lock:
            if self._opened is None:
                keyring = self._keyring
                self._opened = keyring.open(self.known, prefetch=prefetch) if self.known else keyring.new(prefetch=prefetch)
            return self._opened


@dataclass
class Loaded:
    """A stack as it was loaded: its snapshot, its secrets, and whether an earlier run's journal is still there."""

    project: str
    stack: str
    snapshot: Snapshot
    secrets: StackSecrets
    codec: Codec
    recording: Recording | None


class Store:
    """The stacks of one backend: by default of the folders under ``home``, where this machine's own things are in any case.

    Raises BadInput for what cannot be read, OperationFailed for what cannot be written: one line each, and nothing is lost.
    """

    def __init__(self, home: Path, keyring: Keyring | None = None, backend: Backend | None = None) -> None:
        self.home = home
        self.keyring = keyring or Keyring(home)
        self.backend = backend or Folders(home)
        self.usual_salt: Mapping[str, str] = {}
        """``{"salt": ...}`` for a stack that has no secrets yet; a fresh one each where this is empty."""
        self._places: dict[tuple[str, str], Place] = {}

    def place(self, project: str, stack: str) -> Place:
        """Where a stack is kept; the same one each time, since it knows the lock that is held on it."""
        key = (project, stack)
        if key not in self._places:
            self._places[key] = self.backend.place(project, stack)
        return self._places[key]

    def folder(self, project: str, stack: str) -> Path:
        """The folder of a stack on this machine, which need not exist."""
        return Folders(self.home).place(project, stack).path

    def stacks(self) -> list[tuple[str, str]]:
        """The (project, stack) pairs that have a state, in alphabetical order."""
        return self.backend.stacks()

    def lock(self, project: str, stack: str, command: str) -> Lock:
        """The lock of a stack, to be entered. Raises BadInput where secrets could not be sealed."""
        self.keyring.require()
        return self.place(project, stack).lock(command)

    def holder(self, project: str, stack: str) -> str | None:
        """Who holds the lock of a stack, in words, or None where nobody does."""
        return self.place(project, stack).holder()

    def load(self, project: str, stack: str) -> Loaded:
        """A stack's state and what an unfinished run added to it; an empty one where there is none.

        Secrets are opened when they are first asked for. A run that has no lock may read while another one writes.
        """
        place = self.place(project, stack)
        for attempt in range(ATTEMPTS):
            document, digest = _read_state(place)
            recording = _recording(place)
            salt = state_file.secrets_state(document, place.origin) if document else {}
            secrets = StackSecrets(self.keyring, salt or (recording.secrets_state if recording else {}) or self.usual_salt)
            codec = Codec(secrets)
            base = state_file.to_snapshot(document, codec, place.origin) if document else Snapshot()
            base.digest = digest
            if recording is None or recording.fits(base) or attempt == ATTEMPTS - 1:
                break
            if _digest(place.state()) == digest and _recording(place) == recording:
                break  # nobody is writing: the two do not belong together
        try:
            snapshot = recording.replay(base, codec) if recording else base
        except Damaged as damage:
            raise BadInput(place.damaged_journal(str(damage))) from None
        return Loaded(project, stack, snapshot, secrets, codec, recording)

    def open_journal(self, loaded: Loaded, fence: int) -> Journal:
        """Start the journal of a run that holds the lock with this fence number. What an earlier run's journal says is
        merged into the state file first."""
        place = self.place(loaded.project, loaded.stack)
        if loaded.recording is not None:
            if loaded.recording.id:
                self._write(loaded)
            place.drop_journal()
            loaded.recording = None
        return Journal(place.start_log(fence), loaded.codec, loaded.snapshot, fence)

    def save(self, loaded: Loaded, journal: Journal | None = None) -> None:
        """Write the snapshot as the stack's state and remove the journal, which is closed. Steps of the journal that
        have not ended become pending operations. The state before it is kept as the previous one."""
        snapshot = loaded.snapshot
        if journal is not None:
            journal.log.check()
            snapshot.pending_operations += journal.pending.values()
            journal.pending.clear()
            snapshot.metadata.journal = journal.id
            journal.close()
        self._write(loaded)
        self.place(loaded.project, loaded.stack).drop_journal()
        loaded.recording = None

    def remove(self, project: str, stack: str) -> None:
        """Forget a stack, in every copy. The fence stays, so that no run which was cut off earlier can write again."""
        self.place(project, stack).remove()

    def previous(self, project: str, stack: str) -> str:
        """The last sound state before the present one. Raises BadInput where none is kept."""
        place = self.place(project, stack)
        data = place.previous()
        if data is None:
            raise BadInput(f"{place.origin}: there is no state before this one")
        return data.decode(errors="replace")

    def know_again(self, project: str, stack: str) -> int:
        """Add to a stack's state what it had before its last run and has no more; gives how many resources that are. For a cloud
        that came back as it had been then: which of them are there, a refresh tells. The caller holds the lock."""
        loaded, place, added = self.load(project, stack), self.place(project, stack), 0
        things = {(resource.type, resource.id) for resource in loaded.snapshot.resources if resource.custom}
        for data in filter(None, (place.state(), place.previous())):
            with contextlib.suppress(BadInput, ValueError):  # one that is damaged tells nothing
                document = state_file.parse(data, place.origin)
                secrets = StackSecrets(self.keyring, state_file.secrets_state(document, place.origin))
                for resource in state_file.to_snapshot(document, Codec(secrets), place.origin).resources:
                    same = loaded.snapshot.get(resource.urn) or (resource.type, resource.id) in things
                    if not (same or resource.delete):
                        loaded.snapshot.put(resource)
                        added += 1
        if added:
            loaded.snapshot.verify()
            self.save(loaded)
        return added

    def export(self, project: str, stack: str) -> dict[str, Any]:
        """The state as ``pulumi stack import`` takes it, secrets sealed. Needs no passphrase."""
        exported: dict[str, Any] = json.loads(self.exported(self.load(project, stack)))
        return exported

    def exported(self, loaded: Loaded) -> str:
        """As :meth:`export`, as text, of a stack that was loaded."""
        return state_file.to_text(loaded.snapshot, loaded.codec, own=False)

    def import_(self, project: str, stack: str, text: str, origin: str) -> int:
        """Replace a stack's state by an exported one, and say how many resources it has. The caller holds the lock.

        Raises BadInput, with nothing changed, for a state that is malformed, inconsistent, of another stack, or sealed
        with another passphrase.
        """
        try:
            document = state_file.parse(text, origin)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{origin}: this is no JSON: {error}") from None
        salt = state_file.secrets_state(document, origin)
        secrets = StackSecrets(self.keyring, salt if state_file.has_ciphertext(document) else {})
        codec = Codec(secrets)
        snapshot = state_file.to_snapshot(document, codec, origin)
        snapshot.secrets_state = secrets.known
        for resource in snapshot.resources:
            owner = urns.parse(resource.urn)
            if (owner.project, owner.stack) != (project, stack):
                raise BadInput(
                    f"{origin}: this is the state of stack {owner.stack} of project {owner.project}, not of stack {stack}"
                    f" of project {project}: it has {resource.urn}"
                )
        secrets.check()
        with contextlib.suppress(BadInput):  # a damaged state is what an import mends
            earlier = self.load(project, stack)
            if earlier.recording is not None:
                self.save(earlier)
            snapshot.metadata.serial = earlier.snapshot.metadata.serial
        snapshot.metadata.note("import", "succeeded")
        self.save(Loaded(project, stack, snapshot, secrets, codec, None))
        return len(snapshot)

    def _write(self, loaded: Loaded) -> None:
        snapshot = loaded.snapshot
        snapshot.prune()
        snapshot.metadata.serial += 1
        data = state_file.to_text(snapshot, loaded.codec).encode()
        self.place(loaded.project, loaded.stack).write(data)
        snapshot.digest = _digest(data)


def _read_state(place: Place) -> tuple[dict[str, Any] | None, str]:
    """The document of a state, and its digest."""
    data = place.state()
    if data is None:
        return None, Snapshot().digest
    try:
        return state_file.parse(data, place.origin), _digest(data)
    except (ValueError, RecursionError) as error:
        raise BadInput(place.damaged(str(error))) from None


def _recording(place: Place) -> Recording | None:
    """The journal of a run that has not ended, or nothing where there is none."""
    data = place.journal()
    if data is None:
        return None
    try:
        return journals.parse(data, f"the journal of {place.origin}")
    except Damaged as damage:
        raise BadInput(place.damaged_journal(str(damage))) from None


def _digest(data: bytes | None) -> str:
    return Snapshot().digest if data is None else hashlib.sha256(data).hexdigest()
