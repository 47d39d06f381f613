"""Files that only their owner may read: folders, whole-or-nothing writes, copies of damaged files.

Knows nothing of what is in them. Works on POSIX systems.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from isostack.errors import BadInput

FOLDER_MODE: Final = 0o700

_ADVICE: Final = {
    errno.ENOSPC: "free some space on that disk",
    errno.EDQUOT: "free some space within your quota",
    errno.EROFS: "its disk is mounted read-only",
    errno.EACCES: "change its permissions or its owner",
    errno.EPERM: "change its permissions or its owner",
    errno.ENOTDIR: "a file stands where a folder should",
    errno.EISDIR: "a folder stands where a file should",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def problem(verb: str, path: Path, error: OSError) -> str:
    """What went wrong with a file, in one line: ``cannot write PATH: No space left on device; free some space ...``."""
    advice = _ADVICE.get(error.errno or 0)
    return f"cannot {verb} {path}: {error.strerror or error}" + (f"; {advice}" if advice else "")


def make_folder(path: Path) -> None:
    """Make a folder and those above it, for their owner only. Folders that are there keep their mode."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other threads and processes that do the same out meanwhile. The file is made, and stays. Raises BadInput where it
    cannot be."""
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BadInput(problem("lock", path, error)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Put ``data`` in the file's place, with mode 0600, whole or not at all: after an OSError the old file is intact."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105  # the name is a string here
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108  # the name is a string here
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames and removals in a folder outlast a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def keep_damaged(path: Path) -> str:
    """Copy a damaged file beside itself, as ``NAME.corrupt-TIME.EXTENSION``, once. Says in words what became of it."""
    try:
        data = path.read_bytes()
        for earlier in path.parent.glob(f"{path.stem}.corrupt-*{path.suffix}"):
            if earlier.read_bytes() == data:
                return f"it is kept as {earlier}"
        copy = path.with_name(f"{path.stem}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}{path.suffix}")
        write_whole(copy, data)
    except OSError as error:
        return f"it was left as it is ({problem('copy', path, error)})"
    return f"it is kept as {copy}"
