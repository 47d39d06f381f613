"""Elastic Load Balancing v2: load balancers. Target groups and listeners have modules of their own.

Each type is known to Pulumi by two names, under ``lb`` and under ``alb``. Source: the Elastic Load Balancing API
reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isostack.engine.provider import Diff, ProviderError
from isostack.localcloud.resource_types import lb_listeners, lb_target_groups
from isostack.localcloud.resource_types.lb_target_groups import (
    attribute_list,
    attribute_map,
    parsed_attribute,
    tags_of,
    update_tags,
)
from isostack.localcloud.resource_types.row import AutoName, Created, Function, Properties, ResourceType, tag_list

if TYPE_CHECKING:
    from isostack.localcloud.client import Cloud

_ALL = ("application", "network", "gateway")
_APPLICATION = ("application",)
# Property to (attribute, default, types of load balancer that have it).
_ATTRIBUTES: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "clientKeepAlive": ("client_keep_alive.seconds", 3600, _APPLICATION),
    "desyncMitigationMode": ("routing.http.desync_mitigation_mode", "defensive", _APPLICATION),
    "dnsRecordClientRoutingPolicy": ("dns_record.client_routing_policy", "any_availability_zone", ("network",)),
    "dropInvalidHeaderFields": ("routing.http.drop_invalid_header_fields.enabled", False, _APPLICATION),
    "enableCrossZoneLoadBalancing": ("load_balancing.cross_zone.enabled", False, ("network", "gateway")),
    "enableDeletionProtection": ("deletion_protection.enabled", False, _ALL),
    "enableHttp2": ("routing.http2.enabled", True, _APPLICATION),
    "enableTlsVersionAndCipherSuiteHeaders": (
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
        False,
        _APPLICATION,
    ),
    "enableWafFailOpen": ("waf.fail_open.enabled", False, _APPLICATION),
    "enableXffClientPort": ("routing.http.xff_client_port.enabled", False, _APPLICATION),
    "enableZonalShift": ("zonal_shift.config.enabled", False, ("application", "network")),
    "idleTimeout": ("idle_timeout.timeout_seconds", 60, _APPLICATION),
    "preserveHostHeader": ("routing.http.preserve_host_header.enabled", False, _APPLICATION),
    "secondaryIpsAutoAssignedPerSubnet": ("secondary_ips.auto_assigned.per_subnet", 0, ("network",)),
    "xffHeaderProcessingMode": ("routing.http.xff_header_processing.mode", "append", _APPLICATION),
}
_LOGS = {"accessLogs": "access_logs.s3", "connectionLogs": "connection_logs.s3"}
_RECORDED = (
    "customerOwnedIpv4Pool",
    "enablePrefixForIpv6SourceNat",
    "enforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
    "healthCheckLogs",
    "ipamPools",
    "minimumLoadBalancerCapacity",
)
_NAME = re.compile(r"(?!internal-)[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?")


def _attributes(inputs: Properties, names: set[str], *, changes: bool) -> dict[str, Any]:
    """Attributes of these properties: all of them, or (for a create) those that differ from AWS's default."""
    kind = inputs.get("loadBalancerType", "application")
    attributes = {}
    for name, (attribute, default, kinds) in _ATTRIBUTES.items():
        value = inputs.get(name, default)
        if kind in kinds and name in names and (changes or value != default):
            attributes[attribute] = value
    for name, attribute in _LOGS.items():
        if name in names:
            logs = inputs.get(name) or {}
            enabled = bool(logs.get("enabled", False))
            if enabled or changes:
                attributes[f"{attribute}.enabled"] = enabled
            if logs.get("bucket") and (enabled or not changes):
                attributes[f"{attribute}.bucket"] = logs["bucket"]
                attributes[f"{attribute}.prefix"] = logs.get("prefix", "")
    return attributes


