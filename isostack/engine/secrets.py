"""Secrets in Pulumi's passphrase format, and where the passphrase comes from.

The format, which ``pulumi`` reads and writes as well: a key of 32 bytes by PBKDF2-HMAC-SHA256 with a million rounds;
every ciphertext ``v1:NONCE:SEALED`` (base64; AES-256-GCM with a nonce of 12 bytes); the state of a stack's secrets is
``{"salt": "v1:SALT:" + the ciphertext of "pulumi"}``, by which a wrong passphrase is told.

Deriving a key takes about a quarter of a second, so it happens at the first use, or beforehand on a thread of its own
(``prefetch=True``). No key is written anywhere: the passphrase that would give it lies beside the state already.
Which values are secret is :mod:`isostack.engine.values`'s to say; state files are not touched here.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import secrets as random_secrets
import stat
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from isostack.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, plain
from isostack.errors import BadInput

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ROUNDS = 1_000_000
KEY_BYTES: Final = 32
SALT_BYTES: Final = 8
NONCE_BYTES: Final = 12
VERSION: Final = "v1"
PROOF: Final = "pulumi"

PASSPHRASE: Final = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105  # the name of an environment variable
PASSPHRASE_FILE: Final = "PULUMI_CONFIG_PASSPHRASE_FILE"  # noqa: S105  # the name of an environment variable


@dataclass(frozen=True)
class Passphrase:
    """A passphrase, which no repr shows, and where it came from."""

    text: str = field(repr=False)
    origin: str


class PassphraseSecrets:
    """Encrypts and decrypts with one passphrase and one salt. Its methods may be called from several threads at once.

    Everything that needs the key raises BadInput where the passphrase is not the one that the state was made with.
    """

    def __init__(self, passphrase: Passphrase, salt: bytes, state: str | None, *, prefetch: bool) -> None:
        self._passphrase = passphrase
        self._salt = salt
        self._state = state
        self._lock = threading.RLock()
        self._key: AESGCM | None = None
        self._is_wrong = False
        self._last: dict[str, str] = {}
        if prefetch:
            threading.Thread(target=self._prefetch, name="derive-key", daemon=True).start()

    @classmethod
    def new(cls, passphrase: Passphrase, *, prefetch: bool = False) -> PassphraseSecrets:
        """Secrets with a fresh salt."""
        return cls(passphrase, os.urandom(SALT_BYTES), None, prefetch=prefetch)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], passphrase: Passphrase, *, prefetch: bool = False) -> PassphraseSecrets:
        """The secrets of a stack whose ``state`` is ``{"salt": ...}``. Raises BadInput where that is malformed."""
        text = state.get("salt")
        parts = text.split(":") if isinstance(text, str) else []
        if len(parts) != 5 or parts[0] != VERSION:
            raise BadInput("the encryption salt of the secrets is malformed: it must read v1:SALT:v1:NONCE:CIPHERTEXT")
        try:
            salt = base64.b64decode(parts[1], validate=True)
        except binascii.Error:
            raise BadInput("the encryption salt of the secrets is malformed: its second part is not base64") from None
        return cls(passphrase, salt, text, prefetch=prefetch)

    @property
    def state(self) -> dict[str, str]:
        """``{"salt": ...}`` as state files and stack files keep it. New secrets derive their key for it."""
        with self._lock:
            if self._state is None:
                salt = base64.b64encode(self._salt).decode()
                self._state = f"{VERSION}:{salt}:{self._seal(PROOF)}"
            return {"salt": self._state}

    def check(self) -> None:
        """Derive the key now. Raises BadInput where the passphrase is the wrong one."""
        self._opened()

    def encrypt(self, text: str) -> str:
        """The text's ciphertext: the last one seen for it, or else a new one, so that state files do not churn."""
        with self._lock:
            if text not in self._last:
                self._last[text] = self._seal(text)
            return self._last[text]

    def decrypt(self, text: str) -> str:
        """The plaintext of a ciphertext. Raises BadInput where it is damaged or was made with another key."""
        plaintext = self._open(text)
        with self._lock:
            self._last[plaintext] = text
        return plaintext

    def encrypt_value(self, value: Any) -> dict[str, str]:
        """A property value as state files hold a secret one."""
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": self.encrypt(_to_json(value))}

    def decrypt_value(self, sealed: Mapping[str, Any]) -> Any:
        """The property value in a state file's secret; exports made with ``--show-secrets`` hold it in the clear."""
        if "plaintext" in sealed:
            return json.loads(sealed["plaintext"])
        ciphertext = sealed.get("ciphertext")
        if not isinstance(ciphertext, str):
            raise BadInput("a secret in the state has no ciphertext; restore the state from a backup")
        value = json.loads(self.decrypt(ciphertext))
        with self._lock:
            self._last[_to_json(value)] = ciphertext
        return value

    # -- the key ----------------------------------------------------------------------------------------------------

    def _prefetch(self) -> None:
        with contextlib.suppress(BadInput):  # whoever uses the key is told
            self._opened()

    def _opened(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        with self._lock:
            if self._key is None and not self._is_wrong:
                password = self._passphrase.text.encode(errors="surrogateescape")
                key = AESGCM(hashlib.pbkdf2_hmac("sha256", password, self._salt, ROUNDS, KEY_BYTES))
                self._is_wrong = self._state is not None and _unseal(key, self._state.split(":", 2)[2]) != PROOF
                self._key = key
            if self._key is None or self._is_wrong:
                raise BadInput(
                    f"the passphrase from {self._passphrase.origin} does not open this stack's secrets;"
                    f" set {PASSPHRASE} (or {PASSPHRASE_FILE}) to the one they were made with"
                )
            return self._key

    def _seal(self, text: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._opened().encrypt(nonce, text.encode(), None)
        return f"{VERSION}:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    def _open(self, text: str) -> str:
        plaintext = _unseal(self._opened(), text)
        if plaintext is None:
            raise BadInput("a secret is damaged, or was encrypted with another passphrase or salt; set it anew")
        return plaintext


class Keyring:
    """Opens secrets by their salt: looks the passphrase up when it is first needed, and derives each key once a run."""

    def __init__(self, home: Path, shared: str = "") -> None:
        """``shared`` names a state that others seal as well: its passphrase is given, never made up in ``home``."""
        self._home = home
        self._shared = shared
        self._lock = threading.Lock()
        self._passphrase: Passphrase | None = None
        self._by_salt: dict[str, PassphraseSecrets] = {}

    def new(self, *, prefetch: bool = False) -> PassphraseSecrets:
        """Secrets with a fresh salt. Raises BadInput where the passphrase cannot be read."""
        with self._lock:
            return PassphraseSecrets.new(self._find(), prefetch=prefetch)

    def open(self, state: Mapping[str, Any], *, prefetch: bool = False) -> PassphraseSecrets:
        """The secrets of this ``{"salt": ...}``. Raises BadInput where it, or the passphrase's file, is unusable."""
        salt = str(state.get("salt"))
        with self._lock:
            if salt not in self._by_salt:
                self._by_salt[salt] = PassphraseSecrets.from_state(state, self._find(), prefetch=prefetch)
            return self._by_salt[salt]

    def derive(self, purpose: str) -> bytes:
        """A key for something else than secrets, the same wherever the passphrase is the same; takes a quarter of a second."""
        with self._lock:
            password = self._find().text.encode(errors="surrogateescape")
        return hashlib.pbkdf2_hmac("sha256", password, purpose.encode(), ROUNDS, KEY_BYTES)

    def require(self) -> None:
        """Raise BadInput where the state is shared and no passphrase is given: before a run rather than in it."""
        if self._shared:
            with self._lock:
                self._find()

    def _find(self) -> Passphrase:
        if self._passphrase is None:
            if self._shared and os.environ.get(PASSPHRASE) is None and not os.environ.get(PASSPHRASE_FILE):
                raise BadInput(
                    f"the state in {self._shared} is shared: set {PASSPHRASE} (or {PASSPHRASE_FILE}) to the passphrase by which"
                    " all who use it seal its secrets"
                )
            self._passphrase = find_passphrase(self._home)
        return self._passphrase


# -- where the passphrase comes from -----------------------------------------------------------------------------------


def find_passphrase(home: Path) -> Passphrase:
    """The passphrase: from the environment as Pulumi takes it, else from ``home/passphrase``, made where it is missing.

    An empty ``PULUMI_CONFIG_PASSPHRASE`` is a passphrase; an empty ``PULUMI_CONFIG_PASSPHRASE_FILE`` counts as unset.
    Raises BadInput where a file cannot be read, or where others may read the one in ``home``.
    """
    text = os.environ.get(PASSPHRASE)
    if text is not None:
        return Passphrase(text, f"the environment variable {PASSPHRASE}")
    named = os.environ.get(PASSPHRASE_FILE)
    if named:
        origin = f"the file {named} ({PASSPHRASE_FILE})"
        return Passphrase(_read(Path(named), f"the passphrase file that {PASSPHRASE_FILE} names"), origin)
    return _kept_in(home)


def _kept_in(home: Path) -> Passphrase:
    path = home / "passphrase"
    try:
        if not path.exists():
            _generate(path)
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise BadInput(
            f"cannot use the passphrase file {path}: {error.strerror}; make {home} writable, or set {PASSPHRASE}"
        ) from None
    if os.name == "posix" and mode & 0o077:
        raise BadInput(f"others may read the passphrase in {path}; run: chmod 600 {path}")
    text = _read(path, "the generated passphrase")
    if not text:
        raise BadInput(f"the passphrase file {path} is empty; restore it, or set {PASSPHRASE}")
    return Passphrase(text, f"the generated file {path}")


def _generate(path: Path) -> None:
    """Write a new passphrase, whole or not at all; where another process was faster, its passphrase stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".passphrase-") as file:  # mode 0600
        file.write(random_secrets.token_urlsafe(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


def _read(path: Path, what: str) -> str:
    try:
        return path.read_bytes().decode(errors="surrogateescape").strip()
    except OSError as error:
        raise BadInput(f"cannot read {what}, {path}: {error.strerror}; mend the file, or set {PASSPHRASE}") from None


def _to_json(value: Any) -> str:
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _unseal(key: AESGCM, text: str) -> str | None:
    """The plaintext, or None where the text is no ciphertext of this key."""
    from cryptography.exceptions import InvalidTag

    parts = text.split(":")
    if len(parts) != 3 or parts[0] != VERSION:
        return None
    try:
        nonce, sealed = (base64.b64decode(part, validate=True) for part in parts[1:])
        return key.decrypt(nonce, sealed, None).decode() if len(nonce) == NONCE_BYTES else None
    except (binascii.Error, InvalidTag, UnicodeDecodeError):
        return None
