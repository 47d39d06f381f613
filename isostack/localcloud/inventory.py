"""How many things users have made in the local cloud, by service.

Runs inside the local cloud's process and walks moto's own objects, of the accounts and regions that exist, without
making any. What AWS provides unasked (default VPCs and what comes with every VPC, AWS's policies, keys and parameters)
does not count, nor does what AWS keeps on show after its deletion (terminated instances, inactive task definitions,
keys and secrets that wait for their deletion). A service without a line in the table is not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_GONE = {"deleted", "deleting", "terminated", "shutting-down", "rejected", "expired", "failed"}


def resources(reserved_account: str, account_id: str | None = None) -> dict[str, int]:
    """The number of resources by service, where there are any; of one account, or of all but the reserved one."""
    from moto.core.base_backend import BackendDict

    counts: Counter[str] = Counter()
    in_use: list[Any] = getattr(BackendDict, "_instances")  # noqa: B009 - mypy minds a generic's class variable
    for service in in_use:
        count = _COUNTS.get(service.service_name)
        for account, _region, backend in list(service.iter_backends()) if count else ():
            if count and account != reserved_account and account_id in (None, account):
                counts[service.service_name] += count(backend)
    return {service: number for service, number in sorted(counts.items()) if number}


def _sizes(*names: str) -> Callable[[Any], int]:
    return lambda backend: sum(len(getattr(backend, name)) for name in names)


def _number(items: Iterable[object]) -> int:
    return sum(1 for item in items if item)


def _existing(items: Mapping[Any, Any]) -> int:
    """The number of EC2 objects that are not deleted."""
    states = (getattr(item, "state", None) or item._status.code for item in items.values())
    return _number(str(state).lower() not in _GONE for state in states)


def _ec2(backend: Any) -> int:
    default_vpcs = {id_ for id_, vpc in backend.vpcs.items() if vpc.is_default}
    subnets = [subnet for zone in backend.subnets.values() for subnet in zone.values()]
    instances = [instance for reservation in backend.reservations.values() for instance in reservation.instances]
    # Interfaces and disks that moto makes for something else; it leaves some behind when that is deleted.
    made_for_others = {interface.id for instance in instances for interface in instance.nics.values()}
    made_for_others |= {gateway._eni.id for gateway in backend.nat_gateways.values() if gateway._eni}
    made_for_others |= {id_ for endpoint in backend.vpc_end_points.values() for id_ in endpoint.network_interface_ids}
    made_for_others |= {id_ for id_, interface in backend.enis.items() if interface.description == "moto ECS"}
    made_for_others |= {disk.volume_id for instance in instances for disk in instance.block_device_mapping.values()}
    return (
        len(backend.vpcs.keys() - default_vpcs)
        + _number(not (subnet.default_for_az and subnet.vpc_id in default_vpcs) for subnet in subnets)
        + _number(not group.is_default for vpc in backend.groups.values() for group in vpc.values())
        + _number(not table.main_association_id for table in backend.route_tables.values())
        + _number(not acl.default for acl in backend.network_acls.values())
        + _number(instance._state.name not in _GONE for instance in instances)
        + len(backend.enis.keys() - made_for_others)
        + len(backend.volumes.keys() - made_for_others)
        + _number(prefixes.owner_id == backend.account_id for prefixes in backend.managed_prefix_lists.values())
        + sum(_existing(getattr(backend, name)) for name in _EC2_WITH_STATE)
        + sum(len(getattr(backend, name)) for name in _EC2_REMOVED_WHEN_DELETED)
    )


_EC2_WITH_STATE = (
    "customer_gateways",
    "nat_gateways",
    "transit_gateways",
    "vpc_end_points",
    "vpc_pcxs",
    "vpn_connections",
    "vpn_gateways",
)
_EC2_REMOVED_WHEN_DELETED = (
    "addresses",
    "dhcp_options_sets",
    "egress_only_internet_gateways",
    "flow_logs",
    "internet_gateways",
    "key_pairs",
    "launch_templates",
)


def _iam(backend: Any) -> int:
    from moto.iam.models import AWSManagedPolicy

    # Not through the property: it loads AWS's own policies.
    policies = vars(backend).get("managed_policies", {}).values()
    return (
        _sizes("account_aliases", "certificates", "groups", "instance_profiles", "roles", "users")(backend)
        + _sizes("open_id_providers", "saml_providers", "virtual_mfa_devices")(backend)
        + _number(not isinstance(policy, AWSManagedPolicy) for policy in policies)
        + sum(len(user.access_keys) for user in backend.users.values())
    )


def _kms(backend: Any) -> int:
    return _number(
        key.key_state != "PendingDeletion" and not any(alias.startswith("alias/aws/") for alias in key.aliases)
        for key in backend.keys.values()
    )


def _rds(backend: Any) -> int:
    groups = (backend.db_parameter_groups, backend.db_cluster_parameter_groups, backend.option_groups)
    own = _number(not name.startswith("default") for group in groups for name in group)
    snapshots = (*backend.cluster_snapshots.values(), *backend.database_snapshots.values())
    own += _number(snapshot.snapshot_type == "manual" for snapshot in snapshots)
    return own + _sizes(
        "clusters",
        "databases",
        "db_proxies",
        "event_subscriptions",
        "global_clusters",
        "security_groups",
        "shard_groups",
        "subnet_groups",
    )(backend)


def _ecs(backend: Any) -> int:
    definitions = (definition for family in backend.task_definitions.values() for definition in family.values())
    groups = (backend.clusters, backend.services, backend.capacity_providers)
    things = (*definitions, *(thing for group in groups for thing in group.values()))
    return _number(thing.status == "ACTIVE" for thing in things)


def _ssm(backend: Any) -> int:
    parameters = _number(versions and not name.startswith("/aws/") for name, versions in backend._parameters.items())
    return parameters + len(backend._documents) + len(backend.windows)


def _events(backend: Any) -> int:
    return (
        len(backend.event_buses.keys() - {"default"})
        + sum(len(bus.rules) for bus in backend.event_buses.values())
        + _sizes("archives", "connections", "destinations")(backend)
    )


def _lambda(backend: Any) -> int:
    return len(backend._lambdas._functions) + len(backend._layers._layers) + len(backend._event_source_mappings)


_COUNTS: dict[str, Callable[[Any], int]] = {
    "appconfig": _sizes("applications"),
    "cloudtrail": _sizes("trails"),
    "cloudwatch": _sizes("alarms", "dashboards", "insight_rules"),
    "dynamodb": _sizes("tables", "backups"),
    "ec2": _ec2,
    "ecr": _sizes("repositories"),
    "ecs": _ecs,
    "elasticache": _sizes("cache_subnet_groups", "replication_groups"),
    "elbv2": _sizes("load_balancers", "target_groups"),
    "events": _events,
    "iam": _iam,
    "kms": _kms,
    "lambda": _lambda,
    "logs": _sizes("groups", "resource_policies", "destinations"),
    "rds": _rds,
    "route53": _sizes("zones", "health_checks", "query_logging_configs"),
    "s3": _sizes("buckets"),
    "secretsmanager": lambda backend: _number(not secret.is_deleted() for secret in backend.secrets.values()),
    "sns": _sizes("topics", "subscriptions", "applications"),
    "sqs": _sizes("queues"),
    "ssm": _ssm,
    "wafv2": _sizes("wacls", "ip_sets", "rule_groups", "regex_pattern_sets"),
}
