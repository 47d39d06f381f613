"""How the resources of a stack refer to each other: by id, name or ARN, and before those are known by their dependencies.

Owns the finding of what a property names. A value that a preview does not know still comes from somewhere: where just as many
resources of the right type feed the property as it has unknown values, those are meant. Else nobody can tell yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from policies.resources import UNKNOWN, CannotTell, Resource

IDENTITIES = ("id", "arn", "name", "bucket")
"""Properties by which others name a resource. What two resources of one type share here is the same thing."""


class References:
    """The resources of one stack, and what they name of each other."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.resources = resources
        self._by_urn = {one.urn: one for one in resources}
        self._by_type: dict[str, list[Resource]] = defaultdict(list)
        for one in resources:
            self._by_type[one.type].append(one)

    def of(self, *types: str) -> list[Resource]:
        """All resources of these types."""
        return [one for type_ in types for one in self._by_type.get(type_, ())]

    def one(self, source: Resource, path: str, types: Collection[str]) -> Resource | None:
        """What a property names; None where it names nothing, or nothing of this stack. Raises CannotTell."""
        found = self.many(source, path, types)
        return found[0] if found else None

    def many(self, source: Resource, path: str, types: Collection[str]) -> list[Resource]:
        """What of this stack the values of a property name. Raises CannotTell where it is all or nothing that is not known."""
        value = source.peek(path)
        if value is None:
            return []
        return self.named(source, path, value if isinstance(value, list) else [value], types)

    def named(self, source: Resource, path: str, values: Sequence[Any], types: Collection[str]) -> list[Resource]:
        """What of this stack these values name, which stand somewhere within the property at the beginning of the path."""
        known = [value for value in values if value is not UNKNOWN]
        found = [one for one in self.of(*types) if known and _answers_to(one, known)]
        unknown = len(values) - len(known)
        unanswered = sum(not any(_answers_to(one, [value]) for one in found) for value in known)
        if not unknown and not unanswered:
            return found
        feeding = self._feeding(source, path, types, {one.urn for one in found})
        expected = {unknown, unknown + unanswered} if unknown else {0, unanswered}
        if len(feeding) not in expected:
            raise CannotTell(path)
        return found + feeding

    def _feeding(self, source: Resource, path: str, types: Collection[str], found: Collection[str]) -> list[Resource]:
        """What a property depends on and has no id yet: of a preview, or of an engine that gives policies none."""
        urns = dict.fromkeys(source.uses.get(path.partition(".")[0], ()))
        candidates = (self._by_urn[urn] for urn in urns if urn in self._by_urn and urn not in found)
        return [one for one in candidates if one.type in types and one.props.get("id", UNKNOWN) is UNKNOWN]


def _answers_to(resource: Resource, values: Collection[Any]) -> bool:
    own = (resource.props.get(key) for key in IDENTITIES)
    return any(value is not UNKNOWN and value is not None and value in values for value in own)
