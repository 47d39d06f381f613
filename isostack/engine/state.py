"""What a stack has: its resources, the steps that a crash cut off, and what isostack itself remembers of it.

Pure data. Pulumi's file format is :mod:`isostack.engine.state_file`'s, folders and files are
:mod:`isostack.engine.store`'s, what a run has done so far is :mod:`isostack.engine.journal`'s.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from isostack.engine.values import PropertyMap
from isostack.errors import BadInput

OperationType = Literal["creating", "updating", "deleting", "reading", "importing"]

PROVIDER_TYPE: Final = "pulumi:providers:"
NO_FILE: Final = "none"


@dataclass(slots=True)
class ResourceState:
    """A resource as the last operation left it. Never changed once made: ``dataclasses.replace`` gives a changed one.

    ``provider`` reads ``<provider URN>::<provider id>``. ``delete`` marks an old copy that awaits deletion after its
    replacement was created; it has the URN of its successor. ``pending_replacement`` marks one that was deleted and is
    to be created again. Times are ISO 8601 in UTC. ``others`` has fields of Pulumi's that the engine only passes on.
    """

    urn: str
    type: str
    custom: bool
    id: str = ""
    parent: str = ""
    provider: str = ""
    inputs: PropertyMap = field(default_factory=dict)
    outputs: PropertyMap = field(default_factory=dict)
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    protect: bool = False
    external: bool = False
    delete: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    init_errors: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    pending_replacement: bool = False
    import_id: str = ""
    custom_timeouts: dict[str, Any] = field(default_factory=dict)
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    replace_with: list[str] = field(default_factory=list)
    source_position: str = ""
    created: str = ""
    modified: str = ""
    others: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    text: str = field(default="", init=False, compare=False, repr=False)
    """The resource as JSON, kept by :class:`~isostack.engine.state_file.Codec`."""

    @property
    def in_cloud(self) -> bool:
        """Whether it stands for something in a cloud: no component, and none of Pulumi's own types, such as a provider."""
        return self.custom and not self.type.startswith("pulumi:")

    def references(self) -> Iterator[tuple[str, str]]:
        """The URNs that this resource refers to, each with the word for how: everything but the provider."""
        if self.parent:
            yield "parent", self.parent
        for urn in self.dependencies:
            yield "dependency", urn
        for key, urns in self.property_dependencies.items():
            for urn in urns:
                yield f"dependency of property {key}", urn
        if self.deleted_with:
            yield "deletedWith", self.deleted_with
        for urn in self.replace_with:
            yield "replaceWith", urn

    def renamed(self, old: str, new: str) -> ResourceState:
        """This resource with one URN in place of another, wherever it stands; itself where nothing changes."""
        provider = new + self.provider[len(old) :] if self.provider.rpartition("::")[0] == old else self.provider
        if self.urn != old and provider is self.provider and all(urn != old for _, urn in self.references()):
            return self

        def fix(urn: str) -> str:
            return new if urn == old else urn

        return dataclasses.replace(
            self,
            urn=fix(self.urn),
            parent=fix(self.parent),
            provider=provider,
            deleted_with=fix(self.deleted_with),
            replace_with=[fix(urn) for urn in self.replace_with],
            dependencies=[fix(urn) for urn in self.dependencies],
            property_dependencies={key: [*map(fix, urns)] for key, urns in self.property_dependencies.items()},
        )


@dataclass
class PendingOperation:
    """A step that was begun, and of which it is not known how it ended."""

    type: OperationType
    resource: ResourceState


@dataclass
class Metadata:
    """What isostack remembers of a stack beside its resources. ``journal`` is the id of the last one merged into it.

    ``tags`` are the stack's own, as of its last ``up``.
    """

    cloud: str = ""
    journal: str = ""
    serial: int = 0
    changed: str = ""
    operation: str = ""
    result: str = ""
    parameter_version: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    def note(self, operation: str, result: str) -> None:
        """Note the last operation and how it ended, now."""
        self.operation, self.result = operation, result
        self.changed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_Key = str | tuple[str, str]


