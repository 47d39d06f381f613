"""Pulumi's deployment format, version 3: resources as JSON, whole state files, and which foreign ones are refused.

``{"version": 3, "deployment": {...}}``, as ``pulumi stack import`` takes it; isostack's own facts stand beside the
deployment under ``"isostack"``, which an export leaves out. Facts about the format: ``sdk/go/common/apitype/core.go``
and ``pkg/resource/stack/deployment.go`` in Pulumi's source. Reads and writes no files.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from isostack import __version__
from isostack.engine.state import Metadata, PendingOperation, ResourceState, Snapshot
from isostack.engine.values import SECRET_SIGNATURE, SIGNATURE_KEY, UNKNOWN, UNKNOWN_STRING, Secret, plain
from isostack.errors import BadInput

VERSION: Final = 3
OWN_KEY: Final = "isostack"
ENGINE: Final = f"isostack-{__version__}"

# How Pulumi writes a number that JSON has no literal for: the hexadecimal digits of its 64 bits.
FLOAT_SIGNATURE: Final = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c"

# Each of Pulumi's field names and ours, in Pulumi's order; fields with a default are left out where they have it.
_FIELDS: Final = (
    ("urn", "urn"), ("custom", "custom"), ("delete", "delete"), ("id", "id"), ("type", "type"), ("inputs", "inputs"),
    ("outputs", "outputs"), ("parent", "parent"), ("protect", "protect"), ("external", "external"),
    ("dependencies", "dependencies"), ("initErrors", "init_errors"), ("provider", "provider"),
    ("propertyDependencies", "property_dependencies"), ("pendingReplacement", "pending_replacement"),
    ("additionalSecretOutputs", "additional_secret_outputs"), ("aliases", "aliases"),
    ("customTimeouts", "custom_timeouts"), ("importID", "import_id"), ("retainOnDelete", "retain_on_delete"),
    ("deletedWith", "deleted_with"), ("created", "created"), ("modified", "modified"),
    ("sourcePosition", "source_position"), ("ignoreChanges", "ignore_changes"),
    ("replaceOnChanges", "replace_on_changes"), ("replaceWith", "replace_with"),
)  # fmt: skip
_OURS: Final = dict(_FIELDS)
_KINDS: Final = {
    f.name: {"str": str, "bool": bool}.get(str(f.type), list if str(f.type).startswith("list") else dict)
    for f in dataclasses.fields(ResourceState)
}

# Fields whose resources the embedded engine would treat otherwise than Pulumi's does.
_REFUSED: Final = (
    "taint", "replacementTrigger", "refreshBeforeUpdate", "viewOf", "resourceHooks", "extensionRef",
    "snippetID",
)  # fmt: skip


class Secrets(Protocol):
    """Seals and opens secret values; ``state`` is the ``{"salt": ...}`` by which they can be opened again."""

    @property
    def state(self) -> dict[str, str]: ...

    def encrypt_value(self, value: Any) -> dict[str, str]: ...

    def decrypt_value(self, sealed: Mapping[str, Any]) -> Any: ...


class SealedSecret(Secret):
    """A secret from a state file: opened when its value is first asked for, and written back as it was read.

    So what needs no secret, needs no passphrase. Asking raises BadInput where the passphrase is the wrong one.
    """

    __slots__ = ("_secrets", "envelope")

    def __init__(self, envelope: Mapping[str, Any], secrets: Secrets) -> None:
        self.envelope = envelope
        self._secrets = secrets

    def __getattr__(self, name: str) -> Any:
        if name != "value":
            raise AttributeError(name)
        self.value = _opened(self._secrets.decrypt_value(self.envelope))
        return self.value


class Codec:
    """Resources to and from JSON with one stack's secrets. Its methods may be called from several threads.

    Those that have a field of ``refused`` are not read.
    """

    def __init__(self, secrets: Secrets, refused: Sequence[str] = _REFUSED) -> None:
        self.secrets = secrets
        self._refused = refused
        self._encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=self._special)

    def encode(self, resource: ResourceState) -> str:
        """The resource as one line of JSON, made once."""
        if not resource.text:
            resource.text = self._encode(resource)
        return resource.text

    def decode(self, fields: Mapping[str, Any], origin: str) -> ResourceState:
        """A resource from its fields. Raises BadInput for what is malformed, or means something that we do not do."""
        known: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, value in fields.items():
            ours = _OURS.get(name)
            if value is None:
                continue
            if ours is None:
                others[name] = value
            elif not _is_well_formed(ours, value):
                raise BadInput(f"{origin}: field {name} of resource {fields.get('urn')} is malformed")
            else:
                known[ours] = value
        refused = [name for name in self._refused if others.get(name)]
        if refused:
            raise BadInput(
                f"{origin}: resource {fields.get('urn')} uses {', '.join(refused)}, which the embedded engine does not"
                " do; run this stack with the Pulumi CLI"
            )
        if not known.get("urn") or not known.get("type") or "custom" not in known:
            raise BadInput(f"{origin}: a resource lacks its urn, type or custom field: {fields.get('urn', 'no urn')}")
        if "property_dependencies" in known:
            known["property_dependencies"] = {key: urns or [] for key, urns in known["property_dependencies"].items()}
        for name in ("inputs", "outputs"):
            if name in known:
                known[name] = self._decoded(known[name])
        return ResourceState(**known, others=others)

    def _encode(self, resource: ResourceState) -> str:
        fields: dict[str, Any] = {"urn": resource.urn, "custom": resource.custom, "type": resource.type}
        for name, ours in _FIELDS:
            if value := getattr(resource, ours):
                fields[name] = value
        if resource.others:
            fields |= resource.others
        try:
            return self._encoder.encode(fields)
        except ValueError:  # not a number, or infinite
            return self._encoder.encode(_storable(fields))

    def _special(self, value: object) -> object:
        if isinstance(value, SealedSecret) and "ciphertext" in value.envelope and value._secrets is self.secrets:
            return value.envelope
        if isinstance(value, Secret):
            return self.secrets.encrypt_value(_storable(plain(value)))
        if value is UNKNOWN:
            return UNKNOWN_STRING
        raise TypeError(f"{type(value).__name__} cannot stand in a state")

    def _decoded(self, value: Any) -> Any:
        if isinstance(value, str):
            return UNKNOWN if value == UNKNOWN_STRING else value
        if isinstance(value, list):
            return [self._decoded(item) for item in value]
        if not isinstance(value, dict):
            return value
        signature = value.get(SIGNATURE_KEY)
        if signature == SECRET_SIGNATURE:
            return SealedSecret(value, self.secrets)
        if signature == FLOAT_SIGNATURE:
            return _float(value)
        return {key: self._decoded(item) for key, item in value.items()}


def _is_well_formed(field: str, value: Any) -> bool:
    if field == "property_dependencies" and isinstance(value, dict):
        return all(urns is None or _is_well_formed("dependencies", urns) for urns in value.values())
    if isinstance(value, list):
        return _KINDS[field] is list and all(isinstance(item, str) for item in value)
    return isinstance(value, _KINDS[field])


def _storable(value: Any) -> Any:
    """The value with what JSON cannot say in Pulumi's spelling; secrets are left to the encoder."""
    if value is UNKNOWN:
        return UNKNOWN_STRING
    if isinstance(value, float) and not math.isfinite(value):
        return {SIGNATURE_KEY: FLOAT_SIGNATURE, "value": struct.pack(">d", value).hex()}
    if isinstance(value, dict):
        return {key: _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def _opened(value: Any) -> Any:
    """What a secret holds. Pulumi writes secrets within secrets as envelopes around the plain JSON."""
    if value == UNKNOWN_STRING:
        return UNKNOWN
    if isinstance(value, list):
        return [_opened(item) for item in value]
    if not isinstance(value, dict):
        return value
    signature = value.get(SIGNATURE_KEY)
    if signature == SECRET_SIGNATURE:
        return _opened(json.loads(value.get("plaintext") or value.get("ciphertext") or "null"))
    if signature == FLOAT_SIGNATURE:
        return _float(value)
    return {key: _opened(item) for key, item in value.items()}


def _float(value: Mapping[str, Any]) -> float:
    try:
        number: float = struct.unpack(">d", bytes.fromhex(value["value"]))[0]
    except (KeyError, TypeError, ValueError, struct.error):
        raise BadInput("a number in the state is malformed; restore the state from a backup") from None
    return number


# -- whole files ------------------------------------------------------------------------------------------------------


def to_text(snapshot: Snapshot, codec: Codec, *, own: bool = True) -> str:
    """A state file: one resource a line, and with ``own`` what isostack itself keeps (an export leaves it out).

    Sets ``secrets_state`` in the snapshot where it has its first secrets.
    """
    resources = ",\n".join(map(codec.encode, snapshot.resources))
    pending = ",\n".join(operation_text(operation, codec) for operation in snapshot.pending_operations)
    if not snapshot.secrets_state and (SECRET_SIGNATURE in resources or SECRET_SIGNATURE in pending):
        snapshot.secrets_state = dict(codec.secrets.state)
    magic = hashlib.sha256(ENGINE.encode()).hexdigest()
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    parts = [f'"manifest":{json.dumps({"time": time, "magic": magic, "version": ENGINE})}']
    if snapshot.secrets_state:
        provider = {"type": "passphrase", "state": snapshot.secrets_state}
        parts.append(f'"secrets_providers":{json.dumps(provider)}')
    if resources:
        parts.append(f'"resources":[\n{resources}\n]')
    if pending:
        parts.append(f'"pending_operations":[\n{pending}\n]')
    parts.append('"metadata":{}')
    facts = f',\n"{OWN_KEY}":{json.dumps(dataclasses.asdict(snapshot.metadata))}' if own else ""
    deployment = ",\n".join(parts)
    return f'{{"version":{VERSION},"deployment":{{\n{deployment}\n}}{facts}}}\n'


def parse(data: bytes | str, origin: str) -> dict[str, Any]:
    """A state file's document, looked at from outside. ``origin`` names it in errors.

    Raises ValueError where it is no JSON, and BadInput where it is of another format than ours.
    """
    document = json.loads(data)
    if not isinstance(document, dict):
        raise BadInput(f"{origin}: this is not a Pulumi deployment: its JSON is no object")
    if "checkpoint" in document:
        raise BadInput(f"{origin}: this is a checkpoint of a Pulumi backend; take what `pulumi stack export` writes")
    version = document.get("version")
    if version != VERSION:
        features = ", ".join(map(str, document.get("features") or ()))
        raise BadInput(
            f"{origin}: the deployment has version {version}{f' (it uses {features})' if features else ''}, and the"
            f" embedded engine reads version {VERSION}; run this stack with the Pulumi CLI"
        )
    deployment = document.get("deployment")
    if not isinstance(deployment, dict):
        raise BadInput(f"{origin}: this is not a Pulumi deployment: it has no deployment object")
    for name in ("snippets", "extensions"):
        if deployment.get(name):
            raise BadInput(
                f"{origin}: the deployment has {name}, which the embedded engine does not do; run this stack with the Pulumi CLI"
            )
    for name in ("resources", "pending_operations"):
        items = deployment.get(name)
        if items is not None and (not isinstance(items, list) or not all(isinstance(item, dict) for item in items)):
            raise BadInput(f"{origin}: {name} in the deployment is malformed: it must be a list of objects")
    return document


def secrets_state(document: Mapping[str, Any], origin: str) -> dict[str, str]:
    """The ``{"salt": ...}`` of a document's secrets, or nothing where it has none. Raises BadInput for secrets that no
    passphrase opens; what ``--show-secrets`` wrote is in the clear, whatever had sealed it."""
    provider = document["deployment"].get("secrets_providers")
    if provider is None:
        provider = {}
    if not isinstance(provider, dict):
        raise BadInput(f"{origin}: secrets_providers in the deployment is malformed: it must be an object")
    kind, state = provider.get("type"), provider.get("state")
    if kind == "passphrase" and isinstance(state, dict):
        return state
    if has_ciphertext(document["deployment"]):
        raise BadInput(
            f"{origin}: its secrets were sealed by {kind or 'nothing named'!r}, and the embedded engine opens only those"
            " of 'passphrase'; export with `pulumi stack export --show-secrets`, or first run"
            " `pulumi stack change-secrets-provider passphrase`"
        )
    return {}


def to_snapshot(document: Mapping[str, Any], codec: Codec, origin: str) -> Snapshot:
    """The snapshot in a document. Raises BadInput for what is malformed, inconsistent, or more than the engine does."""
    deployment = document["deployment"]
    facts = document.get(OWN_KEY)
    metadata = Metadata()
    for key, value in facts.items() if isinstance(facts, dict) else ():
        if type(getattr(metadata, key, None)) is type(value):
            setattr(metadata, key, value)
    snapshot = Snapshot(
        [codec.decode(fields, origin) for fields in deployment.get("resources") or ()],
        [operation(fields, codec, origin) for fields in deployment.get("pending_operations") or ()],
        metadata,
    )
    snapshot.secrets_state = secrets_state(document, origin)
    try:
        snapshot.verify()
    except BadInput as error:
        raise BadInput(f"{origin}: {error}") from None
    return snapshot


def operation_text(pending: PendingOperation, codec: Codec) -> str:
    """A pending operation as one line of JSON."""
    return f'{{"resource":{codec.encode(pending.resource)},"type":"{pending.type}"}}'


def operation(fields: Mapping[str, Any], codec: Codec, origin: str) -> PendingOperation:
    """A pending operation from its fields. Raises BadInput where they are malformed."""
    type_, resource = fields.get("type"), fields.get("resource")
    if type_ not in ("creating", "updating", "deleting", "reading", "importing") or not isinstance(resource, dict):
        raise BadInput(f"{origin}: a pending operation is malformed: {type_}")
    return PendingOperation(type_, codec.decode(resource, origin))


def has_ciphertext(value: Any) -> bool:
    """Whether something sealed stands anywhere in a document or a part of it."""
    if isinstance(value, dict):
        if value.get(SIGNATURE_KEY) == SECRET_SIGNATURE and "ciphertext" in value:
            return True
        return any(map(has_ciphertext, value.values()))
    return isinstance(value, list) and any(map(has_ciphertext, value))
