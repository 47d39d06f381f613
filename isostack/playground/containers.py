"""Services of a playground in containers: what a person asked for, and what the program is told so that they run.

Owns the checks before anything is changed (an engine answers, it is on this machine, there are images), the addresses of the
playground's network, and how its containers reach the local cloud. What is made of it is the program's.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isostack.engine.values import plain
from isostack.errors import BadInput, OperationFailed

if TYPE_CHECKING:
    from isostack.engine.state import ResourceState
    from isostack.localcloud.client import Cloud
    from isostack.localcloud.docker_engine import DockerEngine

EVERY = "*"
"""Stands for every service that is not named."""
LABEL = "isostack.playground"
_POOL = IPv4Network("10.213.0.0/16")
_PREFIX = 27
_INSTEAD = "run the services as plain processes instead: isostack play run -- COMMAND"
_CONTAINER = "docker:index/container:Container"
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class Asked:
    """What a command line says. ``on`` is None where it says nothing; ``sources`` replace those that are known, if any are
    given, and so does ``migrate``."""

    on: bool | None = None
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    migrate: str | None = None


@dataclass(frozen=True)
class Containers:
    """What is remembered of a playground's containers. ``sources`` give a folder to ``build`` or the name of an ``image`` by
    service, ``*`` for all others; ``migrate`` is a command to run first; ``mark`` is a label of all that is theirs."""

    sources: Mapping[str, Mapping[str, str]]
    migrate: str
    subnet: str
    mark: str

    @property
    def gateway(self) -> str:
        """The network's address of this machine."""
        return str(next(IPv4Network(self.subnet).hosts()))


def asked(on: bool | None, builds: Iterable[str], images: Iterable[str], migrate: str | None) -> Asked:
    """What options say: each ``build`` is ``[SERVICE=]FOLDER``, each ``image`` is ``[SERVICE=]NAME``. Raises BadInput."""
    sources: dict[str, dict[str, str]] = {}
    for option, values in (("build", builds), ("image", images)):
        for value in values:
            before, equals, after = value.partition("=")
            service, what = (before, after) if equals else (EVERY, value)
            if not service or not what:
                raise BadInput(f"--{option} {value}: write [SERVICE=]{'FOLDER' if option == 'build' else 'NAME'}")
            if service in sources:
                for_whom = "every service" if service == EVERY else f"service {service}"
                raise BadInput(f"--{option} {value}: an image for {for_whom} is given already")
            sources[service] = {option: _folder(what) if option == "build" else what}
    if on is False and (sources or migrate):
        raise BadInput("--no-containers takes containers away; leave out --build, --image and --migrate")
    return Asked(True if sources or migrate else on, sources, migrate)


def _folder(text: str) -> str:
    folder = Path(text).expanduser().resolve()
    if not (folder / "Dockerfile").is_file():
        raise BadInput(f"--build {text}: there is no Dockerfile in {folder}; name the folder that has it")
    return str(folder)


def remembered(before: Containers | None, wish: Asked, others: Iterable[Containers], mark: str) -> Containers | None:
    """What a playground is to have from now on; its network keeps its addresses. Raises OperationFailed without an engine."""
    if not (before if wish.on is None else wish.on):
        return None
    if before is None:
        before = Containers({}, "", _free_subnet(engine(), others), f"{mark}-{secrets.token_hex(4)}")
    migrate = before.migrate if wish.migrate is None else wish.migrate
    return replace(before, sources=wish.sources or before.sources, migrate=migrate)


def engine() -> DockerEngine:
    """The engine, if one answers whose containers can reach this machine. Raises OperationFailed, in one line."""
    from isostack.localcloud.docker_engine import engine_for

    try:
        found = engine_for({})
    except OperationFailed as error:
        raise OperationFailed(f"{error}: isostack play run -- COMMAND") from error
    with found.errors():
        about = found.api.info()
    desktop = sys.platform != "linux" or about.get("OperatingSystem") == "Docker Desktop"
    if desktop or any("rootless" in option for option in about.get("SecurityOptions") or []):
        raise OperationFailed(f"{found} has a network of its own, from where its containers do not reach 127.0.0.1; {_INSTEAD}")
    return found


def sources_of(known: Containers, declared: Mapping[str, str], there: DockerEngine) -> dict[str, dict[str, str]]:
    """Where each service's image comes from; ``declared`` are their own. Raises BadInput where one is a placeholder."""
    sources = {service: _resolved(there, source) for service, source in known.sources.items()}
    for service, image in declared.items():
        if service in sources or EVERY in sources:
            continue
        if _is_placeholder(image) and there.inspect("image", image) is None:
            raise BadInput(
                f"service {service}: its image {image.partition('@')[0]} is a placeholder that nobody can pull; say "
                "--build FOLDER or --image NAME, or --build SERVICE=FOLDER for one service"
            )
        sources[service] = _resolved(there, {"image": image})
    return sources


