"""Amazon ElastiCache: replication groups. Source: the ElastiCache API reference; property names as in pulumi_aws 7."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types.elasticache_requests import (
    ABSENT,
    actual_version,
    as_given,
    at_least,
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

# Property to parameter, of what create and modify take.
_CHANGEABLE = {
    "clusterMode": "ClusterMode",
    "description": "ReplicationGroupDescription",
    "engine": "Engine",
    "engineVersion": "EngineVersion",
    "ipDiscovery": "IpDiscovery",
    "nodeType": "CacheNodeType",
    "notificationTopicArn": "NotificationTopicArn",
    "parameterGroupName": "CacheParameterGroupName",
    "securityGroupIds": "SecurityGroupIds",
    "snapshotRetentionLimit": "SnapshotRetentionLimit",
    "snapshotWindow": "SnapshotWindow",
    "transitEncryptionEnabled": "TransitEncryptionEnabled",
    "transitEncryptionMode": "TransitEncryptionMode",
}
_SWITCHES = {
    "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "automaticFailoverEnabled": "AutomaticFailoverEnabled",
    "multiAzEnabled": "MultiAZEnabled",
}
_FIXED = {
    "dataTieringEnabled": "DataTieringEnabled",
    "kmsKeyId": "KmsKeyId",
    "networkType": "NetworkType",
    "numCacheClusters": "NumCacheClusters",
    "numNodeGroups": "NumNodeGroups",
    "port": "Port",
    "preferredCacheClusterAzs": "PreferredCacheClusterAZs",
    "replicasPerNodeGroup": "ReplicasPerNodeGroup",
    "securityGroupNames": "CacheSecurityGroupNames",
    "snapshotArns": "SnapshotArns",
    "snapshotName": "SnapshotName",
    "subnetGroupName": "CacheSubnetGroupName",
    "userGroupIds": "UserGroupIds",
}
_VERSIONS = {"redis": "7.1", "valkey": "8.1"}  # that AWS takes unasked


def _require_what_aws_requires(inputs: Properties) -> None:
    for name in ("durability", "globalReplicationGroupId"):
        if inputs.get(name):
            raise ProviderError(f"ReplicationGroup: {name} is not supported on the local cloud; leave it out")
    if not inputs.get("nodeType"):
        raise ProviderError("ReplicationGroup: missing required property 'nodeType'")
    if inputs.get("numCacheClusters") and (inputs.get("numNodeGroups") or inputs.get("replicasPerNodeGroup") is not None):
        raise ProviderError("ReplicationGroup: numCacheClusters excludes numNodeGroups and replicasPerNodeGroup")
    if inputs.get("multiAzEnabled") and not inputs.get("automaticFailoverEnabled"):
        raise ProviderError("ReplicationGroup: multiAzEnabled needs automaticFailoverEnabled")
    alone = int(inputs.get("numCacheClusters") or 0) < 2 and not inputs.get("numNodeGroups")
    if inputs.get("automaticFailoverEnabled") and alone and not inputs.get("replicasPerNodeGroup"):
        raise ProviderError("ReplicationGroup: automaticFailoverEnabled needs numCacheClusters of 2 or more")
    token = inputs.get("authToken")
    if (token or inputs.get("authTokenWo")) and not _switched_on(inputs.get("transitEncryptionEnabled")):
        raise ProviderError("InvalidParameterValue: ReplicationGroup: authToken needs transitEncryptionEnabled")
    if token and not re.fullmatch(r"[0-9A-Za-z!&#$^<>-]{16,128}", token):
        raise ProviderError("ReplicationGroup: authToken must be 16 to 128 letters, digits and characters of !&#$^<>-")
    if inputs.get("kmsKeyId") and not _switched_on(inputs.get("atRestEncryptionEnabled", inputs.get("engine") == "valkey")):
        raise ProviderError("InvalidParameterValue: ReplicationGroup: kmsKeyId needs atRestEncryptionEnabled")


def _switched_on(value: Any) -> bool:
    return str(value).lower() == "true"


def _requests(inputs: Properties, names: dict[str, str]) -> dict[str, Any]:
    parameters = spelled(inputs, names)
    parameters |= {parameter: _switched_on(inputs[name]) for name, parameter in _SWITCHES.items() if name in inputs}
    if inputs.get("maintenanceWindow"):
        parameters["PreferredMaintenanceWindow"] = inputs["maintenanceWindow"].lower()
    token = inputs.get("authToken") or inputs.get("authTokenWo")
    return parameters | ({"AuthToken": token} if token else {})


def _create(cloud: Cloud, inputs: Properties) -> str:
    _require_what_aws_requires(inputs)
    parameters = _requests(inputs, {**_CHANGEABLE, **_FIXED})
    parameters["Engine"] = inputs.get("engine") or "redis"
    at_rest = inputs.get("atRestEncryptionEnabled", parameters["Engine"] == "valkey")
    if inputs.get("nodeGroupConfigurations"):
        parameters["NodeGroupConfiguration"] = [
            {
                "NodeGroupId": shard.get("nodeGroupId") or f"{number:04}",
                **spelled(shard, _SHARD),
                **({"ReplicaCount": int(shard["replicaCount"])} if "replicaCount" in shard else {}),
            }
            for number, shard in enumerate(inputs["nodeGroupConfigurations"], 1)
        ]
        parameters.setdefault("NumNodeGroups", len(inputs["nodeGroupConfigurations"]))
    answer = cloud.client("elasticache").create_replication_group(
        ReplicationGroupId=inputs["replicationGroupId"].lower(),
        AtRestEncryptionEnabled=_switched_on(at_rest),
        Tags=tag_list(inputs.get("tagsAll")),
        **parameters,
        **log_requests(inputs),
    )
    return str(answer["ReplicationGroup"]["ReplicationGroupId"])


_SHARD = {
    "primaryAvailabilityZone": "PrimaryAvailabilityZone",
    "replicaAvailabilityZones": "ReplicaAvailabilityZones",
    "slots": "Slots",
}


def _read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("elasticache")
    group = client.describe_replication_groups(ReplicationGroupId=id_)["ReplicationGroups"][0]
    if group["Status"] == "deleting":
        return None
    # What the group does not say of itself, its nodes do.
    node = client.describe_cache_clusters(CacheClusterId=group["MemberClusters"][0])["CacheClusters"][0]
    outputs = _outputs(group, known) | _node_outputs(group, node, known)
    return {**outputs, "id": group["ReplicationGroupId"], "tagsAll": tags_of(client, group["ARN"])}


def _outputs(group: dict[str, Any], known: Properties) -> Properties:
    sharded = group.get("ClusterEnabled", False)
    shards = group["NodeGroups"]
    endpoint = group.get("ConfigurationEndpoint") or shards[0].get("PrimaryEndpoint") or {}
    encrypted = group.get("TransitEncryptionEnabled", False)
    outputs: Properties = {
        "arn": group["ARN"],
        "atRestEncryptionEnabled": group.get("AtRestEncryptionEnabled", False),
        "automaticFailoverEnabled": group["AutomaticFailover"] in ("enabled", "enabling"),
        "clusterEnabled": sharded,
        "clusterMode": group.get("ClusterMode") or "disabled",
        "configurationEndpointAddress": endpoint.get("Address", "") if sharded else "",
        "dataTieringEnabled": group.get("DataTiering") == "enabled",
        "description": group["Description"],
        "ipDiscovery": group.get("IpDiscovery") or "ipv4",
        "kmsKeyId": group.get("KmsKeyId") or "",
        "logDeliveryConfigurations": log_outputs(group),
        "memberClusters": group["MemberClusters"],
        "multiAzEnabled": group.get("MultiAZ") == "enabled",
        "networkType": group.get("NetworkType") or "ipv4",
        "nodeGroupConfigurations": [_shard_outputs(shard) for shard in shards],
        "nodeType": group["CacheNodeType"],
        "numCacheClusters": len(group["MemberClusters"]),
        "numNodeGroups": len(shards),
        "port": endpoint.get("Port"),
        "primaryEndpointAddress": "" if sharded else endpoint.get("Address", ""),
        "readerEndpointAddress": "" if sharded else (shards[0].get("ReaderEndpoint") or {}).get("Address", ""),
        "replicasPerNodeGroup": len(shards[0]["NodeGroupMembers"]) - 1,
        "replicationGroupId": group["ReplicationGroupId"],
        "snapshotRetentionLimit": group.get("SnapshotRetentionLimit", 0),
        "snapshotWindow": group.get("SnapshotWindow") or "",
        "transitEncryptionEnabled": encrypted,
        "transitEncryptionMode": group.get("TransitEncryptionMode") or ("required" if encrypted else ""),
        "userGroupIds": group.get("UserGroupIds") or [],
    }
    return outputs


def _shard_outputs(shard: dict[str, Any]) -> Properties:
    zones = [node.get("PreferredAvailabilityZone", "") for node in shard["NodeGroupMembers"]]
    outputs: Properties = {"nodeGroupId": shard["NodeGroupId"], "primaryAvailabilityZone": zones[0]}
    outputs |= {"replicaAvailabilityZones": zones[1:], "replicaCount": len(zones) - 1}
    return outputs | ({"slots": shard["Slots"]} if shard.get("Slots") else {})


def _node_outputs(group: dict[str, Any], node: dict[str, Any], known: Properties) -> Properties:
    engine = node["Engine"]
    version = node.get("EngineVersion") or _VERSIONS.get(engine, "")
    parameters = (node.get("CacheParameterGroup") or {}).get("CacheParameterGroupName")
    return {
        "autoMinorVersionUpgrade": node.get("AutoMinorVersionUpgrade", True),
        "engine": engine,
        "engineVersion": version,
        "engineVersionActual": actual_version(version),
        "maintenanceWindow": as_given(node.get("PreferredMaintenanceWindow"), known.get("maintenanceWindow")),
        "notificationTopicArn": (node.get("NotificationConfiguration") or {}).get("TopicArn", ""),
        "parameterGroupName": parameters or default_parameters(engine, version, sharded=group.get("ClusterEnabled", False)),
        "securityGroupIds": [item["SecurityGroupId"] for item in node.get("SecurityGroups") or []],
        "subnetGroupName": node.get("CacheSubnetGroupName") or "default",
    }


# -- changing -----------------------------------------------------------------------------------------------------------


def _update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    _require_what_aws_requires({**old, **new} if "nodeType" not in new else new)
    client = cloud.client("elasticache")
    grows = _replicas(new, old) > old["replicasPerNodeGroup"]
    if grows:  # failover needs the replicas; and must be off before they go
        _resize(client, id_, old, new, changed)
    _modify(client, id_, old, new, changed)
    if not grows:
        _resize(client, id_, old, new, changed)
    update_tags(client, old, new, changed)


def _replicas(new: Properties, old: Properties) -> int:
    if new.get("numCacheClusters"):
        return int(new["numCacheClusters"]) - 1
    return int({**old, **new}["replicasPerNodeGroup"])


def _resize(client: Any, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    where = {"ReplicationGroupId": id_, "ApplyImmediately": True}
    shards = int({**old, **new}["numNodeGroups"])
    if "numNodeGroups" in changed and shards != old["numNodeGroups"]:
        ids = sorted(shard["nodeGroupId"] for shard in old["nodeGroupConfigurations"])
        removed = {"NodeGroupsToRemove": ids[shards:]} if ids[shards:] else {}
        client.modify_replication_group_shard_configuration(NodeGroupCount=shards, **where, **removed)
    before, after = old["replicasPerNodeGroup"], _replicas(new, old)
    if after > before:
        client.increase_replica_count(NewReplicaCount=after, **where)
    elif after < before:
        client.decrease_replica_count(NewReplicaCount=after, **where)


def _modify(client: Any, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    given = {name: value for name, value in new.items() if name in changed}
    if "authTokenWoVersion" in changed:
        given["authTokenWo"] = new.get("authTokenWo")
    parameters = _requests(given, _CHANGEABLE)
    if "snapshotRetentionLimit" in changed:
        parameters["SnapshotRetentionLimit"] = int(new.get("snapshotRetentionLimit") or 0)
    if "userGroupIds" in changed:
        before, after = set(old.get("userGroupIds") or []), set(new.get("userGroupIds") or [])
        parameters |= {"UserGroupIdsToAdd": sorted(after - before)} if after - before else {}
        parameters |= {"UserGroupIdsToRemove": sorted(before - after)} if before - after else {}
    if changed & {"authToken", "authTokenUpdateStrategy", "authTokenWoVersion"}:
        strategy = new.get("authTokenUpdateStrategy") or ("ROTATE" if "AuthToken" in parameters else "DELETE")
        token = new.get("authToken") or new.get("authTokenWo")
        parameters |= {"AuthTokenUpdateStrategy": strategy, **({"AuthToken": token} if token else {})}
    if "logDeliveryConfigurations" in changed:
        parameters |= log_requests(new, old)
    if parameters:
        client.modify_replication_group(ReplicationGroupId=id_, ApplyImmediately=bool(new.get("applyImmediately")), **parameters)


_REPLACES = {*_FIXED, "atRestEncryptionEnabled", "globalReplicationGroupId", "region", "replicationGroupId"}
_REPLACES |= {"nodeGroupConfigurations"}
_REPLACES -= {"numCacheClusters", "numNodeGroups", "preferredCacheClusterAzs", "replicasPerNodeGroup", "userGroupIds"}


def _compare(old: Properties, new: Properties, changed: set[str]) -> Diff:
    replaces = changed & _REPLACES
    if "engine" in changed and (old.get("engine"), new.get("engine")) == ("valkey", "redis"):
        replaces |= {"engine"}
    if "engineVersion" in changed and old.get("engine") == new.get("engine", old.get("engine")):
        replaces |= {"engineVersion"} if is_downgrade(old.get("engineVersion"), new.get("engineVersion")) else set()
    if "transitEncryptionEnabled" in changed and not at_least(old.get("engineVersionActual"), 7, 0, 5):
        replaces |= {"transitEncryptionEnabled"}
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)))


def _delete(cloud: Cloud, id_: str, known: Properties) -> None:
    final = known.get("finalSnapshotIdentifier")
    cloud.client("elasticache").delete_replication_group(
        ReplicationGroupId=id_, RetainPrimaryCluster=False, **({"FinalSnapshotIdentifier": final} if final else {})
    )


def _find(cloud: Cloud, inputs: Properties) -> list[str]:
    id_ = inputs["replicationGroupId"].lower()
    return [id_] if _read(cloud, id_, {}) else []


RESOURCE_TYPES = (
    ResourceType(
        token="aws:elasticache/replicationGroup:ReplicationGroup",
        service="elasticache",
        create=_create,
        read=_read,
        update=_update,
        delete=_delete,
        find=_find,
        compare=_compare,
        name=AutoName(property="replicationGroupId", max_length=40, lower=True, unless=()),
        required=("description",),
        computed=(
            "arn",
            "clusterEnabled",
            "configurationEndpointAddress",
            "engineVersionActual",
            "memberClusters",
            "primaryEndpointAddress",
            "readerEndpointAddress",
        ),
        sticky=(
            "applyImmediately",
            "atRestEncryptionEnabled",
            "autoMinorVersionUpgrade",
            "clusterMode",
            "dataTieringEnabled",
            "engine",
            "engineVersion",
            "globalReplicationGroupId",
            "ipDiscovery",
            "maintenanceWindow",
            "networkType",
            "nodeGroupConfigurations",
            "nodeType",
            "numCacheClusters",
            "numNodeGroups",
            "parameterGroupName",
            "port",
            "replicasPerNodeGroup",
            "securityGroupIds",
            "securityGroupNames",
            "snapshotWindow",
            "subnetGroupName",
            "transitEncryptionEnabled",
            "transitEncryptionMode",
        ),
        local=(
            "applyImmediately",
            "authToken",
            "authTokenUpdateStrategy",
            "authTokenWo",
            "authTokenWoVersion",
            "finalSnapshotIdentifier",
            "preferredCacheClusterAzs",
            "securityGroupNames",
            "snapshotArns",
            "snapshotName",
        ),
        defaults={"automaticFailoverEnabled": False, "multiAzEnabled": False},
        sets=("logDeliveryConfigurations", "nodeGroupConfigurations", "securityGroupIds", "snapshotArns", "userGroupIds"),
        volatile=(
            "configurationEndpointAddress",
            "engineVersionActual",
            "memberClusters",
            "nodeGroupConfigurations",
            "numCacheClusters",
            "numNodeGroups",
            "primaryEndpointAddress",
            "readerEndpointAddress",
            "replicasPerNodeGroup",
        ),
        secret_outputs=("authToken", "authTokenWo"),
        absent=ABSENT,
        tagged=True,
        limits="nothing listens at its endpoints; starts empty, whatever snapshot it names; no durability and no global groups",
    ),
)
