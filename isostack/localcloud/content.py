"""What the simulated cloud holds, kept beside it in memory, so that one that was killed comes back as it was.

Runs inside the local cloud's process. A second after something has changed, all of moto's objects are written to a file of the
system's memory; the next call that may change something gives the file another name. So the first name is for what is just as
the cloud was when it died, and the second for how it was a little earlier, which only a successor that is told to takes over.
A restart of the machine takes both away. They hold secrets in the clear, as the process itself does, and are pickles, which are
code to whoever loads them: they are made for their owner alone, and nothing but a file of the owner's own is read. Which files
they are says :mod:`isostack.localcloud.server`; what databases hold is :mod:`isostack.localcloud.databases`'s.
"""

from __future__ import annotations

import copyreg
import hashlib
import marshal
import os
import pickle
import stat
import sys
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import Any

from moto.core.base_backend import BackendDict

from isostack.localcloud.server import draft_of, drop, older

_AFTER_SECONDS = 1.0
_SHARE = 20
"""So many times as long as keeping took passes before it is done again."""
_LARGEST = 256 * 2**20
_OF_THE_MOMENT = {"resourcegroupstaggingapi"}
"""Services that have nothing of their own, but answers of which somebody may want the next page."""
_READS = ("Get", "List", "Describe", "Head", "BatchGet", "Lookup", "Search", "Scan", "Query", "Check")


