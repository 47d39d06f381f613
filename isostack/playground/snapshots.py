"""Snapshots of a playground: all that a person would miss, usable or absent, never half.

Owns a snapshot's folder (``playgrounds/<name>/snapshots/<label>/``): it is written under another name and renamed once its
manifest is in it; the manifest has a digest for every file, and all are checked before anything is put back.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Callable, Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isostack.engine.files import make_folder, problem, write_whole
from isostack.engine.store import StackSecrets
from isostack.errors import BadInput, OperationFailed
from isostack.playground import data
from isostack.playground.records import now

if TYPE_CHECKING:
    from isostack.engine.secrets import Keyring
    from isostack.engine.state import Snapshot as State

AT_ONCE = 8
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds. ``stores`` are facts by URN; ``files`` are SHA-256 digests by relative path; ``bytes`` in all.

    ``secrets`` is the salt that its secrets are sealed with: it outlives the state that it was taken of. ``environment`` is a
    digest of the resources that it was taken of.
    """

    label: str
    playground: str
    taken: str
    parameters: str
    release: str
    bytes: int
    environment: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    stores: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


class Snapshots:
    """The snapshots of one playground, in a folder of their own."""

    def __init__(self, folder: Path, playground: str, host: data.Clouds, local_cloud: data.Keeper) -> None:
        self.folder = folder
        self._playground = playground
        self._host = host
        self._local_cloud = local_cloud

    def all(self) -> list[Manifest]:
        """What there is, oldest first. One without a whole manifest is none."""
        found = (_read(path) for path in self._places())
        return sorted((manifest for manifest in found if manifest), key=lambda manifest: manifest.taken)

    def damaged(self) -> list[str]:
        """The labels of snapshots whose manifest is not what was written."""
        return sorted(path.name for path in self._places() if _read(path) is None)

    def get(self, label: str | None) -> Manifest:
        """The snapshot with this label, or the newest. Raises BadInput where there is none, and OperationFailed where its
        manifest is damaged."""
        found = self.all()
        damaged = {name: (self.folder / name).stat().st_mtime for name in self.damaged()}
        newest = max(damaged, key=lambda name: damaged[name], default="")
        is_newest = newest and (not found or damaged[newest] >= datetime.fromisoformat(found[-1].taken).timestamp())
        if label in damaged or (label is None and is_newest):
            older = f"there is {found[-1].label}: isostack play restore {found[-1].label}" if found else "there is no other one"
            raise OperationFailed(f"snapshot {label or newest} is damaged ({MANIFEST}); {older}")
        if not found:
            raise BadInput(f"{self._playground} has no snapshot; isostack play snapshot LABEL takes one")
        if label is None:
            return found[-1]
        for manifest in found:
            if manifest.label == label:
                return manifest
        raise BadInput(f"{self._playground} has no snapshot {label!r}; there are {', '.join(m.label for m in found)}")

    def take(
        self,
        label: str,
        state: State,
        exported: str,
        expires: str,
        sealer: StackSecrets,
        progress: Callable[[str], None],
        *,
        goes: bool = False,
    ) -> Manifest:
        """Keep everything under a label, in place of an older one of that name. ``expires`` is the playground's; one that
        ``goes`` is removed next, so that its databases are ended and need not be copied.

        Raises BadInput for a label that is none, and OperationFailed where something cannot be kept; there is then no new
        snapshot, and the old one stays.
        """
        check_label(label)
        draft = self.folder / f".{label}.{secrets.token_hex(4)}"
        copy = f"{self._playground}-{label}-{secrets.token_hex(4)}"
        context = data.Context(draft, copy, self._local_cloud, sealer, goes)
        stores: dict[str, dict[str, Any]] = {}
        try:
            make_folder(draft)
            found = list(data.stores(state, self._host))

            def save(kind: data.Kind, store: data.Store) -> None:
                with told(f"{kind.word} {store.resource.id}"):
                    stores[store.resource.urn] = {"kind": kind.word, **kind.save(store, context)}

            _all_at_once(save, found, progress)
            write_whole(draft / "state.json", exported.encode())
            manifest = self._manifest(label, state, draft, stores, expires, sealer)
            write_whole(draft / MANIFEST, _written(asdict(manifest)))
            self._put_in_place(draft, label)
        except OSError as error:
            self._drop(draft)
            where = Path(str(error.filename)) if error.filename else draft
            raise OperationFailed(f"no snapshot was taken: {problem('write', where, error)}") from error
        except BaseException:
            self._drop(draft)
            raise
        return manifest

    def check(self, manifest: Manifest) -> Path:
        """The folder of a snapshot whose every file is what was kept. Raises OperationFailed where one is not."""
        folder = self.folder / manifest.label
        for name, digest in manifest.files.items():
            path = folder / name
            if not path.is_file() or _digest(path) != digest:
                raise OperationFailed(f"snapshot {manifest.label} is damaged ({name}){self._others(manifest)}")
        return folder

    def put_back(
        self,
        manifest: Manifest,
        state: State,
        keyring: Keyring,
        progress: Callable[[str], None],
        *,
        done: Container[str] = (),
    ) -> None:
        """Give the stores of a stack that is up the content that they had, but for those with a URN in ``done``. Raises
        OperationFailed, with nothing changed, where the snapshot is damaged."""
        # Databases check their copies themselves, so they come first: where one is damaged, nothing else has changed.
        self.check(manifest)
        for databases in (True, False):
            self._put_back(manifest, state, keyring, progress, databases=databases, done=done)

    def put_back_databases(self, manifest: Manifest, state: State, keyring: Keyring, *, done: Container[str] = ()) -> set[str]:
        """Give the databases alone the content that they had; gives their URNs. Raises as :meth:`put_back`."""
        self.check(manifest)
        return self._put_back(manifest, state, keyring, lambda what: None, databases=True, done=done)

    def _put_back(
        self,
        manifest: Manifest,
        state: State,
        keyring: Keyring,
        progress: Callable[[str], None],
        *,
        databases: bool,
        done: Container[str] = (),
    ) -> set[str]:
        context = data.Context(self.folder / manifest.label, "", self._local_cloud, StackSecrets(keyring, manifest.secrets))
        wanted = [
            (kind, store)
            for kind, store in data.stores(state, self._host)
            if (kind.word == "database") is databases and store.resource.urn in manifest.stores and store.resource.urn not in done
        ]

        def load(kind: data.Kind, store: data.Store) -> None:
            with told(f"{kind.word} {store.resource.id}"):
                kind.load(store, context, manifest.stores[store.resource.urn])

        try:
            _all_at_once(load, wanted, progress)
        except OperationFailed as error:
            raise OperationFailed(f"snapshot {manifest.label}: {error}{self._others(manifest)}") from error
        return {store.resource.urn for _, store in wanted}

    def remove(self, label: str) -> None:
        """Remove a snapshot, if it is there, damaged or not."""
        self._drop(self.folder / check_label(label))

    def remove_all(self) -> None:
        """Remove every snapshot, the copies of databases included."""
        for folder in self._places():
            self._drop(folder)
        self.drop_drafts(timedelta())
        shutil.rmtree(self.folder, ignore_errors=True)

    def drop_drafts(self, older: timedelta) -> None:
        """Remove what snapshots that were cut off so long ago have left, the copies of databases included."""
        for path in self.folder.glob(".*"):
            with suppress(FileNotFoundError):
                if now().timestamp() - path.stat().st_mtime >= older.total_seconds():
                    self._drop(path)

    def _places(self) -> list[Path]:
        return [path.parent for path in self.folder.glob(f"*/{MANIFEST}") if not path.parent.name.startswith(".")]

    def _manifest(
        self, label: str, state: State, draft: Path, stores: dict[str, dict[str, Any]], expires: str, sealer: StackSecrets
    ) -> Manifest:
        for path in draft.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        files = {str(path.relative_to(draft)): _digest(path) for path in sorted(draft.rglob("*")) if path.is_file()}
        size = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
        size += sum(facts["bytes"] for facts in stores.values() if facts["kind"] == "database")
        return Manifest(
            label=label,
            playground=self._playground,
            taken=now().isoformat(),
            parameters=state.metadata.parameter_version,
            release=_release(state),
            bytes=size,
            environment=environment_of(state, expires),
            secrets=sealer.state if any("sealed" in facts for facts in stores.values()) else {},
            stores=stores,
            files=files,
        )

    def _put_in_place(self, draft: Path, label: str) -> None:
        target = self.folder / label
        if target.exists():
            aside = self.folder / f".{label}.old-{secrets.token_hex(4)}"
            target.rename(aside)
            draft.rename(target)
            self._drop(aside)
        else:
            draft.rename(target)

    def _drop(self, folder: Path) -> None:
        """Remove a folder of ours and the copies of databases that it tells of."""
        for file in folder.glob(f"*{data.COPY_SUFFIX}"):
            with suppress(OperationFailed, OSError):
                self._local_cloud.drop_database_copy(file.stem)
        shutil.rmtree(folder, ignore_errors=True)

    def _others(self, manifest: Manifest) -> str:
        older = [other.label for other in self.all() if other.taken <= manifest.taken and other.label != manifest.label]
        return f"; there is an older one: isostack play restore {older[-1]}" if older else "; there is no older one"


