"""The components as a Pulumi package, for programs in other languages: ``pulumi package add …/components``.

Owns how each component looks from there: its arguments, as the host of Pulumi's SDK can describe them, and its outputs. The
SDK's host hands plain dictionaries over; here they become the components' own Args.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from inspect import get_annotations
from typing import Any, NotRequired, Optional, TypedDict, Union, get_args, get_origin

import pulumi
from pulumi.provider.experimental import component_provider_host

from components.access import Access, AccessArgs, Boundary, BoundaryArgs
from components.audit import Audit, AuditArgs
from components.base import Component
from components.cache import Cache, CacheArgs
from components.cluster import Cluster, ClusterArgs
from components.database import Database, DatabaseArgs
from components.flags import FeatureFlags, FeatureFlagsArgs
from components.ingress import Ingress, IngressArgs
from components.keys import Keys, KeysArgs
from components.network import Network, NetworkArgs
from components.observability import Observability, ObservabilityArgs
from components.queue import Queue, QueueArgs
from components.storage import Storage, StorageArgs

NAME = "isostack"
TEXT, TEXTS, BY_NAME = pulumi.Output[str], pulumi.Output[list[str]], pulumi.Output[dict[str, str]]

# Each component with its arguments, and the outputs that other languages see.
OFFERED: dict[type[Component], tuple[type, dict[str, Any]]] = {
    Access: (AccessArgs, {"role_arns": BY_NAME, "boundary_arn": TEXT}),
    Audit: (AuditArgs, {"trail_arn": TEXT, "bucket_name": TEXT, "log_group_name": TEXT}),
    Boundary: (BoundaryArgs, {"arn": TEXT}),
    Cache: (CacheArgs, {"endpoint": TEXT, "secret_arn": TEXT, "url": TEXT}),
    Cluster: (ClusterArgs, {"arn": TEXT, "cluster_name": TEXT}),
    Database: (
        DatabaseArgs,
        dict.fromkeys(("endpoint", "address", "url", "secret_arn", "instance_id", "arn", "resource_id"), TEXT),
    ),
    FeatureFlags: (FeatureFlagsArgs, {"application_id": TEXT, "profile_id": TEXT}),
    Ingress: (
        IngressArgs,
        {
            "url": TEXT,
            "dns_name": TEXT,
            "security_group_id": TEXT,
            "target_group_arns": BY_NAME,
            "web_acl_arn": TEXT,
            "certificate_arn": TEXT,
        },
    ),
    Keys: (KeysArgs, {"data_key_arn": TEXT, "logs_key_arn": TEXT}),
    Network: (
        NetworkArgs,
        {"vpc_id": TEXT, "public_subnet_ids": TEXTS, "private_subnet_ids": TEXTS, "database_subnet_ids": TEXTS},
    ),
    Observability: (ObservabilityArgs, {"topic_arn": TEXT, "dashboard_name": TEXT, "alarm_arns": BY_NAME}),
    Queue: (QueueArgs, {"url": TEXT, "arn": TEXT, "queue_name": TEXT, "dead_letter_arn": TEXT, "dead_letter_name": TEXT}),
    Storage: (StorageArgs, {"bucket_name": TEXT, "bucket_arn": TEXT, "logs_bucket_name": TEXT, "logs_bucket_arn": TEXT}),
}


def offered() -> list[type[pulumi.ComponentResource]]:
    """The components as the SDK's host takes them: each with ``args`` and outputs that it can describe."""
    return [_offered(component, args, outputs) for component, (args, outputs) in OFFERED.items()]


def _offered(component: type[Component], args: type, outputs: dict[str, Any]) -> type[pulumi.ComponentResource]:
    make: Any = component

    def initialise(self: Any, name: str, args_: dict[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        make.__init__(self, name, _given(args, args_), opts)

    initialise.__annotations__ = {"args": _described(args)}
    # By its module the component finds its type: for other languages every one is in the index.
    namespace = {
        "__init__": initialise,
        "__doc__": component.__doc__,
        "__module__": "components.index",
        "__annotations__": outputs,
    }
    return types.new_class(component.__name__, (component,), exec_body=lambda body: body.update(namespace))


def _described(args: type) -> type:
    """A typed dictionary with the fields of a dataclass of arguments; those with a default need not be given."""
    hints = _hints(args)
    fields = {}
    for field in dataclasses.fields(args):
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        described = _plain(hints[field.name])
        fields[field.name] = NotRequired[described] if optional else described
    return TypedDict(args.__name__, fields)  # type: ignore[operator, no-any-return]  # made from data


def _hints(args: Any) -> dict[str, Any]:
    """The types of a dataclass's fields, those that it inherits included; what stands inside an ``Input`` stays as it is."""
    return {name: hint for cls in reversed(args.__mro__) for name, hint in get_annotations(cls, eval_str=True).items()}


def _plain(hint: Any) -> Any:
    """A type as the host knows it: lists for sequences, dictionaries for mappings, typed dictionaries for dataclasses."""
    origin, inner = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return _described(hint)  # type: ignore[arg-type]  # a class, and no instance
    if origin in (tuple, list, Sequence):
        return list[_plain(inner[0])]  # type: ignore[misc]  # made from data
    if origin in (dict, Mapping):
        return dict[str, _plain(inner[1])]  # type: ignore[misc]  # made from data
    if origin in (Union, types.UnionType) and type(None) in inner:
        rest = [item for item in inner if item is not type(None)]
        return Optional[_plain(rest[0]) if len(rest) == 1 else Union[tuple(rest)]]  # noqa: UP007, UP045 - made from data
    return hint


def _given(hint: Any, value: Any) -> Any:
    """A value that has come over the wire, as its type says: whole numbers arrive as floats, tuples as lists."""
    origin, inner = get_origin(hint), get_args(hint)
    if value is None or isinstance(value, pulumi.Output):
        return value
    if dataclasses.is_dataclass(hint):
        hints = _hints(hint)
        return hint(**{name: _given(hints[name], item) for name, item in value.items()})  # type: ignore[operator]  # a class
    if origin is tuple:
        return tuple(_given(inner[0], item) for item in value)
    if origin in (dict, Mapping):
        return {name: _given(inner[1], item) for name, item in value.items()}
    if origin in (Union, types.UnionType) and type(None) in inner:
        return _given(next(item for item in inner if item is not type(None)), value)
    return int(value) if hint is int else value


if __name__ == "__main__":
    component_provider_host(offered(), NAME, version="0.1.0")
