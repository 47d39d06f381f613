"""What moto 5.2.5 lacks of ElastiCache: changing and deleting, and the nodes of a replication group.

moto keeps what is deleted, changes three properties of a replication group and nothing else, and makes one node whatever number
is asked for. Here the nodes of a group are cache clusters of their own, as on AWS, and show the properties that the group does
not. Runs inside the local cloud's process; no cache runs anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from inspect import signature
from typing import Any

_SLOTS = 16384  # of the key space of Redis and Valkey


@cache
def mend_caches() -> None:
    """From now on caches can be changed, resized and deleted."""
    from moto.elasticache.models import CacheCluster, ElastiCacheBackend
    from moto.elasticache.responses import ElastiCacheResponse

    answers: Any = ElastiCacheResponse
    answers.modify_cache_subnet_group = _modify_subnet_group
    answers.delete_cache_subnet_group = _delete_subnet_group
    answers.modify_cache_cluster = _modify_cluster
    answers.modify_replication_group = _modify_group
    answers.increase_replica_count = answers.decrease_replica_count = _change_replicas
    answers.modify_replication_group_shard_configuration = _change_shards
    answers.modify_user = _modify_user
    backend: Any = ElastiCacheBackend
    backend.create_replication_group = _creating_group(backend.create_replication_group)
    backend.create_cache_cluster = _creating_cluster(backend.create_cache_cluster)
    backend.delete_replication_group = _delete_group
    backend.delete_cache_cluster = _forgetting(backend.delete_cache_cluster, "cache_clusters")
    backend.delete_user = _forgetting(backend.delete_user, "users")
    shown: Any = CacheCluster
    shown.security_groups = property(lambda one: [{"SecurityGroupId": id_, "Status": "active"} for id_ in one.security_group_ids])
    shown.cache_parameter_group = property(lambda one: {"CacheParameterGroupName": one.cache_parameter_group_name})
    shown.notification_configuration = property(_notifications)
    shown.cache_nodes = property(_nodes)
    shown.configuration_endpoint = property(_configuration_endpoint)


def _result(name: str, value: Any) -> Any:
    from moto.core.responses import ActionResult

    return ActionResult({name: value})


# -- subnet groups ------------------------------------------------------------------------------------------------------


def _modify_subnet_group(self: Any) -> Any:
    from moto.elasticache.models import CacheSubnetGroup

    backend, name = self.elasticache_backend, self._get_param("CacheSubnetGroupName")
    (old,) = backend.describe_cache_subnet_groups(cache_subnet_group_name=name)
    group = backend.cache_subnet_groups[name] = CacheSubnetGroup(
        account_id=backend.account_id,
        region_name=backend.region_name,
        cache_subnet_group_name=name,
        cache_subnet_group_description=self._get_param("CacheSubnetGroupDescription", old.cache_subnet_group_description),
        subnet_ids=self._get_param("SubnetIds") or old.subnet_ids,
        tags=old.tags,
    )
    return _result("CacheSubnetGroup", group)


def _delete_subnet_group(self: Any) -> Any:
    from moto.core.responses import EmptyResult
    from moto.elasticache.exceptions import ElastiCacheException

    backend, name = self.elasticache_backend, self._get_param("CacheSubnetGroupName")
    backend.describe_cache_subnet_groups(cache_subnet_group_name=name)
    for cluster in backend.cache_clusters.values():
        if cluster.cache_subnet_group_name == name:
            refusal = ElastiCacheException(f"Cache subnet group {name} is in use by cache cluster {cluster.cache_cluster_id}.")
            refusal.code = "CacheSubnetGroupInUse"
            raise refusal
    del backend.cache_subnet_groups[name]
    return EmptyResult()


# -- cache clusters -----------------------------------------------------------------------------------------------------

# Parameters of the modify calls to what moto calls them.
_OF_NODES = {
    "AutoMinorVersionUpgrade": "auto_minor_version_upgrade",
    "CacheNodeType": "cache_node_type",
    "CacheParameterGroupName": "cache_parameter_group_name",
    "EngineVersion": "engine_version",
    "IpDiscovery": "ip_discovery",
    "NotificationTopicArn": "notification_topic_arn",
    "PreferredMaintenanceWindow": "preferred_maintenance_window",
    "SecurityGroupIds": "security_group_ids",
    "SnapshotRetentionLimit": "snapshot_retention_limit",
    "SnapshotWindow": "snapshot_window",
}
_OF_CLUSTERS = {**_OF_NODES, "AZMode": "az_mode", "NumCacheNodes": "num_cache_nodes"}
_OF_GROUPS = {
    **_OF_NODES,
    "ClusterMode": "cluster_mode",
    "Engine": "engine",
    "ReplicationGroupDescription": "description",
    "TransitEncryptionEnabled": "transit_encryption_enabled",
    "TransitEncryptionMode": "transit_encryption_mode",
}


def _take_over(self: Any, thing: Any, names: dict[str, str]) -> None:
    for parameter, attribute in names.items():
        value = self._get_param(parameter)
        if value is not None:
            setattr(thing, attribute, value)
    if (logs := self._get_param("LogDeliveryConfigurations")) is not None:
        thing.log_delivery_configurations = [{**log, "Status": "active"} for log in logs if log.get("Enabled", True)]


def _creating_cluster(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_where_there_are_subnets(self: Any, **named: Any) -> Any:
        if named["cache_subnet_group_name"]:
            self.describe_cache_subnet_groups(cache_subnet_group_name=named["cache_subnet_group_name"])
        cluster = create(self, **named)
        cluster.num_cache_nodes = named["num_cache_nodes"] or 1
        cluster.port = int(named["port"] or (11211 if cluster.engine == "memcached" else 6379))
        cluster.preferred_availability_zone = (
            named["preferred_availability_zone"] or (named["preferred_availability_zones"] or [f"{self.region_name}a"])[0]
        )
        return cluster

    return create_where_there_are_subnets


def _modify_cluster(self: Any) -> Any:
    (cluster,) = self.elasticache_backend.describe_cache_clusters(cache_cluster_id=self._get_param("CacheClusterId"))
    _take_over(self, cluster, _OF_CLUSTERS)
    return _result("CacheCluster", cluster)


def _domain(cluster: Any) -> str:
    region, where = cluster.arn.split(":")[3], cluster.cache_node_id[:6]
    return f"{where}.{region}.cache.amazonaws.com"


def _nodes(cluster: Any) -> list[dict[str, Any]]:
    memcached = cluster.engine == "memcached"
    return [
        {
            "CacheNodeId": f"{number:04}",
            "CacheNodeStatus": "available",
            "CustomerAvailabilityZone": cluster.preferred_availability_zone,
            "Endpoint": {
                "Address": f"{cluster.cache_cluster_id}.{_domain(cluster).replace('.', f'.{number:04}.', 1)}",
                "Port": cluster.port,
            },
            "ParameterGroupStatus": "in-sync",
        }
        for number in range(1, (cluster.num_cache_nodes if memcached else 1) + 1)
    ]


def _configuration_endpoint(cluster: Any) -> dict[str, Any] | None:
    if cluster.engine != "memcached":
        return None
    return {"Address": f"{cluster.cache_cluster_id}.{_domain(cluster).replace('.', '.cfg.', 1)}", "Port": cluster.port}


def _notifications(cluster: Any) -> dict[str, str] | None:
    topic = cluster.notification_topic_arn
    return {"TopicArn": topic, "TopicStatus": "active"} if topic else None


def _forgetting(delete: Callable[..., Any], things: str) -> Callable[..., Any]:
    def delete_and_forget(self: Any, id_: str = "", **named: str) -> Any:
        id_ = id_ or next(iter(named.values()))
        deleted = delete(self, id_)
        getattr(self, things).pop(id_, None)
        return deleted

    return delete_and_forget


# -- replication groups -------------------------------------------------------------------------------------------------


def _creating_group(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_with_nodes(self: Any, **named: Any) -> Any:
        if named["cache_subnet_group_name"]:
            self.describe_cache_subnet_groups(cache_subnet_group_name=named["cache_subnet_group_name"])
        sharded = (named["num_node_groups"] or 1) > 1 or (named["cache_parameter_group_name"] or "").endswith(".cluster.on")
        named["cluster_mode"] = named["cluster_mode"] or ("enabled" if sharded else "disabled")
        group = create(self, **named)
        group.port = int(group.port)
        _spread(group, self.region_name)
        for shard in group.node_groups:
            if "reader_endpoint_address" in shard:
                shard["reader_endpoint"] = {"address": shard["reader_endpoint_address"], "port": group.port}
        if not named["node_group_configuration"]:
            replicas = named["replicas_per_node_group"]
            _set_replicas(group, (named["num_cache_clusters"] or 1) - 1 if replicas is None else replicas)
        _show_nodes(self, group)
        return group

    return create_with_nodes


def _spread(group: Any, region: str) -> None:
    """Move the nodes from moto's favourite zones into the region's."""
    for shard in group.node_groups:
        for node in shard["node_group_members"]:
            zone = node["preferred_availability_zone"]
            node["preferred_availability_zone"] = f"{region}{zone[-1]}" if zone.startswith("us-east-1") else zone


def _set_replicas(group: Any, replicas: int) -> None:
    """Bring each shard to this number of replicas, one zone after another; the nodes that stay keep their names."""
    for shard in group.node_groups:
        nodes = shard["node_group_members"]
        del nodes[1 + replicas :]
        primary, id_ = nodes[0], nodes[0]["cache_cluster_id"]
        zone = primary["preferred_availability_zone"]
        for number in range(len(nodes) + 1, replicas + 2):
            node = deepcopy(primary) | {"cache_cluster_id": f"{id_[:-3]}{number:03}"}
            node["preferred_availability_zone"] = zone[:-1] + "abc"[("abc".find(zone[-1]) + number - 1) % 3]
            if "read_endpoint" in node:
                node["current_role"] = "replica"
                node["read_endpoint"]["address"] = node["read_endpoint"]["address"].replace(id_, node["cache_cluster_id"], 1)
            nodes.append(node)
    _name_nodes(group)


def _name_nodes(group: Any) -> None:
    group.member_clusters[:] = [node["cache_cluster_id"] for shard in group.node_groups for node in shard["node_group_members"]]


def _set_shards(group: Any, number: int) -> None:
    """Bring a group to this number of shards with the slots evenly spread; the shards that stay keep their nodes."""
    shards = group.node_groups
    del shards[number:]
    for index in range(len(shards) + 1, number + 1):
        shard = deepcopy(shards[0])
        old, shard["node_group_id"] = shard["node_group_id"], f"{index:04}"
        for node in shard["node_group_members"]:
            node["cache_node_id"] = shard["node_group_id"]
            node["cache_cluster_id"] = node["cache_cluster_id"].replace(f"-{old}-", f"-{index:04}-")
        shards.append(shard)
    for index, shard in enumerate(shards):
        shard["slots"] = f"{index * _SLOTS // number}-{(index + 1) * _SLOTS // number - 1}"
    _name_nodes(group)


def _show_nodes(backend: Any, group: Any) -> None:
    """Make the group's nodes cache clusters."""
    from moto.elasticache.models import CacheCluster

    _forget_nodes(backend, group)
    shared = {name: getattr(group, name) for name in _OF_NODES.values()}
    nothing = dict.fromkeys(list(signature(CacheCluster).parameters))
    for shard in group.node_groups:
        for node in shard["node_group_members"]:
            properties: dict[str, Any] = nothing | shared
            properties |= {
                "account_id": backend.account_id,
                "region_name": backend.region_name,
                "cache_cluster_id": node["cache_cluster_id"],
                "cache_subnet_group_name": group.cache_subnet_group_name,
                "engine": group.engine,
                "log_delivery_configurations": [],
                "port": group.port,
                "preferred_availability_zone": node["preferred_availability_zone"],
            }
            cluster: Any = CacheCluster(**properties)
            cluster.num_cache_nodes = 1
            cluster.replication_group_id = group.replication_group_id
            backend.cache_clusters[cluster.cache_cluster_id] = cluster