def _all_at_once(
    act: Callable[[data.Kind, data.Store], None], found: list[tuple[data.Kind, data.Store]], progress: Callable[[str], None]
) -> None:
    """Act on stores, several at a time; all have ended when the first problem is raised."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = []
        for kind, store in found:
            progress(f"{kind.word} {store.resource.urn.rpartition('::')[2]}")
            running.append(pool.submit(act, kind, store))
    for one in running:
        one.result()


def environment_of(state: State, expires: str) -> str:
    """A digest of a stack's resources, whatever their tags say of the end of their time. Secrets are no part of it."""
    from isostack.display import presentable

    seen = [[r.urn, r.type, r.id, r.delete, presentable(r.inputs)] for r in state.resources]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).replace(expires, "").encode()).hexdigest()


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn what the cloud refuses, or its silence, into an OperationFailed that says of what."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, ConnectionError) as error:
        raise OperationFailed(f"{what}: {error}") from error


def check_label(label: str) -> str:
    """Raises BadInput unless the label is a word of letters, digits, dots, hyphens and underscores."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,63}", label, re.ASCII):
        raise BadInput(f"{label!r} is no label; use letters, digits, dots, hyphens and underscores, at most 64")
    return label


def _written(facts: dict[str, Any]) -> bytes:
    """A manifest's text, which ends in a digest of all before it."""
    text = json.dumps(facts, indent=1)
    return f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}\n".encode()


def _read(folder: Path) -> Manifest | None:
    """A snapshot's manifest, if it is what was written."""
    with suppress(OSError, ValueError, TypeError):
        written = (folder / MANIFEST).read_bytes()
        facts = json.loads(written.decode().rpartition("}")[0] + "}")
        return Manifest(**facts) if _written(facts) == written and facts["label"] == folder.name else None
    return None


def _release(state: State) -> str:
    """The release that the stack's resources are tagged with, if any."""
    tags = ((resource.outputs.get("tagsAll") or {}) for resource in state.resources)
    return next((str(found["release"]) for found in tags if isinstance(found, dict) and "release" in found), "")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_shown(size: int) -> str:
    """Bytes for people, such as ``41 MB``."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size = round(size / 1000)
    return f"{size} GB"
