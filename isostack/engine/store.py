"""Where stacks are kept: ``HOME/stacks/PROJECT/STACK/{state.json, journal.jsonl, lock.json, fence}``.

Loads a stack with what an unfinished run recorded, merges a run's journal into the state file, exports and imports.
Whoever changes a stack holds its :class:`~isostack.engine.lock.StackLock`; reading needs none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from isostack.engine import journal as journals
from isostack.engine import state_file
from isostack.engine import urn as urns
from isostack.engine.files import keep_damaged, make_folder, problem, sync_folder, write_whole
from isostack.engine.journal import Journal, Recording
from isostack.engine.lock import FENCE_FILE, LOCK_FILE, Fence
from isostack.engine.secrets import Keyring, PassphraseSecrets
from isostack.engine.state import Snapshot
from isostack.engine.state_file import Codec
from isostack.errors import BadInput, OperationFailed

STATE_FILE: Final = "state.json"
PREVIOUS_FILE: Final = "state.previous.json"
JOURNAL_FILE: Final = "journal.jsonl"
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
    """The stacks under one home folder. Raises BadInput for what cannot be read, OperationFailed for what cannot be
    written: one line each, and nothing is lost."""

    def __init__(self, home: Path, keyring: Keyring | None = None) -> None:
        self.home = home
        self.keyring = keyring or Keyring(home)
        self.usual_salt: Mapping[str, str] = {}
        """``{"salt": ...}`` for a stack that has no secrets yet; a fresh one each where this is empty."""

    def folder(self, project: str, stack: str) -> Path:
        """The folder of a stack, which need not exist."""
        return self.home / "stacks" / _file_name(project) / _file_name(stack)

    def stacks(self) -> list[tuple[str, str]]:
        """The (project, stack) pairs that have a state, in alphabetical order."""
        try:
            found = [
                (unquote(project.name), unquote(stack.name))
                for project in _folders(self.home / "stacks")
                for stack in _folders(project)
                if (stack / STATE_FILE).exists() or (stack / JOURNAL_FILE).exists()
            ]
        except OSError as error:
            raise BadInput(problem("read", self.home / "stacks", error)) from None
        return sorted(found)

    def load(self, project: str, stack: str) -> Loaded:
        """A stack's state and what an unfinished run added to it; an empty one where there is none.

        Secrets are opened when they are first asked for. A run that has no lock may read while another one writes.
        """
        folder = self.folder(project, stack)
        for attempt in range(ATTEMPTS):
            document, digest = _read_state(folder / STATE_FILE)
            recording = journals.read(folder / JOURNAL_FILE)
            origin = str(folder / STATE_FILE)
            salt = state_file.secrets_state(document, origin) if document else {}
            secrets = StackSecrets(self.keyring, salt or (recording.secrets_state if recording else {}) or self.usual_salt)
            codec = Codec(secrets)
            base = state_file.to_snapshot(document, codec, origin) if document else Snapshot()
            base.digest = digest
            if recording is None or recording.fits(base) or attempt == ATTEMPTS - 1:
                break
            if _digest(_read(folder / STATE_FILE)) == digest and journals.read(folder / JOURNAL_FILE) == recording:
                break  # nobody is writing: the two do not belong together
        snapshot = recording.replay(base, codec) if recording else base
        return Loaded(project, stack, snapshot, secrets, codec, recording)

    def open_journal(self, loaded: Loaded, fence: int) -> Journal:
        """Start the journal of a run that holds the lock with this fence number. What an earlier run's journal says is
        merged into the state file first."""
        folder = self.folder(loaded.project, loaded.stack)
        if loaded.recording is not None:
            if loaded.recording.id:
                self._write(loaded)
            self._drop_journal(folder)
            loaded.recording = None
        return Journal.open(folder / JOURNAL_FILE, loaded.codec, loaded.snapshot, Fence(folder, fence), fence)

    def save(self, loaded: Loaded, journal: Journal | None = None) -> None:
        """Write the snapshot as the stack's state and remove the journal, which is closed. Steps of the journal that
        have not ended become pending operations. The state before it is kept as ``state.previous.json``."""
        snapshot = loaded.snapshot
        if journal is not None:
            if journal.fence is not None:
                journal.fence.check()
            snapshot.pending_operations += journal.pending.values()
            journal.pending.clear()
            snapshot.metadata.journal = journal.id
            journal.close()
        self._write(loaded)
        self._drop_journal(self.folder(loaded.project, loaded.stack))
        loaded.recording = None

    def remove(self, project: str, stack: str) -> None:
        """Forget a stack, in every copy. The fence stays, so that no run which was cut off earlier can write again."""
        folder = self.folder(project, stack)
        try:
            for path in folder.iterdir() if folder.exists() else ():
                if path.name not in (FENCE_FILE, LOCK_FILE):
                    path.unlink()
        except OSError as error:
            raise OperationFailed(problem("remove", folder, error)) from None

    def export(self, project: str, stack: str) -> dict[str, Any]:
        """The state as ``pulumi stack import`` takes it, secrets sealed. Needs no passphrase."""
        loaded = self.load(project, stack)
        exported: dict[str, Any] = json.loads(state_file.to_text(loaded.snapshot, loaded.codec, own=False))
        return exported

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
        path = self.folder(loaded.project, loaded.stack) / STATE_FILE
        try:
            make_folder(path.parent)
            _keep_previous(path)
            write_whole(path, data)
        except OSError as error:
            raise OperationFailed(
                f"{problem('write', path, error)}; the state before it and the journal of this run are kept"
            ) from None
        snapshot.digest = _digest(data)

    def _drop_journal(self, folder: Path) -> None:
        try:
            (folder / JOURNAL_FILE).unlink(missing_ok=True)
        except OSError as error:
            raise OperationFailed(problem("remove", folder / JOURNAL_FILE, error)) from None
        sync_folder(folder)


def _file_name(name: str) -> str:
    """A folder's name for any name: what is not safe is percent-encoded."""
    if not name:
        raise BadInput("a project and a stack need a name")
    quoted = quote(name, safe="")
    return "%2E" + quoted[1:] if quoted.startswith(".") else quoted


def _folders(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.is_dir()] if path.exists() else []


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(problem("read", path, error)) from None


def _read_state(path: Path) -> tuple[dict[str, Any] | None, str]:
    """The document in a state file, and the file's digest."""
    data = _read(path)
    if data is None:
        return None, Snapshot().digest
    try:
        return state_file.parse(data, str(path)), _digest(data)
    except (ValueError, RecursionError) as error:
        kept = keep_damaged(path)
        raise BadInput(
            f"{path} is damaged ({error}); {kept}. Put {path.with_name(PREVIOUS_FILE)} or an export in its place, with"
            " isostack import, and run refresh"
        ) from None


def _digest(data: bytes | None) -> str:
    return Snapshot().digest if data is None else hashlib.sha256(data).hexdigest()


def _keep_previous(path: Path) -> None:
    """Let the present state file have a second name, that of the previous one."""
    between = path.with_name(f".{PREVIOUS_FILE}-{os.getpid()}")
    between.unlink(missing_ok=True)
    try:
        between.hardlink_to(path)
        between.replace(path.with_name(PREVIOUS_FILE))
    except FileNotFoundError:
        return  # there is no state yet
    finally:
        between.unlink(missing_ok=True)  # two names of one file: renaming one to the other leaves both
