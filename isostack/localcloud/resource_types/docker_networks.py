"""Networks and volumes of a Docker engine. Neither can be changed: every change of an input replaces them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types.docker_row import docker_type, is_marked, kept, label_list, marked_labels
from isostack.localcloud.resource_types.row import AutoName, Created, Function, Properties

if TYPE_CHECKING:
    from isostack.localcloud.docker_engine import DockerEngine

_IPAM = {"subnet": "Subnet", "gateway": "Gateway", "ipRange": "IPRange", "auxAddress": "AuxiliaryAddresses"}

# -- networks ----------------------------------------------------------------------------------------------------------


def _create_network(engine: DockerEngine, inputs: Properties) -> str:
    pools = [{theirs: pool[ours] for ours, theirs in _IPAM.items() if pool.get(ours)} for pool in inputs.get("ipamConfigs") or []]
    made = engine.api.create_network(
        inputs["name"],
        driver=inputs.get("driver") or "bridge",
        options=inputs.get("options") or {},
        ipam={"Driver": inputs["ipamDriver"], "Config": pools, "Options": inputs.get("ipamOptions") or {}},
        check_duplicate=True,
        internal=bool(inputs.get("internal")),
        labels=marked_labels(inputs),
        enable_ipv6=bool(inputs.get("ipv6")),
        attachable=inputs.get("attachable"),
        ingress=inputs.get("ingress"),
    )
    return str(made["Id"])


def _read_network(engine: DockerEngine, id_: str, known: Properties) -> Properties | None:
    found = engine.inspect("network", id_)
    if found is None:
        return None
    actual = {
        "name": found["Name"],
        "driver": found["Driver"],
        "options": found.get("Options") or {},
        "ipamDriver": found["IPAM"]["Driver"],
        "ipamOptions": found["IPAM"].get("Options") or {},
        "ipamConfigs": _pools(found),
        "internal": bool(found.get("Internal")),
        "attachable": bool(found.get("Attachable")),
        "ingress": bool(found.get("Ingress")),
        "ipv6": bool(found.get("EnableIPv6")),
        "labels": label_list(found.get("Labels")),
        "scope": found["Scope"],
    }
    return {"id": found["Id"], **kept(actual, known)}


def _pools(network: Properties) -> list[Properties]:
    pools = network["IPAM"].get("Config") or []
    return [{ours: pool[theirs] for ours, theirs in _IPAM.items() if pool.get(theirs)} for pool in pools]


def _delete_network(engine: DockerEngine, id_: str, known: Properties) -> None:
    engine.api.remove_network(id_)


def _find_networks(engine: DockerEngine, inputs: Properties) -> list[str]:
    found = engine.api.networks(names=[inputs["name"]])  # matches parts of names, too
    return [item["Id"] for item in found if item["Name"] == inputs["name"] and is_marked(item.get("Labels"), inputs)]


def _get_network(engine: DockerEngine, arguments: Properties) -> Properties:
    with engine.errors():
        found = engine.inspect("network", arguments["name"])
    if found is None:
        raise ProviderError(f"getNetwork: {engine} has no network {arguments['name']!r}")
    containers = [
        {
            "containerId": id_,
            "name": item["Name"],
            "macAddress": item["MacAddress"],
            "ipv4Address": item["IPv4Address"],
            "ipv6Address": item["IPv6Address"],
        }
        for id_, item in sorted((found.get("Containers") or {}).items())
    ]
    return {
        "id": found["Id"],
        "name": found["Name"],
        "driver": found["Driver"],
        "internal": bool(found.get("Internal")),
        "options": found.get("Options") or {},
        "scope": found["Scope"],
        "ipamConfigs": _pools(found),
        "containers": containers,
    }


# -- volumes -----------------------------------------------------------------------------------------------------------


def _create_volume(engine: DockerEngine, inputs: Properties) -> Created:
    name = inputs["name"]
    # The engine would answer with the volume that is there, and a later delete would take somebody's data with it.
    there = engine.inspect("volume", name)
    if there and not is_marked(there.get("Labels"), inputs):
        raise ProviderError(
            f"name: a volume {name!r} exists already on {engine}, and this stack has not made it; choose another name, or "
            f"take it over with ResourceOptions(import_={name!r})"
        )
    driver = inputs.get("driver") or "local"
    made = engine.api.create_volume(name, driver, inputs.get("driverOpts") or {}, marked_labels(inputs))
    return Created(name, _volume(made, inputs))


def _read_volume(engine: DockerEngine, id_: str, known: Properties) -> Properties | None:
    found = engine.inspect("volume", id_)
    return _volume(found, known) if found else None


def _volume(found: Properties, known: Properties) -> Properties:
    actual = {
        "name": found["Name"],
        "driver": found["Driver"],
        "driverOpts": found.get("Options") or {},
        "labels": label_list(found.get("Labels")),
        "mountpoint": found["Mountpoint"],
    }
    return kept(actual, known, mutable=("mountpoint",))


def _delete_volume(engine: DockerEngine, id_: str, known: Properties) -> None:
    engine.api.remove_volume(id_)


def _find_volumes(engine: DockerEngine, inputs: Properties) -> list[str]:
    found = engine.inspect("volume", inputs["name"])
    return [found["Name"]] if found and is_marked(found.get("Labels"), inputs) else []


def _complete_volume(inputs: Properties) -> Properties:
    if inputs.get("cluster"):
        raise ProviderError("cluster: a swarm's volumes are not served; leave it out for a volume of this machine")
    return inputs


RESOURCE_TYPES = (
    docker_type(
        token="docker:index/network:Network",
        create=_create_network,
        read=_read_network,
        delete=_delete_network,
        find=_find_networks,
        defaults={"ipamDriver": "default"},
        computed=("scope",),
        sticky=("driver", "internal", "ipamConfigs", "options", "attachable", "ingress", "ipv6", "ipamOptions", "labels"),
        sets=("ipamConfigs", "labels"),
        name=AutoName(),
    ),
    docker_type(
        token="docker:index/volume:Volume",
        create=_create_volume,
        read=_read_volume,
        delete=_delete_volume,
        find=_find_volumes,
        complete=_complete_volume,
        computed=("mountpoint",),
        sticky=("driver",),
        sets=("labels",),
        name=AutoName(),
        limits="a name that is taken is refused, where Docker would hand over the volume with its data; no cluster volumes",
    ),
)

FUNCTIONS = (Function(token="docker:index/getNetwork:getNetwork", service="docker", call=_get_network),)  # type: ignore[arg-type]  # an engine is docker's cloud
