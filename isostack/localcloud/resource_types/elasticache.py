"""Amazon ElastiCache: subnet groups, single clusters and users; with the row of replication groups.

Source: the ElastiCache API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types import elasticache_groups
from isostack.localcloud.resource_types.elasticache_requests import (
    ABSENT,
    actual_version,
    as_given,
    default_parameters,
    is_downgrade,
    log_outputs,
    log_requests,
    spelled,
    tags_of,
    update_tags,
)
from isostack.localcloud.resource_types.row import AutoName, Properties, ResourceType, tag_list

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

# -- subnet groups ------------------------------------------------------------------------------------------------------


def _create_subnet_group(cloud: Cloud, inputs: Properties) -> str:
    answer = cloud.client("elasticache").create_cache_subnet_group(
        CacheSubnetGroupName=inputs["name"],
        CacheSubnetGroupDescription=inputs["description"],
        SubnetIds=inputs["subnetIds"],
        Tags=tag_list(inputs.get("tagsAll")),
    )
    return str(answer["CacheSubnetGroup"]["CacheSubnetGroupName"])


def _read_subnet_group(cloud: Cloud, id_: str, known: Properties) -> Properties:
    client = cloud.client("elasticache")
    group = client.describe_cache_subnet_groups(CacheSubnetGroupName=id_)["CacheSubnetGroups"][0]
    return {
        "arn": group["ARN"],
        "description": group["CacheSubnetGroupDescription"],
        "name": group["CacheSubnetGroupName"],
        "subnetIds": [subnet["SubnetIdentifier"] for subnet in group["Subnets"]],
        "tagsAll": tags_of(client, group["ARN"]),
        "vpcId": group.get("VpcId", ""),
    }


def _update_subnet_group(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("elasticache")
    if changed & {"description", "subnetIds"}:
        client.modify_cache_subnet_group(
            CacheSubnetGroupName=id_, CacheSubnetGroupDescription=new["description"], SubnetIds=new["subnetIds"]
        )
    update_tags(client, old, new, changed)


def _delete_subnet_group(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("elasticache").delete_cache_subnet_group(CacheSubnetGroupName=id_)


# -- clusters -----------------------------------------------------------------------------------------------------------

# Property to parameter, of what create and modify take.
_CHANGEABLE = {
    "engineVersion": "EngineVersion",
    "ipDiscovery": "IpDiscovery",
    "nodeType": "CacheNodeType",
    "notificationTopicArn": "NotificationTopicArn",
    "numCacheNodes": "NumCacheNodes",
    "parameterGroupName": "CacheParameterGroupName",
    "securityGroupIds": "SecurityGroupIds",
    "snapshotRetentionLimit": "SnapshotRetentionLimit",
    "snapshotWindow": "SnapshotWindow",
}
_FIXED = {
    "availabilityZone": "PreferredAvailabilityZone",
    "azMode": "AZMode",
    "engine": "Engine",
    "networkType": "NetworkType",
    "port": "Port",
    "preferredAvailabilityZones": "PreferredAvailabilityZones",
    "snapshotName": "SnapshotName",
    "subnetGroupName": "CacheSubnetGroupName",
    "transitEncryptionEnabled": "TransitEncryptionEnabled",
}


def _cluster_requests(inputs: Properties, names: dict[str, str]) -> dict[str, Any]:
    parameters = spelled(inputs, names)
    if inputs.get("maintenanceWindow"):
        parameters["PreferredMaintenanceWindow"] = inputs["maintenanceWindow"].lower()
    if "autoMinorVersionUpgrade" in inputs:
        parameters["AutoMinorVersionUpgrade"] = str(inputs["autoMinorVersionUpgrade"]).lower() == "true"
    return parameters


def _create_cluster(cloud: Cloud, inputs: Properties) -> str:
    for name in ("outpostMode", "preferredOutpostArn", "replicationGroupId"):
        if inputs.get(name):
            advice = "give the group numCacheClusters instead" if name == "replicationGroupId" else "leave it out"
            raise ProviderError(f"Cluster: {name} is not supported on the local cloud; {advice}")
    engine = inputs.get("engine")
    if engine not in ("memcached", "redis"):
        raise ProviderError(f"Cluster: engine {engine!r} is neither memcached nor redis; for valkey use a ReplicationGroup")
    if engine == "redis" and int(inputs.get("numCacheNodes", 1)) != 1:
        raise ProviderError("InvalidParameterValue: Cluster: numCacheNodes must be 1 for redis; use a ReplicationGroup for more")
    for name in ("nodeType", "numCacheNodes"):
        if not inputs.get(name):
            raise ProviderError(f"Cluster: missing required property {name!r}")
    arns = inputs.get("snapshotArns")
    answer = cloud.client("elasticache").create_cache_cluster(
        CacheClusterId=inputs["clusterId"].lower(),
        Tags=tag_list(inputs.get("tagsAll")),
        **_cluster_requests(inputs, {**_CHANGEABLE, **_FIXED}),
        **({"SnapshotArns": [arns]} if arns else {}),
        **log_requests(inputs),
    )
    return str(answer["CacheCluster"]["CacheClusterId"])


def _read_cluster(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("elasticache")
    cluster = client.describe_cache_clusters(CacheClusterId=id_, ShowCacheNodeInfo=True)["CacheClusters"][0]
    if cluster["CacheClusterStatus"] == "deleting":
        return None
    nodes = [
        {
            "address": node["Endpoint"]["Address"],
            "availabilityZone": node.get("CustomerAvailabilityZone", ""),
            "id": node["CacheNodeId"],
            "outpostArn": "",
            "port": node["Endpoint"]["Port"],
        }
        for node in cluster.get("CacheNodes") or []
    ]
    engine = cluster["Engine"]
    version = cluster.get("EngineVersion") or {"memcached": "1.6.22"}.get(engine, "7.1")
    endpoint = cluster.get("ConfigurationEndpoint")
    outputs: Properties = {
        "arn": cluster["ARN"],
        "autoMinorVersionUpgrade": str(cluster.get("AutoMinorVersionUpgrade", True)).lower(),
        "availabilityZone": cluster.get("PreferredAvailabilityZone", ""),
        "azMode": known.get("azMode") or "single-az",  # a describe call does not say
        "cacheNodes": nodes,
        "clusterAddress": endpoint["Address"] if endpoint else "",
        "clusterId": cluster["CacheClusterId"],
        "configurationEndpoint": f"{endpoint['Address']}:{endpoint['Port']}" if endpoint else "",
        "engine": engine,
        "engineVersion": version,
        "engineVersionActual": actual_version(version),
        "ipDiscovery": cluster.get("IpDiscovery") or "ipv4",
        "logDeliveryConfigurations": log_outputs(cluster),
        "maintenanceWindow": as_given(cluster.get("PreferredMaintenanceWindow"), known.get("maintenanceWindow")),
        "networkType": cluster.get("NetworkType") or "ipv4",
        "nodeType": cluster["CacheNodeType"],
        "notificationTopicArn": (cluster.get("NotificationConfiguration") or {}).get("TopicArn", ""),
        "numCacheNodes": cluster["NumCacheNodes"],
        "parameterGroupName": (cluster.get("CacheParameterGroup") or {}).get("CacheParameterGroupName")
        or default_parameters(engine, version),
        "port": nodes[0]["port"] if nodes else known.get("port"),
        "replicationGroupId": cluster.get("ReplicationGroupId", ""),
        "securityGroupIds": [group["SecurityGroupId"] for group in cluster.get("SecurityGroups") or []],
        "snapshotRetentionLimit": cluster.get("SnapshotRetentionLimit", 0),
        "snapshotWindow": cluster.get("SnapshotWindow") or "",
        "subnetGroupName": cluster.get("CacheSubnetGroupName") or "default",
        "tagsAll": tags_of(client, cluster["ARN"]),
        "transitEncryptionEnabled": cluster.get("TransitEncryptionEnabled", False),
    }
    return {**outputs, "id": cluster["CacheClusterId"]}


def _update_cluster(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("elasticache")
    window = {"autoMinorVersionUpgrade", "maintenanceWindow"}
    given = {name: value for name, value in new.items() if name in changed}
    parameters = _cluster_requests(given, _CHANGEABLE)
    if "logDeliveryConfigurations" in changed:
        parameters |= log_requests(new, old)
    if changed & {*_CHANGEABLE, *window, "logDeliveryConfigurations"}:
        if "NumCacheNodes" in parameters and parameters["NumCacheNodes"] < old["numCacheNodes"]:
            ids = sorted(node["id"] for node in old["cacheNodes"])
            parameters["CacheNodeIdsToRemove"] = ids[parameters["NumCacheNodes"] :]
        client.modify_cache_cluster(CacheClusterId=id_, ApplyImmediately=bool(new.get("applyImmediately")), **parameters)
    update_tags(client, old, new, changed)


def _delete_cluster(cloud: Cloud, id_: str, known: Properties) -> None:
    final = known.get("finalSnapshotIdentifier")
    cloud.client("elasticache").delete_cache_cluster(CacheClusterId=id_, **({"FinalSnapshotIdentifier": final} if final else {}))


def _find_cluster(cloud: Cloud, inputs: Properties) -> list[str]:
    id_ = inputs["clusterId"].lower()
    return [id_] if _read_cluster(cloud, id_, {}) else []


_CLUSTER_REPLACES = {*_FIXED, "clusterId", "outpostMode", "preferredOutpostArn", "region", "replicationGroupId", "snapshotArns"}
_CLUSTER_REPLACES -= {"preferredAvailabilityZones"}


def _compare_cluster(old: Properties, new: Properties, changed: set[str]) -> Diff:
    replaces = changed & _CLUSTER_REPLACES
    if "nodeType" in changed and new.get("engine") == "memcached":
        replaces |= {"nodeType"}
    if "engineVersion" in changed and is_downgrade(old.get("engineVersion"), new.get("engineVersion")):
        replaces |= {"engineVersion"}
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)))


# -- users --------------------------------------------------------------------------------------------------------------


def _authentication(inputs: Properties) -> dict[str, Any]:
    mode = inputs.get("authenticationMode")
    passwords = inputs.get("passwords") or inputs.get("passwordsWo")
    if mode and (passwords or inputs.get("noPasswordRequired")):
        raise ProviderError("User: authenticationMode excludes passwords and noPasswordRequired; give one of them")
    if mode:
        return {"AuthenticationMode": spelled(mode, {"passwords": "Passwords", "type": "Type"})}
    if passwords:
        return {"Passwords": list(passwords) if isinstance(passwords, (list, tuple)) else [passwords]}
    return {"NoPasswordRequired": True} if inputs.get("noPasswordRequired") else {}


def _create_user(cloud: Cloud, inputs: Properties) -> str:
    answer = cloud.client("elasticache").create_user(
        UserId=inputs["userId"],
        UserName=inputs["userName"],
        Engine=inputs["engine"],
        AccessString=inputs["accessString"],
        Tags=tag_list(inputs.get("tagsAll")),
        **_authentication(inputs),
    )
    return str(answer["UserId"])


def _read_user(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("elasticache")
    user = client.describe_users(UserId=id_)["Users"][0]
    if user["Status"] == "deleting":
        return None
    authentication = user.get("Authentication") or {}
    kind = str(authentication.get("Type", ""))
    kind = {"no-password": "no-password-required"}.get(kind, kind)
    mode = {"passwordCount": authentication.get("PasswordCount") or 0, "type": kind}
    if passwords := (known.get("authenticationMode") or {}).get("passwords"):
        mode["passwords"] = passwords
    return {
        "accessString": user["AccessString"],
        "arn": user["ARN"],
        "authenticationMode": mode,
        "engine": as_given(user["Engine"], known.get("engine")),
        "tagsAll": tags_of(client, user["ARN"]),
        "userId": user["UserId"],
        "userName": user["UserName"],
    }


def _update_user(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("elasticache")
    parameters = spelled(
        {name: value for name, value in new.items() if name in changed}, {"accessString": "AccessString", "engine": "Engine"}
    )
    if changed & {"authenticationMode", "noPasswordRequired", "passwords", "passwordsWoVersion"}:
        parameters |= _authentication(new)
    if parameters:
        client.modify_user(UserId=id_, **parameters)
    update_tags(client, old, new, changed)


def _delete_user(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("elasticache").delete_user(UserId=id_)


def _find_user(cloud: Cloud, inputs: Properties) -> list[str]:
    return [inputs["userId"]] if _read_user(cloud, inputs["userId"], {}) else []


RESOURCE_TYPES = (
    ResourceType(
        token="aws:elasticache/subnetGroup:SubnetGroup",
        service="elasticache",
        create=_create_subnet_group,
        read=_read_subnet_group,
        update=_update_subnet_group,
        delete=_delete_subnet_group,
        name=AutoName(max_length=255, lower=True, unless=()),
        required=("subnetIds",),
        replace_on=("name",),
        computed=("arn", "vpcId"),
        defaults={"description": "Managed by Pulumi"},
        sets=("subnetIds",),
        volatile=("vpcId",),
        absent=ABSENT,
        tagged=True,
    ),
    ResourceType(
        token="aws:elasticache/cluster:Cluster",
        service="elasticache",
        create=_create_cluster,
        read=_read_cluster,
        update=_update_cluster,
        delete=_delete_cluster,
        find=_find_cluster,
        compare=_compare_cluster,
        name=AutoName(property="clusterId", max_length=50, lower=True, unless=()),
        computed=("arn", "cacheNodes", "clusterAddress", "configurationEndpoint", "engineVersionActual"),
        sticky=(
            "applyImmediately",
            "autoMinorVersionUpgrade",
            "availabilityZone",
            "azMode",
            "engine",
            "engineVersion",
            "ipDiscovery",
            "maintenanceWindow",
            "networkType",
            "nodeType",
            "numCacheNodes",
            "parameterGroupName",
            "port",
            "replicationGroupId",
            "securityGroupIds",
            "snapshotWindow",
            "subnetGroupName",
            "transitEncryptionEnabled",
        ),
        local=("applyImmediately", "finalSnapshotIdentifier", "preferredAvailabilityZones", "snapshotArns", "snapshotName"),
        sets=("logDeliveryConfigurations", "preferredAvailabilityZones", "securityGroupIds"),
        volatile=("cacheNodes", "engineVersionActual"),
        absent=ABSENT,
        tagged=True,
        limits="nothing listens at its address; starts empty, whatever snapshot it names; no replicationGroupId and no Outposts",
    ),
    *elasticache_groups.RESOURCE_TYPES,
    ResourceType(
        token="aws:elasticache/user:User",
        service="elasticache",
        create=_create_user,
        read=_read_user,
        update=_update_user,
        delete=_delete_user,
        find=_find_user,
        required=("accessString", "engine", "userId", "userName"),
        replace_on=("userId", "userName"),
        computed=("arn",),
        sticky=("authenticationMode",),
        defaults={"noPasswordRequired": False},
        local=("noPasswordRequired", "passwords", "passwordsWo", "passwordsWoVersion"),
        absent=ABSENT,
        tagged=True,
    ),
)