def told(known: Containers, sources: Mapping[str, Any], endpoint: str, cloud: Mapping[str, str]) -> dict[str, Any]:
    """What the program reads. ``endpoint`` is the local cloud's; ``cloud`` are the other variables by which SDKs find it."""
    port = endpoint.rpartition(":")[2]
    return {
        "sources": sources,
        "migrate": known.migrate,
        "subnet": known.subnet,
        "gateway": known.gateway,
        "mark": known.mark,
        "cloud": {"AWS_ENDPOINT_URL": f"http://{known.gateway}:{port}", **cloud},
    }


def _resolved(there: DockerEngine, source: Mapping[str, str]) -> dict[str, str]:
    """A source with what an image's name stands for now, if the engine has it."""
    if "image" not in source:
        return dict(source)
    found = there.inspect("image", source["image"])
    return {**source, **({"version": found["Id"]} if found else {})}


def _is_placeholder(image: str) -> bool:
    """Whether an image's registry has a name that is reserved for examples, and so belongs to nobody."""
    return image.partition("/")[0].partition(":")[0].endswith((".example", ".invalid"))


def credentials(resources: Iterable[ResourceState], cloud: Cloud, same: bool) -> dict[str, str]:
    """The variables by which a container's SDK is known to the cloud: those that its containers have, if it is the ``same``
    cloud, for new ones would replace every container."""
    for resource in resources if same else ():
        if resource.type == _CONTAINER and not resource.delete:
            variables = dict(str(line).partition("=")[::2] for line in plain(resource.inputs).get("envs") or [])
            if _CREDENTIALS[0] in variables:
                return {name: variables[name] for name in _CREDENTIALS if name in variables}
    given = zip(_CREDENTIALS, cloud.credentials(), strict=True)
    return {name: value for name, value in given if value}


def _migrations(there: DockerEngine, known: Containers) -> list[dict[str, Any]]:
    """The containers that migrate, as the engine knows them; the component gives no other this label."""
    with there.errors():
        found = there.api.containers(all=True, filters={"label": [f"{LABEL}={known.mark}", "isostack.database"]})
        return [there.inspect("container", item["Id"]) or {} for item in found]


def drop_failed(known: Containers) -> bool:
    """Remove a migration that has failed, so that it is made, and run, anew; whether there was one. A refresh is needed then."""
    there = engine()
    failed = [item["Id"] for item in _migrations(there, known) if item and item["State"]["ExitCode"]]
    for id_ in failed:
        with there.errors():
            there.api.remove_container(id_, v=True, force=True)
    return bool(failed)


def migrate_again(known: Containers) -> None:
    """Run the migration on data that was put back, which may be older than the services. Raises OperationFailed."""
    there = engine()
    for item in _migrations(there, known):
        with there.errors():
            there.api.start(item["Id"])
            code = there.api.wait(item["Id"], timeout=None)["StatusCode"]
        if code:
            name = item["Name"].lstrip("/")
            raise OperationFailed(f"the data is back; its migration ended with exit code {code}: docker logs {name} shows why")


def marked(there: DockerEngine, marks: Set[str]) -> Iterator[tuple[str, str, str]]:
    """The type, the id and the playground of each thing on the engine that bears one of these marks; volumes that a container
    has for itself go with it."""
    asked = {"label": [LABEL]}
    with there.errors():
        found = [(_CONTAINER, item["Id"], item) for item in there.api.containers(all=True, filters=asked)]
        found += [("docker:index/network:Network", item["Id"], item) for item in there.api.networks(filters=asked)]
        volumes = there.api.volumes(filters=asked).get("Volumes") or []
    found += [("docker:index/volume:Volume", item["Name"], item) for item in volumes]
    for type_, id_, item in found:
        mark = str((item.get("Labels") or {}).get(LABEL) or "")
        if mark in marks:
            yield type_, id_, mark.rpartition("-")[0]


def _free_subnet(there: DockerEngine, others: Iterable[Containers]) -> str:
    """A subnet that no network of the engine, no interface of this machine and no other playground has."""
    import psutil

    with there.errors():
        pools = [pool for network in there.api.networks() for pool in network["IPAM"].get("Config") or []]
    taken = [IPv4Network(pool["Subnet"]) for pool in pools if ":" not in pool.get("Subnet", ":")]
    taken += [IPv4Network(other.subnet) for other in others]
    for addresses in psutil.net_if_addrs().values():
        taken += [
            IPv4Interface(f"{a.address}/{a.netmask}").network for a in addresses if a.family.name == "AF_INET" and a.netmask
        ]
    free = [subnet for subnet in _POOL.subnets(new_prefix=_PREFIX) if not any(subnet.overlaps(other) for other in taken)]
    if not free:
        raise OperationFailed(f"no subnet of {_POOL} is free for the containers; remove networks: docker network prune")
    return str(secrets.choice(free))
