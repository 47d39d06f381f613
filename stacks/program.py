"""The one program: an environment from the parameters of a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pulumi_aws as aws
from pulumi import ResourceOptions

from components.access import AccessValues
from components.audit import AuditValues
from components.cache import CacheValues
from components.database import DatabaseValues
from components.disposable_dev_stack import DisposableDevStack, DisposableDevStackArgs
from components.environment import Environment, EnvironmentArgs
from components.flags import FlagsValues
from components.ingress import IngressValues
from components.keys import KeysValues
from components.network import NetworkValues
from components.observability import ObservabilityValues
from components.queue import QueueValues
from components.service import ServiceValues
from components.storage import StorageValues
from stacks.parameters import EnvironmentParameters, ParameterSet

if TYPE_CHECKING:
    from components.containers import ContainersValues


def build(
    environment: str, parameters: ParameterSet, playground: Mapping[str, Any] | None = None
) -> Environment | DisposableDevStack:
    """Register an environment's resources. Its name decides nothing but labels, tags and columns of tables.

    ``playground`` (``name``, ``owner``, ``expires``) makes it a throwaway one, beside others in the same account; with
    ``containers``, the values of :class:`ContainersValues`, its services run as well.
    """
    values = parameters.of(environment)
    args = arguments(environment, parameters, values)
    options = ResourceOptions(providers=[provider(values)])
    if playground is None:
        return Environment(parameters.name, args, options)
    return DisposableDevStack(
        f"{parameters.name}-{playground['name']}",
        DisposableDevStackArgs(
            environment=replace(args, tags={**args.tags, "playground": playground["name"]}),
            owner=playground["owner"],
            expires=playground["expires"],
            containers=containers(playground["containers"]) if "containers" in playground else None,
        ),
        options,
    )


def containers(told: Mapping[str, Any]) -> ContainersValues:
    """What the configuration says of containers, as the component takes it."""
    from components.containers import ContainersValues, Source  # an SDK that most runs do not need

    sources = {service: Source(**source) for service, source in told["sources"].items()}
    return ContainersValues(**{**told, "sources": sources})


def provider(values: EnvironmentParameters) -> aws.Provider:
    """The provider of an environment: it works in the environment's account, and refuses any other."""
    return aws.Provider(
        "account",
        region=values.region,
        allowed_account_ids=[values.account],
        assume_roles=[{"role_arn": f"arn:aws:iam::{values.account}:role/{values.entry_role}"}],
    )


def arguments(environment: str, parameters: ParameterSet, values: EnvironmentParameters) -> EnvironmentArgs:
    """What the parameters say, as the components take it."""
    return EnvironmentArgs(
        label=environment,
        account_id=values.account,
        region=values.region,
        zones=tuple(f"{values.region}{letter}" for letter in values.zones),
        release=values.release,
        tags={
            "environment": environment,
            "owner": values.owner,
            "parameters": parameters.version,
            "release": values.release,
            "managed-by": "isostack",
        },
        network=NetworkValues(**values.network.values()),
        keys=KeysValues(**values.keys.values()),
        storage=StorageValues(**values.storage.values()),
        audit=AuditValues(**values.audit.values()),
        queue=QueueValues(**values.queue.values()),
        database=DatabaseValues(**values.database.values()),
        cache=CacheValues(**values.cache.values()),
        services={role: ServiceValues(**service.values()) for role, service in values.services.items()},
        flags=FlagsValues(**values.flags.values()),
        ingress=IngressValues(**values.ingress.values()),
        access=AccessValues(account_id=values.account, **values.access.values()),
        observability=ObservabilityValues(**values.observability.values()),
    )
