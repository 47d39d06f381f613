"""The services of a playground in containers of a Docker engine: the images and the variables that they have on ECS.

Owns one network, and for each service its image, a scratch volume and a container that is healthy and confined as its task is:
a user that is not root, a root filesystem that cannot be written, no capability, memory as on Fargate. Ports are published on
127.0.0.1 alone. Where an engine is, and how containers reach a cloud on this machine, is the caller's to know.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_docker as docker

from components.base import Component
from components.service import SCRATCH, USER

EVERY = "*"
LOOPBACK = "127.0.0.1"
_ADDRESS_OF_THIS_MACHINE = re.compile(r"(?<![\w.-])(?:127\.0\.0\.1|localhost)(?=:\d)")
# A service that starts fails its first checks; an engine before 25 has no other interval while it starts.
_CHECK = docker.ContainerHealthcheckArgs(interval="5s", start_interval="1s", start_period="60s", retries=3, tests=[])
_HEALTHY_SECONDS = 120


class NoSuchService(ValueError):
    """An image was given for a service that there is not. ``exit_code`` is that of bad input."""

    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a service's image comes from: ``build`` is a folder with a Dockerfile, else ``image`` is a name.

    ``version`` is what that name stands for on the engine now, so that a change is seen; empty where it has to be pulled.
    """

    build: str = ""
    image: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class ContainersValues:
    """``sources`` are by service, or ``*`` for every other; a service without one has its own image.

    ``migrate`` is a command that runs in the first service's image before any service starts, and again for a new database.
    ``subnet`` and ``gateway`` are the network's; in the services' variables the gateway stands for this machine. ``cloud`` are
    more variables for all, and ``mark`` is a label of everything that is made.
    """

    sources: Mapping[str, Source] = field(default_factory=dict)
    migrate: str = ""
    subnet: str
    gateway: str
    cloud: Mapping[str, str] = field(default_factory=dict)
    mark: str


@dataclass(frozen=True, kw_only=True)
class ContainerService:
    """A service as ECS is told of it."""

    image: str
    port: int
    memory_mb: int
    environment: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, kw_only=True)
class ContainersArgs:
    """``database_id`` is another one for each database that is made."""

    values: ContainersValues
    services: Mapping[str, ContainerService]
    database_id: pulumi.Input[str]


