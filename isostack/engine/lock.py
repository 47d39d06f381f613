"""One run at a time on a stack: who holds its lock, when a lock may be taken over, and the fence against late writers.

``lock.json`` names the holder; ``fence`` has a number that rises with every acquisition and is never reset. Every
change to either is made while a POSIX lock (``flock``) on ``fence`` is held, so that of several processes exactly one
wins. What a run writes in between it writes only while the fence still has its number.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil

from isostack.engine.files import make_folder, problem, write_whole
from isostack.errors import BadInput, Locked

LEASE: Final = 60.0
"""Seconds for which a holder on another machine is believed to be alive since its last sign of life."""

LOCK_FILE: Final = "lock.json"
FENCE_FILE: Final = "fence"
PATIENCE: Final = 10.0

_DIGITS: Final = 20
_CLOCK_TOLERANCE: Final = 2.0


@dataclass(frozen=True)
class Holder:
    """Who holds a lock. ``space`` tells process numbers of containers apart; ``expires`` is in seconds since 1970."""

    user: str
    host: str
    space: str
    pid: int
    started: float
    command: str
    since: str
    expires: float
    fence: int

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid}, since {self.since}, running {self.command!r})"

    @classmethod
    def here(cls, command: str, since: str, lease: float, fence: int, space: str = "") -> Holder:
        """This process."""
        return cls(
            user=_user(),
            host=socket.gethostname(),
            space=space or _process_space(),
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            command=command,
            since=since,
            expires=time.time() + lease,
            fence=fence,
        )

    @property
    def is_running(self) -> bool:
        """Whether the process is there; to be asked on the holder's own machine only."""
        return _is_running(self.pid, self.started)

    @property
    def is_local(self) -> bool:
        """Whether the holder's process number means something here."""
        return (self.host, self.space) == (socket.gethostname(), _process_space())

    def why_free(self) -> str:
        """Why this lock holds nobody off any more, or ``""`` where it does."""
        if self.is_local:
            return "" if self.is_running else "that process is gone"
        return "" if time.time() < self.expires else "it gave no sign of life in time"


class StackLock:
    """Holds the lock on a stack's folder for the length of a ``with`` block.

    ``fence`` is the number under which to write, and ``warning`` says whose lock was taken over, if anybody's. Entering
    raises Locked where another run holds the lock, and BadInput where the folder cannot be written.
    """

    def __init__(self, folder: Path, command: str, *, lease: float = LEASE) -> None:
        self.folder = folder
        self.command = command
        self.lease = lease
        self.fence = 0
        self.warning = ""
        self._since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self._released = threading.Event()
        self._renewal: threading.Thread | None = None

    def __enter__(self) -> StackLock:
        try:
            make_folder(self.folder)
            with _critical_section(self.folder) as descriptor:
                self._acquire(descriptor)
        except OSError as error:
            raise BadInput(problem("lock", self.folder, error)) from None
        self._renewal = threading.Thread(target=self._renew_until_released, name="renew-lock", daemon=True)
        self._renewal.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._released.set()
        if self._renewal is not None:
            self._renewal.join()
        # Where this fails, the next run sees that this process is gone.
        with contextlib.suppress(OSError, Locked), _critical_section(self.folder):
            if self._is_ours():
                (self.folder / LOCK_FILE).unlink()

    def _acquire(self, descriptor: int) -> None:
        found = _read(self.folder, self.lease)
        if found is not None:
            why = found.why_free()
            if not why:
                raise Locked(f"the stack in {self.folder} is locked by {found}; wait until that run has ended")
            self.warning = f"took over the lock of {found}: {why}; what that run left open is settled first"
        self.fence = _raise_fence(descriptor, found.fence if found else 0)
        self._write()

    def _renew_until_released(self) -> None:
        while not self._released.wait(self.lease / 3):
            # Where this fails, the lease may run out; a run that lost the lock is told so by the fence.
            with contextlib.suppress(OSError, Locked), _critical_section(self.folder):
                if not self._is_ours():
                    return
                self._write()

    def _is_ours(self) -> bool:
        found = _read(self.folder, self.lease)
        return found is not None and found.fence == self.fence

    def _write(self) -> None:
        holder = Holder.here(self.command, self._since, self.lease, self.fence)
        write_whole(self.folder / LOCK_FILE, json.dumps(asdict(holder)).encode())


def holder(folder: Path) -> str | None:
    """Who holds the lock on a stack's folder, in words, or None where nobody does."""
    try:
        found = _read(folder, LEASE)
    except OSError as error:
        raise BadInput(problem("read", folder / LOCK_FILE, error)) from None
    return str(found) if found is not None and not found.why_free() else None


class Fence:
    """The right to write as long as nobody else has taken the lock. Raises BadInput where the fence cannot be read."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self._number = _fence_text(number)
        try:
            self._descriptor = os.open(folder / FENCE_FILE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise BadInput(problem("read", folder / FENCE_FILE, error)) from None

    def check(self) -> None:
        """Raise Locked where another run has taken over. Costs one system call."""
        if os.pread(self._descriptor, _DIGITS, 0) != self._number:
            with contextlib.suppress(OSError, ValueError):
                found = _read(self._folder, LEASE)
                if found is not None:
                    raise Locked(f"{found} took over the stack in {self._folder}; this run writes nothing any more")
            raise Locked(f"another run took over the stack in {self._folder}; this run writes nothing any more")

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def _fence_text(number: int) -> bytes:
    return b"%0*d" % (_DIGITS, number)


def _raise_fence(descriptor: int, seen: int) -> int:
    """Raise the number and give it. One that was damaged goes on from the clock, far above any count."""
    text = os.pread(descriptor, 2 * _DIGITS, 0)
    number = max(int(text), seen) if text.strip().isdigit() else max(int(time.time()) if text else 0, seen)
    os.pwrite(descriptor, _fence_text(number + 1), 0)
    os.ftruncate(descriptor, _DIGITS)
    os.fsync(descriptor)
    return number + 1


@contextlib.contextmanager
def _critical_section(folder: Path) -> Iterator[int]:
    """Only one process, and one thread of it, is in here at a time. Gives a descriptor of the fence."""
    descriptor = os.open(folder / FENCE_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        patience = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > patience:
                    raise Locked(f"another run holds {folder / FENCE_FILE} and does not go on; end it first") from None
                time.sleep(0.005)
        yield descriptor
    finally:
        os.close(descriptor)


def _read(folder: Path, lease: float) -> Holder | None:
    """The holder in the lock file. One that is damaged holds for a lease from when it was written."""
    path = folder / LOCK_FILE
    try:
        text, written = path.read_bytes(), path.stat().st_mtime
    except FileNotFoundError:
        return None
    try:
        fields = json.loads(text)
        return Holder(**fields)
    except (ValueError, TypeError):
        since = datetime.fromtimestamp(written, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return Holder("somebody", "an unknown host", "", 0, 0.0, "a damaged lock file", since, written + lease, 0)


def _is_running(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < _CLOCK_TOLERANCE
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _process_space() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115  # its text is no path
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
