"""One case of the test that walks every row of the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Ref:
    """An output of a need (``"id"`` for its id); may stand anywhere inside inputs."""

    need: str
    output: str
    wrap: str = "{}"
    """A format for the value, as in ``"{}/subfolder"``."""


@dataclass(frozen=True)
class Need:
    """A resource that must exist first. Its inputs may refer to earlier needs."""

    type: str
    inputs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A resource type's life: created from ``inputs``, updated, replaced, deleted, deleted behind our back."""

    token: str
    inputs: dict[str, Any]
    needs: dict[str, Need] = field(default_factory=dict)
    update: dict[str, Any] = field(default_factory=dict)
    replace: dict[str, Any] = field(default_factory=dict)
    expect: dict[str, Any] = field(default_factory=dict)
    import_id: str | None = None
    """The id that a program imports by, where it differs from the id: a format over outputs and ``id``."""
    importable: bool = True
    outlives_delete: bool = False
    """AWS has no way to remove it (a bucket's ACL): deleting ends our care for it, as in Terraform."""
    name: str = ""
    """Tells several cases of one type apart."""

    @property
    def label(self) -> str:
        return self.token.rpartition(":")[2] + (f"-{self.name}" if self.name else "")


def resolve(value: Any, outputs: dict[str, dict[str, Any]]) -> Any:
    """The value with each Ref replaced by what it refers to."""
    if isinstance(value, Ref):
        found = outputs[value.need][value.output]
        return found if value.wrap == "{}" else value.wrap.format(found)
    if isinstance(value, dict):
        return {key: resolve(item, outputs) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, outputs) for item in value]
    return value
