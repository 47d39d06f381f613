"""Build contexts: which files a ``.dockerignore`` leaves, the digest by which a change is seen, and the tar the engine gets.

Relative paths start at the working directory, which is the program's. Owners, times and the order of a directory are left
out, so that the same content gives the same bytes wherever it was checked out.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from isostack.engine.provider import ProviderError


@dataclass(frozen=True)
class BuildContext:
    """A folder to build from, and its Dockerfile, which may lie outside."""

    root: Path
    dockerfile: Path

    @classmethod
    def at(cls, root: str, dockerfile: str | Path) -> BuildContext:
        """Raises ProviderError where the folder or the Dockerfile is not there."""
        folder, file = Path(root), Path(dockerfile)
        if not folder.is_dir():
            hint = "; contexts that are fetched are not served" if "://" in root else f" (looked in {Path.cwd()})"
            raise ProviderError(f"build.context: {root} is no directory{hint}")
        if not file.is_file():
            inside = folder / file
            hint = f"; did you mean {inside}?" if inside.is_file() else f" (looked in {Path.cwd()})"
            raise ProviderError(f"build.dockerfile: there is no file {file}{hint}")
        return cls(folder, file)

    @cached_property
    def inside(self) -> str:
        """The Dockerfile's name in the context; one from outside gets a name of its own."""
        relative = Path(os.path.relpath(self.dockerfile.resolve(), self.root.resolve()))
        return ".isostack.Dockerfile" if relative.parts[0] == ".." else relative.as_posix()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the names, modes and content of all files."""
        whole = hashlib.sha256(self.inside.encode())
        for name, path in self._files():
            entry = hashlib.sha256(name.encode() + b"\0" + oct(_mode(path)).encode() + b"\0")
            if path.is_symlink():
                entry.update(b"->" + path.readlink().as_posix().encode())
            elif path.is_file():
                entry.update(_read(path))
            whole.update(entry.digest())
        return whole.hexdigest()

    def archive(self) -> IO[bytes]:
        """The context as an open tar file."""
        target = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        with tarfile.open(fileobj=target, mode="w") as archive:
            for name, path in self._files():
                member = archive.gettarinfo(path, name)
                if member is None:  # a socket
                    continue
                member.uid = member.gid = member.mtime = 0
                member.uname = member.gname = ""
                member.mode = _mode(path)
                if member.isfile():
                    with path.open("rb") as file:
                        archive.addfile(member, file)
                else:
                    archive.addfile(member)
        target.seek(0)
        return target

    def _files(self) -> Iterator[tuple[str, Path]]:
        """Names and paths of all that is sent, in order."""
        from docker.utils.build import exclude_paths

        names = exclude_paths(str(self.root), self._ignored(), self.inside)
        for name in sorted(name for name in names if name not in ("", ".")):
            if name != self.inside:
                yield Path(name).as_posix(), self.root / name
        yield self.inside, self.dockerfile

    def _ignored(self) -> list[str]:
        for path in (self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore"), self.root / ".dockerignore"):
            if path.is_file():
                lines = (line.strip() for line in path.read_text().splitlines())
                return [line for line in lines if line and not line.startswith("#")]
        return []


def _mode(path: Path) -> int:
    # Git keeps no other bit than this one, and Windows not even that.
    return 0o755 if path.is_dir() or path.lstat().st_mode & 0o100 else 0o644


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProviderError(f"build.context: cannot read {path}: {error.strerror}") from error
