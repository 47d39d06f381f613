"""Turns nested blocks from Pulumi's spelling into an AWS API's and back: ``storageClass`` and ``StorageClass``.

What differs by more than the first letter is given by name. Rows use it where a service's blocks mirror its API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NOTHING: tuple[Any, ...] = (None, "", [], {})


def to_aws(value: Any, names: Mapping[str, str] | None = None, maps: frozenset[str] = frozenset()) -> Any:
    """The value in the API's spelling, without what is empty. Values of ``maps`` have keys of their own and stay."""
    if isinstance(value, list):
        return [to_aws(item, names, maps) for item in value if item is not None]
    if not isinstance(value, dict):
        return value
    return {
        (names or {}).get(key) or key[0].upper() + key[1:]: item if key in maps else to_aws(item, names, maps)
        for key, item in value.items()
        if item not in _NOTHING
    }


def from_aws(value: Any, names: Mapping[str, str] | None = None, maps: frozenset[str] = frozenset()) -> Any:
    """The value in Pulumi's spelling; ``names`` and ``maps`` as for :func:`to_aws`."""
    if isinstance(value, list):
        return [from_aws(item, names, maps) for item in value]
    if not isinstance(value, dict):
        return value
    spelled = {aws: key for key, aws in (names or {}).items()}
    result = {}
    for aws, item in value.items():
        key = spelled.get(aws) or aws[0].lower() + aws[1:]
        result[key] = item if key in maps else from_aws(item, names, maps)
    return result


def remember(actual: Any, known: Any) -> Any:
    """What AWS says, with what the local cloud does not give back taken from what is known."""
    if isinstance(actual, dict) and isinstance(known, dict):
        return {**known, **{key: remember(item, known.get(key)) for key, item in actual.items()}}
    if isinstance(actual, list) and isinstance(known, list) and len(actual) == len(known):
        return [remember(item, other) for item, other in zip(actual, known, strict=True)]
    return actual
