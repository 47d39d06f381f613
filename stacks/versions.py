"""The versions of documents in a folder: their order, and the digests that keep a published one as it is.

A version is published once its digest stands in ``digests.lock``; from then on, a changed document is refused everywhere.
What the documents say is no matter here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stacks.documents import ParameterError, nearest

LOCK = "digests.lock"
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?")


class EditedVersion(ParameterError):
    """A published version is not what was published (exit code 3: refused)."""

    exit_code = 3


def order(version: str) -> tuple[object, ...]:
    """A key by which semantic versions sort: ``1.2.0-rc.1`` before ``1.2.0`` before ``1.10.0``. Raises ParameterError."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ParameterError(f"{version!r} is no version; write three numbers, as in 1.2.0")
    parts = [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in (match[4] or "").split(".")]
    return int(match[1]), int(match[2]), int(match[3]), match[4] is None, parts


@dataclass(frozen=True)
class Versions:
    """The documents in a folder, one a version: ``1.0.0.yaml``."""

    folder: Path

    def all(self) -> list[str]:
        """Every version that has a document, oldest first. Raises ParameterError for one whose name is no version."""
        return sorted((path.stem for path in self.folder.glob("*.yaml")), key=order)

    def path(self, version: str) -> Path:
        """The document's file. Raises ParameterError where there is none."""
        path = self.folder / f"{version}.yaml"
        if "/" in version or not path.is_file():
            raise ParameterError(f"no parameter set {version!r} in {self.folder.name}; {nearest(version, self.all())}")
        return path

    def digest(self, version: str) -> str:
        """The SHA-256 of the document's text, whatever its line endings, in hexadecimal digits."""
        return self.digest_of(self.path(version).read_bytes().decode(errors="replace"))

    @staticmethod
    def digest_of(text: str) -> str:
        """The digest of a document with this text."""
        return hashlib.sha256(text.removeprefix("\ufeff").replace("\r\n", "\n").encode()).hexdigest()

    def published(self) -> Mapping[str, str]:
        """The digests of published versions. Raises ParameterError where the lock is broken."""
        file = self.folder / LOCK
        found: dict[str, str] = {}
        for number, line in enumerate(file.read_text().splitlines() if file.is_file() else (), 1):
            words = line.partition("#")[0].split()
            if words and (len(words) != 2 or words[0] in found or not re.fullmatch("[0-9a-f]{64}", words[1])):
                raise ParameterError(f"{LOCK}:{number}: {line!r} is no version and its digest; put the line back as it was")
            if words:
                found[words[0]] = words[1]
        return found

    def verify(self, version: str) -> None:
        """Raise EditedVersion where the version is published, and its document is another one now, or gone."""
        published = self.published().get(version)
        if published is None:
            return
        if not (self.folder / f"{version}.yaml").is_file():
            raise EditedVersion(f"{version}.yaml: version {version} is published, and its document is gone; put it back")
        if self.digest(version) != published:
            raise EditedVersion(
                f"{version}.yaml: version {version} is published, and its document has been changed since; put it back as it "
                f"was, and make a new version for the change: isostack parameters new {self.next()}"
            )

    def next(self) -> str:
        """The version that a change may get: the newest one's next minor."""
        numbers = order((self.all() or ["0.0.0"])[-1])
        return f"{numbers[0]}.{int(str(numbers[1])) + 1}.0"

    def new(self, version: str, source: str | None = None) -> Path:
        """Copy a version, the newest where none is named, to a new one, newer than all there are. Gives its file.

        Raises ParameterError where the version exists, is older, or is no version; EditedVersion for a source that was edited.
        """
        every = self.all()
        if not every:
            raise ParameterError(f"{self.folder.name} has no parameter set to copy; write {version}.yaml")
        if order(version) <= order(every[-1]):
            standing = "exists already" if version in every else f"is older than the newest, {every[-1]}"
            raise ParameterError(f"version {version} {standing}; choose a newer one, such as {self.next()}")
        source = source or every[-1]
        text = self.path(source).read_bytes()
        self.verify(source)
        target = self.folder / f"{version}.yaml"
        with target.open("xb") as file:
            file.write(text)
        return target

    def publish(self, version: str) -> str:
        """Lock the document as it is now, and give its digest; a published version stays as it is.

        Raises EditedVersion where it is published with other content.
        """
        self.verify(version)
        digest = self.digest(version)
        published = {**self.published(), version: digest}
        lines = [f"{name}  {published[name]}\n" for name in sorted(published, key=order)]
        (self.folder / LOCK).write_text("".join(lines))
        return digest
