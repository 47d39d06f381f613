"""What a run is about to do, as a document that two runs, two people and two machines can compare; and its digest.

Owns the normal form that approvals and saved plans are bound to. It leaves out what differs from run to run and says nothing
of what is meant (ids, outputs, times, serials, paths of this machine, the digits at which new automatic names end), and shows
no secret: of each there is a fingerprint, keyed by the state's passphrase, which tells that a secret has changed and not what
it is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from isostack.engine.events import Op
from isostack.engine.foreseen import new_names
from isostack.engine.values import ARCHIVE_SIGNATURE, ASSET_SIGNATURE, SIGNATURE_KEY, UNKNOWN, Secret, plain

if TYPE_CHECKING:
    from isostack.engine.run import Intent
    from isostack.engine.state import ResourceState

FORMAT: Final = 1
UNKNOWN_MARK: Final = {"isostack:unknown": True}
QUIET: Final = frozenset({Op.SAME, Op.READ, Op.REFRESH})


def digest(intent: Intent) -> str:
    """``sha256:`` and the hash of :func:`normalised`."""
    return digest_of(normalised(intent))


def digest_of(document: Mapping[str, Any]) -> str:
    """The digest of a normalised intent that was written down before."""
    return "sha256:" + hashlib.sha256(_text(document).encode()).hexdigest()


def normalised(intent: Intent) -> dict[str, Any]:
    """The intent as JSON: every step that changes something, in the order of URNs, with inputs before and after.

    A preview's is that of the ``up`` which it foretells. Resources that stay as they are stand in it as one hash. Unknown values
    are ``{"isostack:unknown": true}``, secrets ``{"isostack:secret": FINGERPRINT}``.
    """
    marks = _Marks(intent)
    changing: dict[str, set[str]] = {}
    for step in intent.steps:
        if step.op not in QUIET:
            changing.setdefault(step.urn, set()).add(step.op.value)
    steps = [
        {
            "urn": urn,
            "operations": sorted(operations),
            "before": _goal(intent.before.get(urn), marks),
            "after": _goal(intent.after.get(urn), marks),
        }
        for urn, operations in sorted(changing.items())
    ]
    others = [
        [resource.urn, _goal(resource, marks)]
        for resource in sorted(intent.after.resources, key=lambda resource: resource.urn)
        if resource.urn not in changing and not resource.delete
    ]
    return {
        "format": FORMAT,
        "project": intent.stack.project.name,
        "stack": intent.stack.name,
        "operation": "up" if intent.operation == "preview" else intent.operation,
        "steps": steps,
        "unchanged": {"count": len(others), "digest": hashlib.sha256(_text(others).encode()).hexdigest()},
    }


def _goal(resource: ResourceState | None, marks: _Marks) -> dict[str, Any] | None:
    """What was asked for, in contrast to what the cloud made of it."""
    if resource is None:
        return None
    goal = {"type": resource.type, "protect": resource.protect, "inputs": _value(resource.inputs, marks)}
    # The provider is the account and the region; its id is another one each time.
    others = {
        "provider": resource.provider.rpartition("::")[0],
        "import": resource.import_id,
        "retain_on_delete": resource.retain_on_delete,
        "deleted_with": resource.deleted_with,
    }
    return goal | {key: value for key, value in others.items() if value}


def _value(value: Any, marks: _Marks) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_MARK
    if isinstance(value, Secret):
        inner = _value(plain(value.value), marks)
        return {"isostack:secret": UNKNOWN_MARK if inner == UNKNOWN_MARK else marks(_text(inner))}
    if isinstance(value, dict):
        kept = value
        if value.get(SIGNATURE_KEY) in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE) and value.get("hash"):
            kept = {SIGNATURE_KEY: value[SIGNATURE_KEY], "hash": value["hash"]}  # where the files lie is this machine's own
        return {key: _value(item, marks) for key, item in kept.items()}
    if isinstance(value, list):
        return [_value(item, marks) for item in value]
    if isinstance(value, str):
        return marks.renamed(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # a number that came over the wire, and the same one read from a state file
    return value


class _Marks:
    """What stands for secrets and for new names. Secrets have HMACs under a key of the stack's own, which is derived where
    there is a secret: that takes a quarter of a second."""

    def __init__(self, intent: Intent) -> None:
        self._intent = intent
        self._key = b""
        names = new_names(intent.before, intent.after)
        self._names = {name: f"{start}*{end}" for name, (start, end) in names.items()}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def renamed(self, text: str) -> str:
        """The text with what stands for new names in it."""
        return self._pattern.sub(lambda match: self._names[match[0]], text) if self._pattern else text

    def __call__(self, text: str) -> str:
        if not self._key:
            stack = self._intent.stack
            self._key = stack.store.keyring.derive(f"isostack intent {stack.project.name}/{stack.name}")
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def _text(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
