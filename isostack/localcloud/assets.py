"""Reads Pulumi's assets and archives: their content, and the hash by which Pulumi tells whether they have changed.

An asset is a dictionary with Pulumi's signature and ``text`` or ``path``; an archive one with ``assets`` (names to assets
and archives) or ``path`` (a directory, or a file that is an archive). Relative paths start at the working directory,
which is the program's. What lies behind a ``uri`` is refused: nothing is fetched.

Hashes are those of Pulumi's own engine, so that a state exchanged with it shows no change: SHA-256 of an asset's content
or an archive file's bytes, and of an uncompressed tar of anything else.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isostack.engine.provider import ProviderError
from isostack.engine.values import ARCHIVE_SIGNATURE, ASSET_SIGNATURE, SIGNATURE_KEY, has_unknown

_ZIP = (".zip", ".jar")
_TAR = (".tar", ".tgz", ".tar.gz")
_MODIFIED = (1990, 1, 1, 0, 0, 0)  # the date that Pulumi gives to what it zips


def is_asset(value: Any) -> bool:
    """Whether a property value is an asset or an archive."""
    return isinstance(value, dict) and value.get(SIGNATURE_KEY) in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE)


def content(asset: Any) -> bytes:
    """An asset's bytes; an archive's are those of a ZIP file, the same for the same files. Raises ProviderError."""
    if not is_asset(asset):
        raise ProviderError(f"expected an asset or an archive, such as pulumi.FileAsset, and found {type(asset).__name__}")
    if asset[SIGNATURE_KEY] == ASSET_SIGNATURE:
        return _asset_bytes(asset)
    if str(asset.get("path", "")).endswith(".zip"):
        return _read(Path(asset["path"]))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _members(asset):
            member = zipfile.ZipInfo(name, _MODIFIED)
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, data)
    return target.getvalue()


def hashed(value: Any) -> Any:
    """The asset or archive with its ``hash``; anything else, and what is not known yet, as it is. Raises ProviderError."""
    if not is_asset(value) or has_unknown(value):
        return value
    if value[SIGNATURE_KEY] == ASSET_SIGNATURE:
        return {**value, "hash": hashlib.sha256(_asset_bytes(value)).hexdigest()}
    path = str(value.get("path", ""))
    if path.endswith((*_ZIP, *_TAR)):
        return {**value, "hash": hashlib.sha256(_read(Path(path))).hexdigest()}
    result = {**value, "hash": hashlib.sha256(_tar(value)).hexdigest()}
    if "assets" in value:
        result["assets"] = {name: hashed(item) for name, item in (value["assets"] or {}).items()}
    return result


def _asset_bytes(asset: dict[str, Any]) -> bytes:
    _refuse_remote(asset)
    if asset.get("path"):
        return _read(Path(asset["path"]))
    return str(asset.get("text") or "").encode()


def _refuse_remote(value: dict[str, Any]) -> None:
    if value.get("uri"):
        raise ProviderError(f"{value['uri']}: the embedded engine fetches nothing; give a file or a text instead")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProviderError(f"cannot read the asset {path}: {error.strerror} (looked in {Path.cwd()})") from error


def _members(archive: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """What an archive holds, in Pulumi's order; of several files of one name the first."""
    seen = set()
    for name, data in _all_members(archive):
        if name not in seen:
            seen.add(name)
            yield name, data


def _all_members(archive: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    _refuse_remote(archive)
    if archive.get("path"):
        yield from _members_of_path(Path(archive["path"]))
        return
    for name, item in sorted((archive.get("assets") or {}).items()):
        if not is_asset(item):
            raise ProviderError(f"archive: {name!r} is neither an asset nor an archive")
        if item[SIGNATURE_KEY] == ASSET_SIGNATURE:
            yield name, _asset_bytes(item)
        else:
            for inner, data in _all_members(item):
                yield f"{name.rstrip('/')}/{inner}", data


def _members_of_path(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.name.endswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(_read(path))) as source:
            yield from ((item.filename, source.read(item)) for item in source.infolist() if not item.is_dir())
    elif path.name.endswith(_TAR):
        with tarfile.open(fileobj=io.BytesIO(_read(path))) as source_tar:
            for member in source_tar:
                file = source_tar.extractfile(member) if member.isfile() else None
                if file:
                    yield member.name, file.read()
    elif path.is_dir():
        yield from ((file.relative_to(path).as_posix(), _read(file)) for file in _walk(path))
    else:
        raise ProviderError(f"cannot read the archive {path}: neither a directory nor one of {', '.join((*_ZIP, *_TAR))}")


def _walk(directory: Path) -> Iterator[Path]:
    """Files under a directory, as Go's filepath.Walk goes: by name, level by level, and into no linked directory."""
    for path in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if path.name == ".pulumi":
            continue
        if not path.is_dir():
            yield path
        elif not path.is_symlink():
            yield from _walk(path)


def _tar(archive: dict[str, Any]) -> bytes:
    """The archive as Go writes a tar file: no owner, no time, two empty blocks at the end."""
    parts = []
    for name, data in _members(archive):
        parts += [_tar_header(name.encode(), len(data)), data, bytes(-len(data) % 512)]
    return b"".join([*parts, bytes(1024)])


def _tar_header(name: bytes, size: int) -> bytes:
    prefix = b""
    if len(name) > 100:
        cut = name.rfind(b"/", 0, 156)
        prefix, name = name[: max(cut, 0)], name[cut + 1 :]
    none = b"0000000\0"
    head = name.ljust(100, b"\0") + b"0000600\0" + none + none + b"%011o\0" % size + b"00000000000\0"
    tail = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + none + none + prefix.ljust(155, b"\0") + bytes(12)
    total = sum(head) + sum(tail) + 8 * ord(" ")
    return head + b"%06o\0 " % total + tail
