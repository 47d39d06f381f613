"""Property values as the engine and its providers hold them.

A property value is a JSON value (``None``, ``bool``, ``int``, ``float``, ``str``, ``list``, ``dict`` with string keys) in
which two more things may stand at any depth: :data:`UNKNOWN` and :class:`Secret`. Assets, archives and resource
references stay dictionaries that carry Pulumi's signature key, as they do in Pulumi's own state files.

This module owns these values and their traversal. Converting them from and to protobuf is
:mod:`isostack.engine.wire`'s, encrypting them is :mod:`isostack.engine.secrets`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# The key and values by which Pulumi marks special objects, from sdk/go/common/resource/sig in Pulumi's source.
SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a mark, public in Pulumi's source
ASSET_SIGNATURE: Final = "c44067f5952c0a294b673a41bacd8c17"
RESOURCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
ARCHIVE_SIGNATURE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

# How an unknown value is written on the wire and in a plan.
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class _Unknown:
    """The type of :data:`UNKNOWN`; there is one instance."""

    _instance: _Unknown | None = None

    def __new__(cls) -> _Unknown:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        return False


UNKNOWN: Final = _Unknown()
"""A value that is not known before something has been created."""


class Secret:
    """A value that is shown nowhere and encrypted in state. Compares by its content."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value: Any = value.value if isinstance(value, Secret) else value

    def __repr__(self) -> str:
        return "[secret]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]  # holds lists and dictionaries


PropertyMap = dict[str, Any]


def plain(value: Any) -> Any:
    """The value without its secret marks, at any depth. Shares what needs no change."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def without_references(value: Any) -> Any:
    """The value with the id of each resource in place of a reference to it, or the URN where it is a component.

    So Pulumi's engine hands them to a provider that takes no references. Shares what needs no change.
    """
    if isinstance(value, Secret):
        return Secret(without_references(value.value))
    if isinstance(value, dict):
        if value.get(SIGNATURE_KEY) == RESOURCE_SIGNATURE:
            return (value["id"] or UNKNOWN) if "id" in value else value.get("urn", UNKNOWN)
        return {key: without_references(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_references(item) for item in value]
    return value


def has_unknown(value: Any) -> bool:
    """Whether :data:`UNKNOWN` stands anywhere in the value."""
    if value is UNKNOWN:
        return True
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return False


def has_secret(value: Any) -> bool:
    """Whether a :class:`Secret` stands anywhere in the value."""
    if isinstance(value, Secret):
        return True
    if isinstance(value, dict):
        return any(has_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(has_secret(item) for item in value)
    return False


def mark_secrets(outputs: Mapping[str, Any], inputs: Mapping[str, Any], names: tuple[str, ...] | list[str] = ()) -> PropertyMap:
    """Outputs with the properties made secret that ``names`` lists, or that are secret in ``inputs``: within an object
    those of its values alone, and a list that holds a secret as a whole.

    Pulumi does the same for a provider that does not take secrets (``annotateSecrets`` in its provider plugin).
    """
    return {key: Secret(plain(value)) if key in names else _marked_as(value, inputs.get(key)) for key, value in outputs.items()}


def _marked_as(value: Any, given: Any) -> Any:
    if isinstance(value, dict) and isinstance(given, dict):
        return {key: _marked_as(item, given.get(key)) for key, item in value.items()}
    return Secret(plain(value)) if has_secret(given) else value