def _create(cloud: Cloud, inputs: Properties) -> Created:
    client, name = cloud.client("elbv2"), inputs["name"]
    if not _NAME.fullmatch(name):
        raise ProviderError(
            f"ValidationError: load balancer name {name!r} must be up to 32 letters, digits and hyphens, not begin or "
            "end with a hyphen, and not begin with 'internal-'"
        )
    if _find(cloud, inputs):
        raise ProviderError(f"DuplicateLoadBalancerName: a load balancer named {name!r} exists in {cloud.region}")
    kind = inputs.get("loadBalancerType", "application")
    arguments = {
        "IpAddressType": inputs.get("ipAddressType"),
        "SecurityGroups": inputs.get("securityGroups"),
        "SubnetMappings": _mappings(inputs) if inputs.get("subnetMappings") else None,
        "Subnets": inputs.get("subnets") if not inputs.get("subnetMappings") else None,
        "Tags": tag_list(inputs.get("tagsAll")),
    }
    balancer = client.create_load_balancer(
        Name=name,
        Scheme="internal" if inputs.get("internal") else "internet-facing",
        Type=kind,
        **{key: value for key, value in arguments.items() if value},
    )["LoadBalancers"][0]
    arn = balancer["LoadBalancerArn"]
    attributes = _attributes(inputs, {*_ATTRIBUTES, *_LOGS}, changes=False)
    try:
        _require_zones(balancer, kind)
        if attributes:
            client.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attribute_list(attributes))
    except Exception:
        client.delete_load_balancer(LoadBalancerArn=arn)
        raise
    known = {name: str(value) for name, value in attribute_map(attribute_list(attributes)).items()}
    return Created(arn, _outputs(balancer, known, inputs, inputs.get("tagsAll") or {}))


def _mappings(inputs: Properties) -> list[Properties]:
    names = {
        "allocationId": "AllocationId",
        "ipv6Address": "IPv6Address",
        "privateIpv4Address": "PrivateIPv4Address",
        "subnetId": "SubnetId",
    }
    return [{name: mapping[key] for key, name in names.items() if mapping.get(key)} for mapping in inputs["subnetMappings"]]


def _require_zones(balancer: Properties, kind: str) -> None:
    zones = [zone["ZoneName"] for zone in balancer["AvailabilityZones"]]
    if kind == "application" and len(set(zones)) < 2:
        raise ProviderError(
            "ValidationError: an application load balancer needs subnets in at least two different Availability Zones, "
            f"not in {', '.join(sorted(set(zones)))} only"
        )
    if len(set(zones)) < len(zones):
        raise ProviderError("InvalidConfigurationRequest: a load balancer takes one subnet per Availability Zone")


def _outputs(balancer: Properties, attributes: dict[str, str], known: Properties, tags: dict[str, str]) -> Properties:
    arn = balancer["LoadBalancerArn"]
    subnets = [zone["SubnetId"] for zone in balancer["AvailabilityZones"]]
    mappings = {mapping["subnetId"]: mapping for mapping in known.get("subnetMappings") or []}
    outputs: Properties = {
        "arn": arn,
        "arnSuffix": arn.partition(":loadbalancer/")[2],
        "dnsName": balancer["DNSName"],
        "internal": balancer["Scheme"] == "internal",
        "ipAddressType": balancer["IpAddressType"],
        "loadBalancerType": balancer["Type"],
        "name": balancer["LoadBalancerName"],
        "securityGroups": balancer.get("SecurityGroups") or [],
        "subnetMappings": [mappings.get(subnet, {"subnetId": subnet}) for subnet in subnets],
        "subnets": subnets,
        "tagsAll": tags,
        "vpcId": balancer["VpcId"],
        "zoneId": balancer["CanonicalHostedZoneId"],
    }
    for name, (attribute, default, kinds) in _ATTRIBUTES.items():
        has_it = balancer["Type"] in kinds
        outputs[name] = parsed_attribute(attributes.get(attribute), default) if has_it else known.get(name, default)
    for name, attribute in _LOGS.items():
        enabled, bucket = attributes.get(f"{attribute}.enabled") == "true", attributes.get(f"{attribute}.bucket", "")
        if enabled or bucket or name in known:
            given = known.get(name) or {}
            outputs[name] = {
                "bucket": bucket or given.get("bucket", ""),
                "enabled": enabled,
                "prefix": attributes.get(f"{attribute}.prefix") or given.get("prefix", ""),
            }
    return outputs


