"""Amazon ECS: clusters and their capacity providers. Task definitions and services have modules of their own.

Source: the ECS API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
from isostack.localcloud.resource_types import ecs_services, ecs_task_definitions
from isostack.localcloud.resource_types.row import (
    AutoName,
    Created,
    Function,
    Properties,
    ResourceType,
    tag_changes,
    tag_list,
    tag_map,
)

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_MISSING = ("ClusterNotFoundException",)
_RENAMED = {"s3BucketEncryptionEnabled": "s3EncryptionEnabled"}


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(item, names) for key, item in value.items()}
    return value


def _settings(inputs: Properties) -> Properties:
    """What create and update take alike."""
    arguments: Properties = {}
    if inputs.get("settings"):
        arguments["settings"] = inputs["settings"]
    if inputs.get("configuration"):
        arguments["configuration"] = _renamed(inputs["configuration"], _RENAMED)
    if inputs.get("serviceConnectDefaults"):
        arguments["serviceConnectDefaults"] = inputs["serviceConnectDefaults"]
    return arguments


def _create_cluster(cloud: Cloud, inputs: Properties) -> Created:
    arguments = _settings(inputs)
    if inputs.get("tagsAll"):
        arguments["tags"] = tag_list(inputs["tagsAll"], "key", "value")
    cluster = cloud.client("ecs").create_cluster(clusterName=inputs["name"], **arguments)["cluster"]
    return Created(cluster["clusterArn"], _cluster({**cluster, "tags": arguments.get("tags") or []}, inputs))


def _cluster(cluster: Properties, known: Properties) -> Properties:
    outputs: Properties = {
        "arn": cluster["clusterArn"],
        "name": cluster["clusterName"],
        "settings": cluster.get("settings") or [],
        "tagsAll": tag_map(cluster.get("tags"), "key", "value"),
    }
    if cluster.get("configuration"):
        outputs["configuration"] = _renamed(cluster["configuration"], {new: old for old, new in _RENAMED.items()})
    if cluster.get("serviceConnectDefaults"):
        outputs["serviceConnectDefaults"] = cluster["serviceConnectDefaults"]
    return outputs


def _describe(cloud: Cloud, name: str) -> Properties | None:
    include = ["TAGS", "SETTINGS", "CONFIGURATIONS"]
    for cluster in cloud.client("ecs").describe_clusters(clusters=[name], include=include)["clusters"]:
        if cluster["status"] != "INACTIVE":
            return dict(cluster)
    return None


def _read_cluster(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    cluster = _describe(cloud, id_)
    return {**_cluster(cluster, known), "id": cluster["clusterArn"]} if cluster else None


def _update_cluster(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("ecs")
    if changed & {"configuration", "serviceConnectDefaults", "settings"}:
        client.update_cluster(cluster=id_, **_settings(new))
    if "tagsAll" in changed:
        tags, removed = tag_changes(old, new)
        if removed:
            client.untag_resource(resourceArn=id_, tagKeys=removed)
        if tags:
            client.tag_resource(resourceArn=id_, tags=tag_list(tags, "key", "value"))


def _delete_cluster(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("ecs")
    if _describe(cloud, id_) is None:
        return
    pages = client.get_paginator("list_services").paginate(cluster=id_, PaginationConfig={"PageSize": 10})
    for services in (page["serviceArns"] for page in pages):
        for service in client.describe_services(cluster=id_, services=services)["services"] if services else []:
            if service["status"] != "INACTIVE":
                raise ProviderError(
                    f"ClusterContainsServicesException: cluster {id_} still has the service {service['serviceName']}; "
                    "delete it first"
                )
    client.delete_cluster(cluster=id_)


def _find_cluster(cloud: Cloud, inputs: Properties) -> list[str]:
    cluster = _describe(cloud, inputs["name"])
    return [str(cluster["clusterArn"])] if cluster else []


# -- capacity providers -------------------------------------------------------------------------------------------------


def _put_providers(cloud: Cloud, inputs: Properties) -> str:
    strategy = [
        {
            "capacityProvider": item["capacityProvider"],
            "base": int(item.get("base", 0)),
            "weight": int(item.get("weight", 0)),
        }
        for item in inputs.get("defaultCapacityProviderStrategies") or []
    ]
    for item in strategy:
        if item["capacityProvider"] not in (inputs.get("capacityProviders") or []):
            raise ProviderError(
                f"InvalidParameterException: the default strategy names {item['capacityProvider']}, which is not among "
                "capacityProviders"
            )
    cloud.client("ecs").put_cluster_capacity_providers(
        cluster=inputs["clusterName"],
        capacityProviders=inputs.get("capacityProviders") or [],
        defaultCapacityProviderStrategy=strategy,
    )
    return str(inputs["clusterName"])


def _read_providers(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    cluster = _describe(cloud, id_)
    if cluster is None:
        return None
    providers = cluster.get("capacityProviders") or []
    strategies = cluster.get("defaultCapacityProviderStrategy") or []
    if not providers and not strategies and known.get("capacityProviders"):
        return None
    return {
        "capacityProviders": providers,
        "clusterName": cluster["clusterName"],
        "defaultCapacityProviderStrategies": [
            {"base": item.get("base", 0), "capacityProvider": item["capacityProvider"], "weight": item.get("weight", 0)}
            for item in strategies
        ],
    }


def _update_providers(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _put_providers(cloud, new)


def _delete_providers(cloud: Cloud, id_: str, known: Properties) -> None:
    if _describe(cloud, id_) is not None:
        _put_providers(cloud, {"clusterName": id_})


def _get_cluster(cloud: Cloud, arguments: Properties) -> Properties:
    cluster = _describe(cloud, arguments["clusterName"])
    if cluster is None:
        raise ProviderError(f"getCluster: there is no cluster {arguments['clusterName']!r} in {cloud.region}")
    outputs = _cluster(cluster, {})
    namespace = (cluster.get("serviceConnectDefaults") or {}).get("namespace")
    return {
        "arn": outputs["arn"],
        "clusterName": outputs["name"],
        "id": outputs["arn"],
        "pendingTasksCount": cluster.get("pendingTasksCount", 0),
        "region": cloud.region,
        "registeredContainerInstancesCount": cluster.get("registeredContainerInstancesCount", 0),
        "runningTasksCount": cluster.get("runningTasksCount", 0),
        "serviceConnectDefaults": [{"namespace": namespace}] if namespace else [],
        "settings": outputs["settings"],
        "status": cluster["status"],
        "tags": outputs["tagsAll"],
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:ecs/cluster:Cluster",
        service="ecs",
        create=_create_cluster,
        read=_read_cluster,
        update=_update_cluster,
        delete=_delete_cluster,
        find=_find_cluster,
        name=AutoName(max_length=255, unless=()),
        replace_on=("name",),
        computed=("arn",),
        sticky=("settings",),
        sets=("settings",),
        absent=_MISSING,
        tagged=True,
    ),
    ResourceType(
        token="aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
        service="ecs",
        create=_put_providers,
        read=_read_providers,
        update=_update_providers,
        delete=_delete_providers,
        required=("clusterName",),
        replace_on=("clusterName",),
        sets=("capacityProviders", "defaultCapacityProviderStrategies"),
        absent=_MISSING,
        adopts=True,
    ),
    *ecs_task_definitions.RESOURCE_TYPES,
    *ecs_services.RESOURCE_TYPES,
)

FUNCTIONS = (
    Function(token="aws:ecs/getCluster:getCluster", service="ecs", call=_get_cluster),
    *ecs_task_definitions.FUNCTIONS,
    *ecs_services.FUNCTIONS,
)
