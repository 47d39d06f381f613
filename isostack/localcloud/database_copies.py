"""Copies of real databases that outlive the local cloud: kept under a digest, and put back by renaming.

Runs inside the local cloud's process. Beside each server lies a second copy of what it was last kept as, or last given back,
which is made in the background and checked by its digest; it takes the place of the server's content at any size in the same
time. Where it is not there yet, or a file of it or of the kept copy is another than when it was checked, the copy is made and
checked on the spot. Whose database it is, is :mod:`isostack.localcloud.databases`'s.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from isostack.localcloud.database_server import DatabaseError, DatabaseServers

_READY_AFTER_SECONDS = 1.5
"""So long a server must be left alone until a copy is made ready: a playground that goes down needs none."""

_CHUNK = 1 << 20

Signature = tuple[tuple[str, int, int, int, int], ...]


@dataclass
class _Ready:
    """What lies ready beside a server: of which copy, and how the files of both looked when it was checked."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    timer: threading.Timer | None = None
    copy: str = ""
    looks: tuple[Signature, Signature] = ((), ())


class DatabaseCopies:
    """The kept copies of one local cloud. Methods raise :class:`DatabaseError`; calls may come from several threads."""

    def __init__(self, servers: DatabaseServers) -> None:
        self._servers = servers
        self._ready: dict[str, _Ready] = {}
        self._taken: dict[str, str] = {}
        """Servers that have nothing left, because the copy of this name is all that they had."""

    def kept(self, copy: str) -> Path:
        """The folder of a copy, which need not exist."""
        return self._servers.folder.with_name("databases-kept") / copy

    def keep(self, name: str, copy: str) -> tuple[str, int]:
        """Copy the server's content to where neither a reset nor a stop removes it; gives its digest and its bytes."""
        self._servers.take_snapshot(name, copy)
        target = self.kept(copy)
        self._servers.make(target.parent)
        shutil.rmtree(target, ignore_errors=True)
        self._servers.snapshot_folder(copy).rename(target)
        digest, size = _digest(target)
        self._make_ready_later(name, copy, digest)
        return digest, size

    def take(self, name: str, copy: str) -> tuple[str, int]:
        """Keep the content of a server that is about to go, which need not be copied for that: it is ended, and what it had is
        the copy. If it stays after all, :meth:`give_back` gives it the content of the copy."""
        self._servers.stop(name)
        target = self.kept(copy)
        self._servers.make(target.parent)
        shutil.rmtree(target, ignore_errors=True)
        self._taken[name] = copy
        self._servers.data(name).rename(target)
        return _digest(target)

    def is_taken(self, name: str) -> bool:
        return name in self._taken

    def give_back(self, name: str) -> None:
        """Give a server that something was taken from a copy of that; it does not run yet."""
        copy = self._taken.pop(name, "")
        if copy and self.kept(copy).is_dir() and not self._servers.data(name).exists():
            self._servers.copy(self.kept(copy), self._servers.data(name))

    def bring_back(self, name: str, port: int, copy: str, digest: str, username: str, password: str) -> None:
        """Put a kept copy in the place of the server's content, on the same port and for the same role and password."""
        beside = self._of(name)
        aside = self._servers.folder_of(name) / f"old-{secrets.token_hex(4)}"
        with beside.lock:
            if not (self._is_ready(name, copy, beside) or self._has_taken_over(name, copy, beside)):
                self._make_ready(name, copy, digest, beside)
            beside.copy = ""
            self._taken.pop(name, None)
            self._servers.exchange(name, port, self._place(name), aside)
            self._servers.set_password(name, username, password)
        self._make_ready_later(name, copy, digest, aside)

    def make_ready(self, copy: str, digest: str) -> None:
        """Make a checked copy lie ready for a server that is to be made, unless one lies beside a server that there is: the first
        one that is given this copy has it."""
        if any(one.copy == copy for one in self._ready.values()):
            return
        name = _to_be_made(copy)
        beside = self._of(name)
        with beside.lock:
            if not self._is_ready(name, copy, beside):
                self._make_ready(name, copy, digest, beside)

    def drop(self, copy: str) -> None:
        """Remove a copy, if it is there. One that was taken from a server which is there yet goes back."""
        self.leave(_to_be_made(copy))
        self._servers.make(self._servers.folder)
        for name, taken in list(self._taken.items()):
            if taken == copy:
                self.give_back(name)
        self._servers.discard(self.kept(copy))

    def leave(self, name: str) -> None:
        """Make nothing ready any more for a server that goes, and remove what is."""
        self._taken.pop(name, None)
        beside = self._ready.pop(name, None)
        if beside is None:
            return
        if beside.timer:
            beside.timer.cancel()

        def remove() -> None:
            with beside.lock:  # a copy may be under way
                shutil.rmtree(self._place(name), ignore_errors=True)

        threading.Thread(target=remove, daemon=True).start()

    def ready(self) -> dict[str, tuple[str, tuple[Signature, Signature]]] | None:
        """What lies ready beside each server, for :meth:`take_over`; None while some is being made,
        or something was taken."""
        if self._taken or any(one.lock.locked() or (one.timer and one.timer.is_alive()) for one in self._ready.values()):
            return None
        return {name: (one.copy, one.looks) for name, one in self._ready.items()}

    def take_over(self, ready: dict[str, tuple[str, tuple[Signature, Signature]]]) -> None:
        self._ready = {name: _Ready(copy=copy, looks=looks) for name, (copy, looks) in ready.items()}

    # -- the copy that lies ready -------------------------------------------------------------------------------------

    def _of(self, name: str) -> _Ready:
        return self._ready.setdefault(name, _Ready())

    def _place(self, name: str) -> Path:
        return self._servers.folder / "ready" / name

    def _is_ready(self, name: str, copy: str, beside: _Ready) -> bool:
        """Whether it lies there as it was checked, and so does what it is a copy of."""
        return beside.copy == copy and beside.looks == (_signature(self.kept(copy)), _signature(self._place(name)))

    def _has_taken_over(self, name: str, copy: str, beside: _Ready) -> bool:
        """Whether one lay ready for a server to be made, or was just being made; it is this server's then."""
        source = _to_be_made(copy)
        waiting = self._ready.get(source)
        if waiting is None:
            return False
        with waiting.lock:
            if not self._is_ready(source, copy, waiting):
                return False
            shutil.rmtree(self._place(name), ignore_errors=True)
            self._place(source).rename(self._place(name))
            beside.copy, beside.looks, waiting.copy = copy, waiting.looks, ""
        return True

    def _make_ready(self, name: str, copy: str, digest: str, beside: _Ready) -> None:
        source, place = self.kept(copy), self._place(name)
        if not source.is_dir():
            raise DatabaseError(f"the copy {copy} is not there any more")
        beside.copy, original = "", _signature(source)
        self._servers.copy(source, place)
        if _digest(place)[0] != digest:
            shutil.rmtree(place, ignore_errors=True)
            raise DatabaseError(f"the copy {copy} is damaged: its content is not what was kept")
        beside.copy, beside.looks = copy, (original, _signature(place))

    def _make_ready_later(self, name: str, copy: str, digest: str, aside: Path | None = None) -> None:
        beside = self._of(name)

        def make() -> None:
            if aside:
                shutil.rmtree(aside, ignore_errors=True)
            with beside.lock, suppress(DatabaseError, OSError):  # whoever asks for it is told
                if self._ready.get(name) is beside and not self._is_ready(name, copy, beside):
                    self._make_ready(name, copy, digest, beside)

        if beside.timer:
            beside.timer.cancel()
        beside.timer = threading.Timer(_READY_AFTER_SECONDS, make)
        beside.timer.daemon = True
        beside.timer.start()


def _to_be_made(copy: str) -> str:
    """What stands for a server that is to be made, and to be given this copy; the name of none has a colon."""
    return f"new:{copy}"


def _signature(folder: Path) -> Signature:
    """How a folder's files look: one that was written to since looks different."""
    seen = ((path, path.lstat()) for path in sorted(folder.rglob("*")) if not path.is_dir())
    return tuple((str(p.relative_to(folder)), s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for p, s in seen)


def _digest(folder: Path) -> tuple[str, int]:
    """A digest of a folder's files, by name and content, and how many bytes they have.

    A database has a thousand files, mostly small: what pathlib and ``hashlib.file_digest`` do for each is most of the time.
    """
    total, size = hashlib.sha256(), 0
    found = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)  # noqa: PTH118 - as above
    for path in sorted(found, key=lambda path: path.split("/")):
        content = hashlib.sha256()
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            while chunk := file.read(_CHUNK):
                content.update(chunk)
                size += len(chunk)
        total.update(f"{path[len(str(folder)) + 1 :]} {content.hexdigest()}\n".encode())
    return total.hexdigest(), size