def _read(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("elbv2")
    balancer = client.describe_load_balancers(LoadBalancerArns=[id_])["LoadBalancers"][0]
    attributes = client.describe_load_balancer_attributes(LoadBalancerArn=id_)["Attributes"]
    return _outputs(balancer, attribute_map(attributes), known, tags_of(client, id_))


def _update(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("elbv2")
    attributes = _attributes(new, changed, changes=True)
    if attributes:
        client.modify_load_balancer_attributes(LoadBalancerArn=id_, Attributes=attribute_list(attributes))
    if "securityGroups" in changed:
        client.set_security_groups(LoadBalancerArn=id_, SecurityGroups=new.get("securityGroups") or [])
    if "subnetMappings" in changed and new.get("subnetMappings"):
        client.set_subnets(LoadBalancerArn=id_, SubnetMappings=_mappings(new))
    elif "subnets" in changed and new.get("subnets"):
        client.set_subnets(LoadBalancerArn=id_, Subnets=new["subnets"])
    if "ipAddressType" in changed:
        client.set_ip_address_type(LoadBalancerArn=id_, IpAddressType=new.get("ipAddressType") or "ipv4")
    if "tagsAll" in changed:
        update_tags(client, id_, old, new)


def _delete(cloud: Cloud, id_: str, known: Properties) -> None:
    client = cloud.client("elbv2")
    attributes = attribute_map(client.describe_load_balancer_attributes(LoadBalancerArn=id_)["Attributes"])
    if attributes.get("deletion_protection.enabled") == "true":
        raise ProviderError(
            f"OperationNotPermitted: load balancer {id_} cannot be deleted because deletion protection is enabled; "
            "set enableDeletionProtection to false and run up first"
        )
    client.delete_load_balancer(LoadBalancerArn=id_)


def _find(cloud: Cloud, inputs: Properties) -> list[str]:
    client = cloud.client("elbv2")
    try:
        balancers = client.describe_load_balancers(Names=[inputs["name"]])["LoadBalancers"]
    except client.exceptions.LoadBalancerNotFoundException:
        return []
    return [balancer["LoadBalancerArn"] for balancer in balancers]


def _compare(old: Properties, new: Properties, changed: set[str]) -> Diff:
    """A network load balancer takes new subnets, but gives none up; and keeps having security groups, or having none."""
    replaces = changed & {"customerOwnedIpv4Pool", "internal", "loadBalancerType", "name", "namePrefix"}
    if new.get("loadBalancerType", "application") == "network":
        if "securityGroups" in changed and not (old.get("securityGroups") and new.get("securityGroups")):
            replaces.add("securityGroups")
        if "subnets" in changed and set(old.get("subnets") or []) - set(new.get("subnets") or []):
            replaces.add("subnets")
        if "subnetMappings" in changed:
            replaces.add("subnetMappings")
    return Diff(tuple(sorted(changed)), tuple(sorted(replaces)))


def _get_load_balancer(cloud: Cloud, arguments: Properties) -> Properties:
    client = cloud.client("elbv2")
    if not arguments.get("arn") and not arguments.get("name"):
        raise ProviderError("getLoadBalancer: give arn or name")
    arn = arguments.get("arn") or next(iter(_find(cloud, arguments)), None)
    outputs = _read(cloud, arn, {}) if arn else None
    if outputs is None or not (arguments.get("tags") or {}).items() <= outputs["tagsAll"].items():
        raise ProviderError(f"getLoadBalancer: there is no load balancer {arguments.get('arn') or arguments['name']!r}")
    attributes = attribute_map(client.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"])
    for name, attribute in _LOGS.items():
        parts = {part: attributes.get(f"{attribute}.{part}", "") for part in ("bucket", "prefix")}
        outputs[name] = {**parts, "enabled": attributes.get(f"{attribute}.enabled") == "true"}
    tags = outputs.pop("tagsAll")
    return {**outputs, "id": arn, "region": cloud.region, "tags": tags}


_LOAD_BALANCER = ResourceType(
    token="aws:lb/loadBalancer:LoadBalancer",
    service="elbv2",
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    find=_find,
    name=AutoName(max_length=32),
    computed=("arn", "arnSuffix", "dnsName", "vpcId", "zoneId"),
    sticky=(
        "accessLogs",
        "connectionLogs",
        "enforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
        "internal",
        "ipAddressType",
        "secondaryIpsAutoAssignedPerSubnet",
        "securityGroups",
        "subnetMappings",
        "subnets",
    ),
    local=("namePrefix", *_RECORDED),
    defaults={
        "loadBalancerType": "application",
        **{name: default for name, (_, default, _) in _ATTRIBUTES.items() if default != 0 or default is False},
    },
    sets=("securityGroups", "subnetMappings", "subnets"),
    absent=("LoadBalancerNotFound",),
    compare=_compare,
    tagged=True,
    limits=f"recorded only: {', '.join(_RECORDED)}; serves no traffic",
)

_OF_LB = (_LOAD_BALANCER, *lb_target_groups.RESOURCE_TYPES, *lb_listeners.RESOURCE_TYPES)
_FUNCTIONS_OF_LB = (
    Function(token="aws:lb/getLoadBalancer:getLoadBalancer", service="elbv2", call=_get_load_balancer),
    *lb_target_groups.FUNCTIONS,
    *lb_listeners.FUNCTIONS,
)

RESOURCE_TYPES = (*_OF_LB, *(replace(row, token=row.token.replace("aws:lb/", "aws:alb/")) for row in _OF_LB))
FUNCTIONS = (
    *_FUNCTIONS_OF_LB,
    *(replace(row, token=row.token.replace("aws:lb/", "aws:alb/")) for row in _FUNCTIONS_OF_LB),
)
