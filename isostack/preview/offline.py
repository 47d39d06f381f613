"""What a preview stands on where there is neither a cloud nor a passphrase: recorded states, and providers that call nobody.

Owns what takes the place of what is missing: a fingerprint for a secret, the recorded state for what is read, "unknown" for
a look-up, a name that is the same in every run for one that would end at random. A *paper* host goes further and makes up
what a cloud would answer, so that a program can be brought up on paper and its successor be compared with it.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from isostack.engine.backend import Backend
from isostack.engine.provider import Checked, Diff, OnlyTheCloudKnows, Resource
from isostack.engine.secrets import Keyring
from isostack.engine.state import Snapshot
from isostack.engine.store import Loaded, Store
from isostack.engine.values import UNKNOWN, PropertyMap, has_unknown
from isostack.localcloud.client import Cloud
from isostack.localcloud.provider import LocalCloudProvider, OfflineHost
from isostack.localcloud.server import LocalCloud

PLACEHOLDER = re.compile(r"\[secret [0-9a-f]{8}\]")
_TEXT = re.compile(r"(?i)(.*[a-z])?(id|name|url|endpoint|address|suffix|bucket|result|zone|domain|owner|hex|version)")
_ARN = re.compile(r"(?i)(.*[a-z])?arns?")


# -- secrets and states ------------------------------------------------------------------------------------------------


def placeholder(ciphertext: str) -> str:
    """What stands for a secret: tells that it is another one, and nothing of what it is."""
    return f"[secret {hashlib.sha256(ciphertext.encode()).hexdigest()[:8]}]"


class Placeholders(Keyring):
    """In the place of a keyring: opens nothing, looks for no passphrase, and makes none."""

    def open(self, state: Mapping[str, Any], *, prefetch: bool = False) -> Any:
        return self

    def new(self, *, prefetch: bool = False) -> Any:
        return self

    def decrypt(self, text: str) -> str:
        """For values in a stack's file."""
        return placeholder(text)

    def decrypt_value(self, sealed: Mapping[str, Any]) -> Any:
        """For values in a state."""
        return placeholder(str(sealed.get("ciphertext")))

    def check(self) -> None:
        return None

    @property
    def state(self) -> dict[str, str]:
        return {}


class RecordedStates(Store):
    """The states of a project, to be read only; one may stand in for a stack that has none."""

    def __init__(self, home: Path, keyring: Keyring | None = None, backend: Backend | None = None) -> None:
        super().__init__(home, keyring or Placeholders(home), backend)
        self.stand_ins: dict[tuple[str, str], Snapshot] = {}

    def load(self, project: str, stack: str) -> Loaded:
        loaded = super().load(project, stack)
        if not loaded.snapshot.metadata.serial and (project, stack) in self.stand_ins:
            loaded.snapshot = self.stand_ins[project, stack]
        return loaded


# -- providers ---------------------------------------------------------------------------------------------------------


class _NoCloud(Cloud):
    """A cloud that is not there."""

    def client(self, service: str, region: str | None = None) -> Any:
        raise OnlyTheCloudKnows(f"{service} of {self}")


class PreviewHost(OfflineHost):
    """Providers that decide as the local cloud's do, and call nobody. ``unseen`` are the look-ups that stay unknown.

    ``recorded`` is the identity of the cloud that the state speaks of, which is taken to be there still.
    """

    def __init__(self, home: Path, recorded: str = "", *, paper: bool = False) -> None:
        super().__init__(LocalCloud(home))
        self.recorded = recorded
        self.paper = paper
        self.unseen: dict[str, None] = {}

    def identity(self) -> str:
        return self.recorded

    def configure(self, package: str, config: PropertyMap) -> LocalCloudProvider:
        cloud, tags = Cloud(self.endpoint()), dict[str, str]()
        if package != "docker":
            known = super().configure(package, config)
            cloud, tags = known.cloud, known.default_tags
        return _Provider(self, _NoCloud(cloud.endpoint, cloud.region, cloud.account_id), tags)


class _Provider(LocalCloudProvider):
    def __init__(self, host: PreviewHost, cloud: Cloud, default_tags: Mapping[str, str]) -> None:
        super().__init__(cloud, default_tags)
        self._host = host
        self._checked = threading.local()  # the URN that this thread asks about: checked first, then planned

    def check(self, type_: str, urn: str, old_inputs: PropertyMap | None, inputs: PropertyMap, seed: bytes = b"") -> Checked:
        self._checked.urn = urn
        return super().check(type_, urn, old_inputs, inputs, seed or urn.encode())

    def diff(self, type_: str, old_inputs: PropertyMap, old_outputs: PropertyMap, inputs: PropertyMap) -> Diff:
        """What cannot be told apart is the same: a sealed secret and another text, and two values that are both unknown."""
        new = {key: _with_sealed(value, old_inputs.get(key)) for key, value in inputs.items()}
        unknown = [key for key, value in new.items() if has_unknown(value) and value == old_inputs.get(key)]
        gone = dict.fromkeys(unknown, "")
        return super().diff(type_, {**old_inputs, **gone}, old_outputs, {**new, **gone})

    def planned(self, type_: str, inputs: PropertyMap, old_outputs: PropertyMap | None, changed: Iterable[str]) -> PropertyMap:
        outputs = super().planned(type_, inputs, old_outputs, changed)
        if not self._host.paper or old_outputs is not None:
            return outputs
        name = str(self._checked.urn).rpartition("::")[2]
        service = type_.split(":")[1].partition("/")[0]
        return {"id": f"{name}.id"} | {k: _made_up(service, name, k) if v is UNKNOWN else v for k, v in outputs.items()}

    def read(self, type_: str, id_: str, inputs: PropertyMap | None, outputs: PropertyMap) -> Resource | None:
        self._host.unseen[f"{type_} {id_}"] = None
        raise OnlyTheCloudKnows(f"{type_} {id_}")

    def invoke(self, token: str, arguments: PropertyMap) -> PropertyMap:
        try:
            if token.startswith("docker:"):
                raise OnlyTheCloudKnows(token)
            return super().invoke(token, arguments)
        except OnlyTheCloudKnows:
            self._host.unseen[token] = None
            raise


def _made_up(service: str, name: str, key: str) -> Any:
    """A text where an output is one in every cloud; else it stays unknown."""
    if _ARN.fullmatch(key):
        return f"arn:aws:{service}:region:000000000000:{name}/{key}"
    return f"{name}.{key}" if _TEXT.fullmatch(key) else UNKNOWN


def _with_sealed(new: Any, old: Any) -> Any:
    """The new value with the old one's placeholders in it, where both have something there that is known."""
    if isinstance(old, str) and PLACEHOLDER.fullmatch(old):
        return new if new in (None, "") or has_unknown(new) else old
    if isinstance(new, dict) and isinstance(old, dict):
        return {key: _with_sealed(value, old.get(key)) for key, value in new.items()}
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        return [_with_sealed(*pair) for pair in zip(new, old, strict=True)]
    return new