class Snapshot:
    """The resources of a stack in an order in which everything comes after what it refers to.

    At most one resource has a URN, besides old copies that await deletion. Not for several threads at once.
    """

    def __init__(
        self,
        resources: Iterable[ResourceState] = (),
        pending_operations: Iterable[PendingOperation] = (),
        metadata: Metadata | None = None,
    ) -> None:
        self.pending_operations: list[PendingOperation] = list(pending_operations)
        self.metadata = metadata or Metadata()
        self.secrets_state: dict[str, str] = {}
        """``{"salt": ...}``, or empty as long as there was no secret."""
        self.digest = NO_FILE
        """The digest of the file that this was read from."""
        self._entries: dict[_Key, ResourceState] = {}
        self._duplicate = ""
        for resource in resources:
            key = _key(resource)
            if key in self._entries and not resource.delete:
                self._duplicate = self._duplicate or resource.urn
            self._entries[key] = resource
        self._ordered = True

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def resources(self) -> list[ResourceState]:
        """All resources, each after those that it refers to. A new list each time."""
        if not self._ordered:
            self._entries = {_key(resource): resource for resource in self.sorted()}
            self._ordered = True
        return list(self._entries.values())

    def get(self, urn: str) -> ResourceState | None:
        """The resource of this URN that does not await deletion."""
        return self._entries.get(urn)

    def put(self, resource: ResourceState) -> None:
        """Add a resource, or put it in the place of the one with its URN (an old copy: with its URN and id)."""
        self._entries[_key(resource)] = resource
        self._ordered = False

    def remove(self, resource: ResourceState) -> None:
        """Remove the resource with this one's URN, id and ``delete`` mark, if there is one."""
        self.discard(resource.urn, resource.id, resource.delete)

    def discard(self, urn: str, id_: str, delete: bool) -> None:
        """Remove the resource with this URN, id and ``delete`` mark, if there is one."""
        key: _Key = (urn, id_) if delete else urn
        found = self._entries.get(key)
        if found is not None and found.id == id_:
            del self._entries[key]
            self._ordered = False  # an old copy further down may have to stand in for it

    def rename(self, old: str, new: str) -> None:
        """Give a resource another URN, in all references to it as well."""
        renamed = (resource.renamed(old, new) for resource in self._entries.values())
        self._entries = {_key(resource): resource for resource in renamed}
        self.pending_operations = [
            PendingOperation(operation.type, operation.resource.renamed(old, new)) for operation in self.pending_operations
        ]

    def copy(self) -> Snapshot:
        """A snapshot that can be changed without changing this one."""
        copy = Snapshot((), self.pending_operations, dataclasses.replace(self.metadata))
        copy.secrets_state, copy.digest = dict(self.secrets_state), self.digest
        copy._entries, copy._ordered, copy._duplicate = dict(self._entries), self._ordered, self._duplicate
        return copy

    # -- order and integrity ------------------------------------------------------------------------------------------

    def sorted(self) -> list[ResourceState]:
        """All resources in their present order, but what a resource refers to moved before it where it is not.

        References in a circle stay as they are, for :meth:`verify` to tell.
        """
        copies: dict[str, list[ResourceState]] = {}
        for resource in self._entries.values():
            copies.setdefault(resource.urn, []).append(resource)
        done: set[_Key] = set()
        result: list[ResourceState] = []
        for root in self._entries.values():
            stack = [(root, self._required(root, copies))] if _key(root) not in done else []
            done.add(_key(root))
            while stack:
                resource, required = stack[-1]
                following = next((r for r in required if _key(r) not in done), None)
                if following is None:
                    result.append(resource)
                    stack.pop()
                else:
                    done.add(_key(following))
                    stack.append((following, self._required(following, copies)))
        return result

    def _required(self, resource: ResourceState, copies: dict[str, list[ResourceState]]) -> Iterator[ResourceState]:
        if resource.provider:
            urn, _, id_ = resource.provider.rpartition("::")
            yield from (r for r in copies.get(urn, ()) if r.id == id_)
        for _, urn in resource.references():
            found = self._entries.get(urn)
            if found is not None:
                yield found
            else:
                yield from copies.get(urn, ())[:1]

    def prune(self) -> None:
        """Drop references to resources that are no longer there, as Pulumi's engine does when it saves."""
        urns = {resource.urn for resource in self._entries.values()}
        for key, resource in self._entries.items():
            if all(urn in urns for _, urn in resource.references()):
                continue
            self._entries[key] = dataclasses.replace(
                resource,
                parent=resource.parent if resource.parent in urns else "",
                deleted_with=resource.deleted_with if resource.deleted_with in urns else "",
                replace_with=[urn for urn in resource.replace_with if urn in urns],
                dependencies=[urn for urn in resource.dependencies if urn in urns],
                property_dependencies={
                    property_: [urn for urn in needed if urn in urns]
                    for property_, needed in resource.property_dependencies.items()
                },
            )

    def verify(self) -> None:
        """Check what Pulumi's own engine demands of a snapshot. Raises BadInput that names the resource at fault."""
        if self._duplicate:
            raise BadInput(f"the state has resource {self._duplicate} twice")
        resources = self.resources
        everything = {resource.urn for resource in resources}
        seen: set[str] = set()
        providers: set[str] = set()
        for position, resource in enumerate(resources):
            fault = _malformed(resource)
            if fault:
                raise BadInput(f"the state's resource {resource.urn or f'number {position + 1}'} {fault}")
            if resource.provider and resource.provider not in providers and not resource.pending_replacement:
                raise BadInput(
                    f"the state's resource {resource.urn} has a provider, {resource.provider}, that does not come before it"
                )
            for how, urn in resource.references():
                if urn not in seen:
                    where = "comes after it" if urn in everything else "is not in the state"
                    raise BadInput(f"the state's resource {resource.urn} has a {how}, {urn}, that {where}")
            seen.add(resource.urn)
            if resource.type.startswith(PROVIDER_TYPE):
                providers.add(f"{resource.urn}::{resource.id}")


def _key(resource: ResourceState) -> _Key:
    return (resource.urn, resource.id) if resource.delete else resource.urn


def _malformed(resource: ResourceState) -> str:
    if not resource.urn:
        return "has no urn"
    if not resource.type:
        return "has no type"
    if not resource.custom and resource.id:
        return "is a component and has an id all the same"
    if resource.provider and "::" not in resource.provider:
        return f"has a malformed provider reference, {resource.provider!r}"
    if resource.type.startswith(PROVIDER_TYPE) and not resource.id:
        return "is a provider without an id"
    return ""
