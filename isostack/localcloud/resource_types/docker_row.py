"""What the rows of package ``docker`` share: errors made the engine's, labels, and the mark by which a lost create is found.

Names alone do not tell a container that a cut-off run has left from somebody else's of the same name. Everything that is
made here carries a label with a digest of its inputs; together with the name it is exact.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ResourceGone
from isostack.localcloud.resource_types.row import Created, Properties, ResourceType

if TYPE_CHECKING:
    from isostack.localcloud.docker_engine import DockerEngine

MARK = "isostack.inputs"


def docker_type(
    *,
    create: Callable[[DockerEngine, Properties], str | Created],
    read: Callable[[DockerEngine, str, Properties], Properties | None],
    delete: Callable[[DockerEngine, str, Properties], None],
    update: Callable[[DockerEngine, str, Properties, Properties, set[str]], None] | None = None,
    find: Callable[[DockerEngine, Properties], list[str]] | None = None,
    **row: Any,
) -> ResourceType:
    """A row whose functions get an engine and may let its errors rise."""
    return ResourceType(
        service="docker",
        create=_translated(create),
        read=_translated(read, None),
        delete=_translated(delete, None),
        update=update and _translated(update),
        find=find and _translated(find, []),
        **row,
    )


def _translated(function: Callable[..., Any], *absent: Any) -> Callable[..., Any]:
    """The function with the engine's errors made ours; ``absent`` is what it gives for something that is not there."""

    @wraps(function)
    def call(engine: DockerEngine, *arguments: Any) -> Any:
        try:
            with engine.errors():
                return function(engine, *arguments)
        except ResourceGone:
            if absent:
                return absent[0]
            raise

    return call


def marked_labels(inputs: Properties) -> dict[str, str]:
    """The labels of the inputs and the mark."""
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()
    return {**{item["label"]: item["value"] for item in inputs.get("labels") or []}, MARK: digest}


def is_marked(labels: Mapping[str, str] | None, inputs: Properties) -> bool:
    """Whether something with these labels was made from these inputs."""
    return (labels or {}).get(MARK) == marked_labels(inputs)[MARK]


def label_list(labels: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Labels as properties, without the mark."""
    return [{"label": key, "value": value} for key, value in sorted((labels or {}).items()) if key != MARK]


def kept(actual: Properties, known: Properties, mutable: tuple[str, ...] = ()) -> Properties:
    """The outputs: what the engine says, and of what it never changes what the program said of it."""
    return {**actual, **{key: known[key] for key in actual if key in known and key not in mutable and known[key] is not None}}