class Containers(Component):
    """Gives ``urls``, by service: ``http://127.0.0.1:PORT``. Raises NoSuchService."""

    def __init__(self, name: str, args: ContainersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, {}, opts)
        self.args = args
        self._refuse_strangers()
        self._images: dict[str, pulumi.Output[str]] = {}
        self.network = self._network()
        self.migrated = self._migrated()
        self.containers = {role: self._container(role) for role in args.services}
        self.urls = {role: _url(container) for role, container in self.containers.items()}
        self.register_outputs({"urls": self.urls})

    def _refuse_strangers(self) -> None:
        strange = sorted(set(self.args.values.sources) - {*self.args.services, EVERY})
        if strange:
            raise NoSuchService(f"containers: there is no service {strange[0]}; there are {', '.join(self.args.services)}")

    def _network(self) -> docker.Network:
        values = self.args.values
        pool = docker.NetworkIpamConfigArgs(subnet=values.subnet, gateway=values.gateway)
        label = docker.NetworkLabelArgs(label="isostack.playground", value=values.mark)
        # A change of its addresses makes another one, and two cannot have the same.
        opts = self.options(delete_before_replace=True)
        return docker.Network(self.child("network"), ipam_configs=[pool], labels=[label], opts=opts)

    # -- images ----------------------------------------------------------------------------------------------------------

    def _image(self, role: str) -> pulumi.Output[str]:
        """The id of a service's image; two services that are built from one folder have one."""
        sources = self.args.values.sources
        source = sources.get(role) or sources.get(EVERY) or Source(image=self.args.services[role].image)
        key = source.build or source.image
        if key not in self._images:
            self._images[key] = self._built(role, source) if source.build else self._named(role, source)
        return self._images[key]

    def _built(self, role: str, source: Source) -> pulumi.Output[str]:
        build = docker.DockerBuildArgs(context=source.build, dockerfile=f"{source.build}/Dockerfile")
        tag = f"{self.name}-{role}:{self.args.values.mark}"
        built = docker.Image(self.child(f"{role}-image"), image_name=tag, build=build, skip_push=True, opts=self.options())
        return built.repo_digest

    def _named(self, role: str, source: Source) -> pulumi.Output[str]:
        image = docker.RemoteImage(
            self.child(f"{role}-image"),
            name=source.image,
            pull_triggers=[source.version] if source.version else None,
            keep_locally=True,
            opts=self.options(),
        )
        return image.image_id

    # -- containers ------------------------------------------------------------------------------------------------------

    def _migrated(self) -> pulumi.Output[None]:
        """Done once the migration has ended well, if there is one."""
        if not self.args.values.migrate:
            return pulumi.Output.from_input(None)
        role = next(iter(self.args.services))
        migration = docker.Container(
            self.child("migration"),
            image=self._image(role),
            command=shlex.split(self.args.values.migrate),
            attach=True,
            logs=True,
            must_run=False,
            labels=[*self._labels(), docker.ContainerLabelArgs(label="isostack.database", value=self.args.database_id)],
            opts=self.options(additional_secret_outputs=["containerLogs"]),
            **self._confined(role, "migration"),
        )
        return pulumi.Output.all(migration.exit_code, migration.name).apply(lambda ended: _must_have_ended_well(*ended))

    def _container(self, role: str) -> docker.Container:
        service = self.args.services[role]
        return docker.Container(
            self.child(role),
            image=pulumi.Output.all(self._image(role), self.migrated)[0],
            ports=[docker.ContainerPortArgs(internal=service.port, ip=LOOPBACK)],
            healthcheck=_CHECK,
            wait=True,
            wait_timeout=_HEALTHY_SECONDS,
            labels=self._labels(),
            opts=self.options(),
            **self._confined(role, role),
        )

    def _confined(self, role: str, scratch: str) -> dict[str, Any]:
        """What a container of a service's image is given: no more than its task has on ECS."""
        volume = docker.Volume(
            self.child(f"{scratch}-scratch"),
            labels=[docker.VolumeLabelArgs(label="isostack.playground", value=self.args.values.mark)],
            opts=self.options(),
        )
        return {
            "envs": self._environment(role),
            "user": USER,
            "init": True,
            "read_only": True,
            "memory": self.args.services[role].memory_mb,
            "capabilities": docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            "security_opts": ["no-new-privileges:true"],
            "networks_advanced": [docker.ContainerNetworksAdvancedArgs(name=self.network.name, aliases=[scratch])],
            "volumes": [docker.ContainerVolumeArgs(volume_name=volume.name, container_path=SCRATCH)],
        }

    def _labels(self) -> list[docker.ContainerLabelArgs]:
        return [docker.ContainerLabelArgs(label="isostack.playground", value=self.args.values.mark)]

    def _environment(self, role: str) -> pulumi.Output[list[str]]:
        """The service's variables, of which some are secret, so that all are."""
        values = self.args.values
        given = {**self.args.services[role].environment, **values.cloud}
        resolved: pulumi.Output[dict[str, str]] = pulumi.Output.all(**given)
        return pulumi.Output.secret(
            resolved.apply(lambda known: [f"{name}={_from_inside(str(known[name]), values.gateway)}" for name in sorted(known)])
        )


def _from_inside(value: str, gateway: str) -> str:
    """A value as a container has to see it: what is on this machine is behind its network's gateway."""
    return _ADDRESS_OF_THIS_MACHINE.sub(gateway, value)


def _url(container: docker.Container) -> pulumi.Output[str]:
    return container.ports.apply(lambda ports: f"http://{LOOPBACK}:{ports[0].external}" if ports else "")


def _must_have_ended_well(exit_code: int | None, name: str) -> None:
    if exit_code:
        raise RuntimeError(f"the migration ended with exit code {exit_code}; docker logs {name} shows what it said")
