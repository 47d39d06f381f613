"""Stacks in folders of this machine: ``HOME/stacks/PROJECT/STACK/{state.json, journal.jsonl, lock.json, fence}``.

The lock and the fence are :mod:`isostack.engine.lock`'s.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from isostack.engine.backend import file_name
from isostack.engine.files import keep_damaged, make_folder, problem, sync_folder, write_whole
from isostack.engine.lock import FENCE_FILE, LOCK_FILE, Fence, StackLock, holder
from isostack.errors import BadInput, OperationFailed

STATE_FILE: Final = "state.json"
PREVIOUS_FILE: Final = "state.previous.json"
JOURNAL_FILE: Final = "journal.jsonl"


class FileLog:
    """A journal in a file. Lines are handed to the system (``write``, no ``fsync``): they outlast the process, no power cut."""

    def __init__(self, path: Path, fence: Fence | None = None) -> None:
        """Begin it. Raises BadInput where it cannot be made, or where an earlier run's stands in its place."""
        self.path = path
        self.origin = str(path)
        self._fence = fence
        self._lock = threading.Lock()
        self._size = 0
        self._broken = ""
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BadInput(problem("start the journal", path, error)) from None

    def append(self, data: bytes) -> None:
        with self._lock:
            if self._broken:
                raise OperationFailed(f"cannot write {self.path}: {self._broken}")
            self.check()
            try:
                written = os.write(self._descriptor, data)
                while written < len(data):
                    written += os.write(self._descriptor, data[written:])
            except OSError as error:
                try:
                    os.ftruncate(self._descriptor, self._size)
                except OSError:
                    self._broken = "an earlier line could not be written whole"
                raise OperationFailed(problem("write", self.path, error)) from None
            self._size += len(data)

    def check(self) -> None:
        if self._fence is not None:
            self._fence.check()

    def close(self) -> None:
        with self._lock:
            if not self._broken:
                self._broken = "it is closed"
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
                if self._fence is not None:
                    self._fence.close()


class Folder:
    """A stack's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.origin = str(path / STATE_FILE)

    def lock(self, command: str) -> StackLock:
        return StackLock(self.path, command)

    def holder(self) -> str | None:
        return holder(self.path)

    def state(self) -> bytes | None:
        return _read(self.path / STATE_FILE)

    def journal(self) -> bytes | None:
        return _read(self.path / JOURNAL_FILE)

    def previous(self) -> bytes | None:
        return _read(self.path / PREVIOUS_FILE)

    def write(self, data: bytes) -> None:
        path = self.path / STATE_FILE
        try:
            make_folder(self.path)
            _keep_previous(path)
            write_whole(path, data)
        except OSError as error:
            raise OperationFailed(
                f"{problem('write', path, error)}; the state before it and the journal of this run are kept"
            ) from None

    def start_log(self, fence: int) -> FileLog:
        return FileLog(self.path / JOURNAL_FILE, Fence(self.path, fence))

    def drop_journal(self) -> None:
        try:
            (self.path / JOURNAL_FILE).unlink(missing_ok=True)
        except OSError as error:
            raise OperationFailed(problem("remove", self.path / JOURNAL_FILE, error)) from None
        sync_folder(self.path)

    def remove(self) -> None:
        try:
            for path in self.path.iterdir() if self.path.exists() else ():
                if path.name not in (FENCE_FILE, LOCK_FILE):
                    path.unlink()
        except OSError as error:
            raise OperationFailed(problem("remove", self.path, error)) from None

    def damaged(self, why: str) -> str:
        path = self.path / STATE_FILE
        return (
            f"{path} is damaged ({why}); {keep_damaged(path)}. Put the state before it in its place with isostack import"
            f" {unquote(self.path.name)} --previous, or an export, and run refresh"
        )

    def damaged_journal(self, why: str) -> str:
        path = self.path / JOURNAL_FILE
        return (
            f"{path} is damaged: {why}; {keep_damaged(path)}. To give up what that run recorded, move the journal away and"
            " run refresh"
        )


class Folders:
    """The stacks under one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.origin = str(home)

    def place(self, project: str, stack: str) -> Folder:
        return Folder(self.home / "stacks" / file_name(project) / file_name(stack))

    def stacks(self) -> list[tuple[str, str]]:
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


def _folders(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.is_dir()] if path.exists() else []


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(problem("read", path, error)) from None


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
