"""Resources as rules see them: plain values, in which what a preview cannot know is UNKNOWN.

Owns the only place where Pulumi's proxies and sentinels for unknown values are looked at. A rule that merely uses an unknown
value (compares it, walks it, asks whether it is true) is stopped by :class:`CannotTell`, and the frame says so; a rule that can
go on without it asks ``value is UNKNOWN`` first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import pulumi_policy
from pulumi_policy import proxy

SENTINELS = frozenset(value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_"))


class CannotTell(Exception):
    """A rule needs a value that is not known before the update. ``path`` is the value's, as ``policy.Statement``."""

    def __init__(self, path: str = "") -> None:
        super().__init__(path)
        self.path = path


class Unknown:
    """A value that a preview cannot know. Using it raises :class:`CannotTell`; ``is UNKNOWN`` does not."""

    def _refuse(self, *_: object) -> NoReturn:
        raise CannotTell

    __bool__ = __iter__ = __len__ = __contains__ = __getitem__ = __int__ = __float__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __eq__ = __ne__ = _refuse
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


def plain(value: Any) -> Any:
    """A property value as plain dictionaries and lists, with UNKNOWN wherever a value is not known."""
    if isinstance(value, str):
        return UNKNOWN if value in SENTINELS else value
    if isinstance(value, Mapping):
        return {key: _item(value, key) for key in value}
    if isinstance(value, Sequence):
        return [_item(value, index) for index in range(len(value))]
    return value


def _item(container: Any, key: Any) -> Any:
    try:
        return plain(container[key])
    except proxy.UnknownValueError:
        return UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Provider:
    """The provider that a resource is made by. ``props`` are its inputs."""

    type: str
    name: str
    urn: str
    props: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource. ``props`` has its inputs where a rule sees resources one by one, and its outputs where it sees the stack.

    ``parent`` and ``dependencies`` are URNs; ``dependencies`` by property are in ``uses``. Both are only there in a stack.
    """

    type: str
    name: str
    urn: str
    props: Mapping[str, Any]
    protect: bool = False
    provider: Provider | None = None
    parent: str | None = None
    dependencies: tuple[str, ...] = ()
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The resource as a message names it: ``shop-data (aws:kms/key:Key)``."""
        return f"{self.name} ({self.type})"

    @property
    def address(self) -> str:
        """Type and name, as an exception may name it: ``aws:kms/key:Key::shop-data``."""
        return f"{self.type}::{self.name}"

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a path as ``options.httpTokens`` or ``ingress.0.protocol``; ``default`` where it is absent or None.

        Raises CannotTell where it, or what it is in, is not known.
        """
        value = self.peek(path)
        if value is UNKNOWN:
            raise CannotTell(path)
        return default if value is None else value

    def peek(self, path: str) -> Any:
        """Like ``get``, but gives UNKNOWN instead of raising, and None where nothing is there."""
        value: Any = self.props
        for step in path.split("."):
            if value is UNKNOWN:
                return UNKNOWN
            if isinstance(value, Mapping):
                value = value.get(step)
            elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            else:
                return None
        return value

    def all(self, path: str) -> Iterable[Any]:
        """The items of a list property, or its one item where a single value stands for a list. Raises CannotTell."""
        value = self.get(path, ())
        return value if isinstance(value, (list, tuple)) else [value]


def of_arguments(args: pulumi_policy.ResourceValidationArgs) -> Resource:
    """The resource that Pulumi asks about."""
    return Resource(
        type=args.resource_type,
        name=args.name,
        urn=args.urn,
        props=plain(args.props),
        protect=bool(args.opts and args.opts.protect),
        provider=_provider(args.provider),
        parent=args.opts.parent if args.opts else None,
    )


def of_stack(args: pulumi_policy.StackValidationArgs) -> tuple[Resource, ...]:
    """The resources of the stack that Pulumi asks about."""
    return tuple(_known(resource) for resource in args.resources)


# An engine that has rules and resources in one process shows all rules the same resources: what they are is found out once.
_KNOWN: WeakKeyDictionary[pulumi_policy.PolicyResource, Resource] = WeakKeyDictionary()


def _known(resource: pulumi_policy.PolicyResource) -> Resource:
    known = _KNOWN.get(resource)
    if known is None:
        known = _KNOWN[resource] = _of_stack(resource)
    return known


def _of_stack(resource: pulumi_policy.PolicyResource) -> Resource:
    return Resource(
        type=resource.resource_type,
        name=resource.name,
        urn=resource.urn,
        props=plain(resource.props),
        protect=bool(resource.opts and resource.opts.protect),
        provider=_provider(resource.provider),
        parent=resource.parent.urn if resource.parent else None,
        dependencies=tuple(one.urn for one in resource.dependencies or ()),
        uses={key: tuple(one.urn for one in many) for key, many in (resource.property_dependencies or {}).items()},
    )


def _provider(provider: pulumi_policy.PolicyProviderResource | None) -> Provider | None:
    if provider is None:
        return None
    return Provider(type=provider.resource_type, name=provider.name, urn=provider.urn, props=plain(provider.props))
