"""One side of a change: the resources of a snapshot, found by URN, id, name or ARN, with values as they were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from isostack.engine.state import ResourceState, Snapshot
from isostack.engine.values import has_secret, has_unknown

Kind = Literal["permission", "trust", "network", "protection"]


@dataclass(frozen=True)
class Widening:
    """One thing that is let in or allowed anew, in a sentence. ``unsure`` where only the up will know."""

    kind: Kind
    subject: str
    text: str
    urn: str = ""
    unsure: bool = False

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "urn": self.urn, "text": self.text, "unsure": self.unsure}


def hidden(value: Any) -> bool:
    """Whether the value is not known yet, or not to be shown."""
    return has_unknown(value) or has_secret(value)


def word(type_: str) -> str:
    """``aws:ec2/securityGroup:SecurityGroup`` as ``security group``."""
    name = type_.rpartition(":")[2]
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


class Side:
    """The resources of a snapshot that do not await deletion."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._hold([r for r in snapshot.resources if r.custom and not r.delete])

    def _hold(self, resources: list[ResourceState]) -> None:
        self.resources = resources
        self._by_urn = {r.urn: r for r in self.resources}
        self._by_name: dict[tuple[str, str], ResourceState] = {}
        for resource in self.resources:
            for value in (resource.id, *(resource.outputs.get(key) for key in ("arn", "name", "id"))):
                if isinstance(value, str) and value:
                    self._by_name[resource.type, value] = resource

    def get(self, urn: str) -> ResourceState | None:
        return self._by_urn.get(urn)

    def of(self, *types: str) -> Iterator[ResourceState]:
        return (r for r in self.resources if r.type in types)

    def named(self, resource: ResourceState, property_: str, type_: str, value: Any = None) -> str:
        """The URN of the resource of this type that a property names; else the name; empty where it is not known yet."""
        given = resource.inputs.get(property_) if value is None else value
        if isinstance(given, str):
            found = self._by_name.get((type_, given))
            return found.urn if found else given
        for urn in resource.property_dependencies.get(property_, ()):
            if (found := self._by_urn.get(urn)) is not None and found.type == type_:
                return urn
        return ""

    def label(self, subject: str) -> str:
        """A URN's logical name; anything else as it is."""
        return subject.rpartition("::")[2] if subject.startswith("urn:") else subject or "one that is not known yet"


def as_list(value: Any) -> list[Any]:
    """The items of a list; one value stands for a list of it, and nothing for an empty one."""
    return list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]


def aligned(before: Side, after: Side) -> Side:
    """The side before with the URNs of the one after: a resource that is only called otherwise (by an alias) is the same one."""
    by_id = {(one.type, one.id): one.urn for one in after.resources if one.id}
    renamed = {
        old.urn: urn
        for old in before.resources
        if after.get(old.urn) is None and (urn := by_id.get((old.type, old.id))) and before.get(urn) is None
    }
    if renamed:
        before._hold([_renamed(one, renamed) for one in before.resources])
    return before


def _renamed(resource: ResourceState, names: dict[str, str]) -> ResourceState:
    needed = {key: [names.get(urn, urn) for urn in urns] for key, urns in resource.property_dependencies.items()}
    return replace(resource, urn=names.get(resource.urn, resource.urn), property_dependencies=needed)
