"""A throwaway dev environment: the same components, with an owner, an end, and nothing that resists its removal.

Where it is asked for, its services run in containers of a Docker engine as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pulumi

from components.base import Component
from components.environment import Environment, EnvironmentArgs

if TYPE_CHECKING:
    from components.containers import Containers, ContainersValues

STEADY = ("integration", "staging", "production")
"""Environments that people rely on: none of them is ever disposable."""


class NotDisposable(ValueError):
    """A steady environment was to be thrown away. ``exit_code`` is that of a refusal."""

    exit_code = 3


@dataclass(frozen=True, kw_only=True)
class DisposableDevStackArgs:
    """``environment`` as dev has it; ``owner`` is who made it, ``expires`` when it ends (ISO 8601, UTC)."""

    environment: EnvironmentArgs
    owner: str
    expires: str
    containers: ContainersValues | None = None


class DisposableDevStack(Component):
    """Gives what its ``environment`` gives, and the same ``outputs``; with containers, ``service_urls`` among them.

    Raises NotDisposable for a steady environment.
    """

    def __init__(self, name: str, args: DisposableDevStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        label = args.environment.label
        if label in STEADY:
            raise NotDisposable(f"{label} is no disposable environment: people rely on it; a playground is one of dev")
        disposable = _disposable(args)
        super().__init__(name, disposable.tags, opts)
        self.environment = Environment(name, disposable, self.options())
        self.outputs = self.environment.outputs
        if args.containers:
            self.outputs = {**self.outputs, "service_urls": self._containers(args.containers).urls}
        self.register_outputs({})

    def _containers(self, values: ContainersValues) -> Containers:
        from components.containers import Containers, ContainersArgs, ContainerService  # an SDK that most runs do not need

        environment = self.environment
        services = {
            role: ContainerService(
                image=given.image,
                port=given.port,
                memory_mb=given.memory_mb,
                environment={
                    **environment.services[role].environment,
                    **{name: environment.secret_values[name] for name in given.secrets},
                },
            )
            for role, given in environment.args.services.items()
        }
        return Containers(
            self.name,
            ContainersArgs(values=values, services=services, database_id=environment.database.resource_id),
            self.options(),
        )


def _disposable(args: DisposableDevStackArgs) -> EnvironmentArgs:
    """The environment's values, with all that would keep it from being removed, or slow that down, taken away."""
    given = args.environment
    return replace(
        given,
        tags={**given.tags, "owner": args.owner, "expires": args.expires},
        # The account's own dev environment has it: an account takes one.
        github_arn=f"arn:aws:iam::{given.account_id}:oidc-provider/token.actions.githubusercontent.com",
        keys=replace(given.keys, deletion_days=7),
        storage=replace(given.storage, force_destroy=True),
        audit=replace(given.audit, force_destroy=True, lock_days=1),
        database=replace(given.database, deletion_protection=False, skip_final_snapshot=True, multi_az=False),
        cache=replace(given.cache, replicas=0),
        ingress=replace(given.ingress, deletion_protection=False),
    )