def only_reads(environ: dict[str, Any]) -> bool:
    """Whether a request to AWS changes nothing, as far as its name tells."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return bool(target.rpartition(".")[2].startswith(_READS))
    if "urlencoded" in environ.get("CONTENT_TYPE", ""):
        action: str = environ["wsgi.input"].getvalue().partition(b"Action=")[2].partition(b"&")[0].decode(errors="replace")
        return action.startswith(_READS)
    return str(environ["REQUEST_METHOD"]) in ("GET", "HEAD")


class Content:
    """What one process's moto holds. ``databases`` gives what belongs to it of the real databases, or None while they change;
    ``services`` loads a service's modules and gives its objects. All of it is done under ``lock``. Without a file nothing is
    kept."""

    def __init__(
        self, file: Path | None, lock: Any, services: Callable[[str], BackendDict[Any]], databases: Callable[[], Any | None]
    ) -> None:
        self._file = file
        self._lock = lock
        self._services = services
        self._databases = databases
        self._kept = False
        self._changed = threading.Event()
        if file:
            threading.Thread(target=self._keep_again_and_again, args=(file,), daemon=True).start()

    def changes(self) -> None:
        """Something is about to change, or has: what is kept is older than what there is."""
        if self._kept and self._file:
            self._kept = False
            with suppress(FileNotFoundError):
                self._file.rename(older(self._file))
        self._changed.set()

    def forget(self) -> None:
        """Leave nothing to a successor."""
        if self._file:
            drop(self._file)

    def _keep_again_and_again(self, file: Path) -> None:
        pause = _AFTER_SECONDS
        while True:
            self._changed.wait()
            time.sleep(pause)
            with self._lock:
                databases = self._databases()
                if databases is None:
                    continue
                self._changed.clear()
                started = time.monotonic()
                try:
                    self._keep(file, databases)
                except Exception as error:  # noqa: BLE001 - whatever moto's objects hold, the cloud goes on without
                    print(f"what there is cannot be kept: {error!r}", file=sys.stderr)  # noqa: T201 - the process's log
                    drop(file)
                pause = max(_AFTER_SECONDS, _SHARE * (time.monotonic() - started))

    def _keep(self, target: Path, databases: Any) -> None:
        backends = [
            (service.service_name, account, region, backend)
            for service in list(BackendDict._instances)  # type: ignore[misc]  # a generic's class variable
            if service.service_name not in _OF_THE_MOMENT
            for account, region, backend in list(service.iter_backends())
        ]
        draft = draft_of(target)
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                pickle.dump((_made_by(), sorted({name for name, *_ in backends})), file)
                _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump((backends, databases))
                if file.tell() > _LARGEST:
                    raise ValueError(f"{file.tell()} bytes are too many")
            draft.rename(target)
        except BaseException:
            draft.unlink()
            raise
        older(target).unlink(missing_ok=True)
        self._kept = True

    def load(self, predecessor: Path, *, exact: bool) -> tuple[list[str], Any | None]:
        """Take over what a process that has died kept in this file, if it did; gives the services that are in it, and what
        belongs to it of databases. The file is this process's own from then on: as what there is, if ``exact``. Called before
        anything is asked."""
        try:
            descriptor = os.open(predecessor, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return [], None
        try:
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(file.fileno())
                private = stat.S_ISREG(status.st_mode) and not status.st_mode & 0o077
                if status.st_uid != os.geteuid() or not private:
                    return [], None
                made_by, services = pickle.load(file)  # noqa: S301 - the owner's own, as above
                if made_by != _made_by():
                    return [], None
                dicts = {name: self._services(name) for name in services}
                backends, databases = pickle.load(file)  # noqa: S301 - as above
            for service, account, region, backend in backends:
                dict.__setitem__(dicts[service][account], region, backend)
            if self._file:
                predecessor.rename(self._file if exact else older(self._file))
        except Exception as error:  # noqa: BLE001 - an empty cloud is what there would be without it
            print(f"what was kept cannot be taken over: {error!r}", file=sys.stderr)  # noqa: T201 - the process's log
            BackendDict.reset()
            return [], None
        if exact:
            self._kept = bool(self._file)
        else:
            self._changed.set()
        return services, databases


def _made_by() -> tuple[str, ...]:
    """What must be the same for objects to be understood: Python, moto, and the code that mends it."""
    code = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        code.update(f"{file.name} {file.stat().st_mtime_ns}".encode())
    return sys.version, version("moto"), version("cryptography"), code.hexdigest()


# -- what pickle does not know ------------------------------------------------------------------------------------------


class _Pickler(pickle.Pickler):
    """Locks are made anew, keys and certificates travel as DER, and lambdas, which moto has in its dictionaries, as code."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.dispatch_table = {
            **copyreg.dispatch_table,
            type(threading.RLock()): lambda lock: (threading.RLock, ()),
            type(threading.Lock()): lambda lock: (threading.Lock, ()),
            threading.Condition: lambda condition: (threading.Condition, ()),
            weakref.WeakValueDictionary: lambda known: (weakref.WeakValueDictionary, (dict(known),)),
            **_cryptographic(),
        }

    def reducer_override(self, one: Any) -> Any:
        if isinstance(one, FunctionType) and "<locals>" in one.__qualname__ and not one.__closure__:
            return _local_function, (one.__module__, marshal.dumps(one.__code__))
        if isinstance(one, defaultdict) and type(one) is not defaultdict:  # pickle would call its constructor without arguments
            return _dictionary, (type(one), one.default_factory), vars(one), None, iter(dict.items(one))
        return NotImplemented


def _dictionary(kind: type[defaultdict[Any, Any]], default: Callable[[], Any] | None) -> defaultdict[Any, Any]:
    made = kind.__new__(kind)
    defaultdict.__init__(made, default)
    return made


def _local_function(module: str, code: bytes) -> FunctionType:
    return FunctionType(marshal.loads(code), vars(import_module(module)))  # noqa: S302 - the owner's own, as above


def _cryptographic() -> dict[type, Callable[[Any], Any]]:
    if "cryptography.hazmat.primitives.serialization" not in sys.modules:
        return {}
    from cryptography.hazmat.bindings import _rust
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    def key(one: Any) -> Any:
        return _private_key, (one.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),)

    kinds: Any = _rust
    openssl = kinds.openssl
    keys = (openssl.rsa.RSAPrivateKey, openssl.ec.ECPrivateKey, openssl.ed25519.Ed25519PrivateKey)
    certificate = {kinds.x509.Certificate: lambda one: (_certificate, (one.public_bytes(Encoding.DER),))}
    return {**dict.fromkeys(keys, key), **certificate}


def _private_key(der: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    return load_der_private_key(der, None)


def _certificate(der: bytes) -> Any:
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(der)