def _forget_nodes(backend: Any, group: Any) -> None:
    for id_, cluster in list(backend.cache_clusters.items()):
        if getattr(cluster, "replication_group_id", None) == group.replication_group_id:
            del backend.cache_clusters[id_]


def _asked_group(self: Any) -> Any:
    return self.elasticache_backend.describe_replication_groups(self._get_param("ReplicationGroupId"))[0]


def _modify_group(self: Any) -> Any:
    group = _asked_group(self)
    _take_over(self, group, _OF_GROUPS)
    for parameter, attribute in (("AutomaticFailoverEnabled", "automatic_failover"), ("MultiAZEnabled", "multi_az")):
        if (switched := self._get_bool_param(parameter)) is not None:
            setattr(group, attribute, "enabled" if switched else "disabled")
    if self._get_param("AuthToken"):
        group.auth_token_enabled = True
    if self._get_param("AuthTokenUpdateStrategy") == "DELETE":
        group.auth_token_enabled = False
    users = [id_ for id_ in group.user_group_ids if id_ not in self._get_param("UserGroupIdsToRemove", [])]
    group.user_group_ids = users + self._get_param("UserGroupIdsToAdd", [])
    _show_nodes(self.elasticache_backend, group)
    return _result("ReplicationGroup", group)


def _change_replicas(self: Any) -> Any:
    group = _asked_group(self)
    _set_replicas(group, int(self._get_param("NewReplicaCount")))
    _show_nodes(self.elasticache_backend, group)
    return _result("ReplicationGroup", group)


