"""What the engine asks of a provider. The engine knows no cloud; a provider knows no state, steps or secrets.

Values that cross this border are plain property values in Pulumi's wire spelling (``cidrBlock``): the engine takes secret marks
off before it calls and puts them back afterwards; :data:`~isostack.engine.values.UNKNOWN` appears in ``check`` and ``diff``
only, at preview.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from isostack.engine.values import PropertyMap


class ProviderError(Exception):
    """A failed cloud call. ``str()`` carries the cloud's own code and message, and never a secret."""


class ResourceGone(ProviderError):
    """The resource that was to be updated is no longer there."""


class OnlyTheCloudKnows(ProviderError):
    """What was asked for is the cloud's to tell, and this provider reaches none."""


@dataclass(frozen=True)
class CheckFailure:
    """An input that the provider refuses: the property (``""`` for the whole) and why."""

    property: str
    reason: str


@dataclass(frozen=True)
class Checked:
    """Inputs with defaults and automatic names filled in, and what is wrong with them."""

    inputs: PropertyMap
    failures: tuple[CheckFailure, ...] = ()


@dataclass(frozen=True)
class Diff:
    """What differs between two sets of inputs: top-level property names, and those of them that force replacement."""

    changed: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    delete_before_replace: bool = False

    def __bool__(self) -> bool:
        return bool(self.changed)


@dataclass(frozen=True)
class Resource:
    """A resource as the cloud has it: its id, its inputs as a program would write them, and its outputs."""

    id: str
    inputs: PropertyMap
    outputs: PropertyMap


@dataclass(frozen=True)
class Found:
    """What a look-up by content gave: ids that match what was asked for, and how a person checks it by hand."""

    ids: tuple[str, ...] = ()
    advice: str = ""


def lineage(identity: str) -> str:
    """What is left of a cloud's identity when it was killed and came back as it had been a little before: where only this is
    the same, nearly all that a state knows of the cloud is there."""
    return identity.partition(".")[0]


class Provider(Protocol):
    """A configured provider of one package (``aws``, ``random``). Its methods may be called from several threads at once."""

    def check(self, type_: str, urn: str, old_inputs: PropertyMap | None, inputs: PropertyMap, seed: bytes = b"") -> Checked:
        """Fill in defaults; an automatic name is taken from ``old_inputs`` where it came from there.

        A new one ends at random, but in the same digits each time with the same ``seed``: Pulumi's plans are held to names.
        """

    def diff(self, type_: str, old_inputs: PropertyMap, old_outputs: PropertyMap, inputs: PropertyMap) -> Diff:
        """Compare checked inputs with those of the last operation."""

    def planned(self, type_: str, inputs: PropertyMap, old_outputs: PropertyMap | None, changed: Iterable[str]) -> PropertyMap:
        """The outputs to expect, with UNKNOWN where only the cloud can tell (``old_outputs`` is None for a create).

        One that only imagines a cloud adds the ``id`` that a create would give.
        """

    def create(self, type_: str, inputs: PropertyMap) -> Resource:
        """Create. Raises ProviderError, or :class:`CreatedPartially` where the resource exists all the same."""

    def read(self, type_: str, id_: str, inputs: PropertyMap | None, outputs: PropertyMap) -> Resource | None:
        """The resource as it is now, or None where it is gone. ``inputs`` is None for an import or a ``get``."""

    def update(
        self,
        type_: str,
        id_: str,
        old_inputs: PropertyMap,
        old_outputs: PropertyMap,
        inputs: PropertyMap,
        changed: tuple[str, ...],
    ) -> PropertyMap:
        """Update in place and give the new outputs. Raises ResourceGone where there is nothing to update."""

    def delete(self, type_: str, id_: str, outputs: PropertyMap) -> None:
        """Delete; a resource that is already gone is no error."""

    def invoke(self, token: str, arguments: PropertyMap) -> PropertyMap:
        """Call a function such as ``aws:index/getRegion:getRegion``."""

    def find(self, type_: str, inputs: PropertyMap) -> Found:
        """Look up what a create with these inputs may have left behind, by name or by tags."""


class CreatedPartially(ProviderError):
    """A create that failed after the resource came to exist. The engine records it, and the next run mends it."""

    def __init__(self, message: str, resource: Resource) -> None:
        super().__init__(message)
        self.resource = resource


class ProviderHost(Protocol):
    """Gives providers by package and configuration, and answers what it serves without starting anything."""

    def serves_package(self, package: str) -> bool:
        """Whether there are rows for this package at all."""

    def serves_type(self, type_: str) -> bool:
        """Whether this resource type has a row."""

    def serves_function(self, token: str) -> bool:
        """Whether this function can be invoked."""

    def lives_in_cloud(self, type_: str) -> bool:
        """Whether resources of this type are gone when the cloud's identity changes."""

    def version(self, package: str) -> str:
        """The version of the package's SDK that the rows follow."""

    def configure(self, package: str, config: PropertyMap) -> Provider:
        """A provider for this configuration (``region``, ``defaultTags`` and so on, as provider inputs)."""

    def expect(self, type_: str) -> None:
        """Resources of this type are about to be made: what takes its time may begin, in the background."""

    def identity(self) -> str:
        """An identity that lasts as long as the cloud's content does. See :func:`lineage`."""