def _change_shards(self: Any) -> Any:
    group = _asked_group(self)
    _set_shards(group, int(self._get_param("NodeGroupCount")))
    _show_nodes(self.elasticache_backend, group)
    return _result("ReplicationGroup", group)


def _delete_group(self: Any, replication_group_id: str, retain_primary_cluster: bool | None = None) -> Any:
    (group,) = self.describe_replication_groups(replication_group_id)
    group.status = "deleting"
    _forget_nodes(self, group)
    return self.replication_groups.pop(replication_group_id)


# -- users --------------------------------------------------------------------------------------------------------------


def _modify_user(self: Any) -> Any:
    from moto.core.responses import ActionResult

    (user,) = self.elasticache_backend.describe_users(user_id=self._get_param("UserId"))
    mode = self._get_param("AuthenticationMode") or {}
    kind = mode.get("Type")
    passwords = self._get_param("Passwords") or mode.get("Passwords") or []
    if self._get_bool_param("NoPasswordRequired") or kind == "no-password-required":
        user.no_password_required, user.passwords, user.authentication_type = True, [], "no-password"
    elif passwords or kind:
        user.no_password_required, user.passwords, user.authentication_type = False, passwords, kind or "password"
    user.access_string = self._get_param("AccessString") or user.access_string
    user.engine = self._get_param("Engine") or user.engine
    return ActionResult(user)
