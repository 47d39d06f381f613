"""Elastic Load Balancing v2: target groups and their targets; also how load balancing spells attributes and tags.

Source: the Elastic Load Balancing API reference; property names as in pulumi_aws 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isostack.engine.provider import ProviderError
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

# -- attributes and tags ------------------------------------------------------------------------------------------------


def attribute_list(attributes: dict[str, Any]) -> list[dict[str, str]]:
    """Attributes as the API takes them: strings, with ``true`` and ``false``."""
    return [
        {"Key": key, "Value": str(value).lower() if isinstance(value, bool) else str(value)} for key, value in attributes.items()
    ]


def attribute_map(attributes: list[dict[str, str]]) -> dict[str, str]:
    """Attributes by name."""
    return {attribute["Key"]: attribute.get("Value", "") for attribute in attributes}


def parsed_attribute(text: str | None, default: Any) -> Any:
    """An attribute's value in the type of its default."""
    if text is None:
        return default
    if isinstance(default, bool):
        return text == "true"
    return int(text) if isinstance(default, int) else text


def tags_of(client: Any, arn: str) -> dict[str, str]:
    """The tags of a load balancer, listener, rule or target group."""
    return tag_map(client.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])


def update_tags(client: Any, arn: str, old: Properties, new: Properties) -> None:
    """Set and remove tags until they are as in the new inputs."""
    tags, removed = tag_changes(old, new)
    if removed:
        client.remove_tags(ResourceArns=[arn], TagKeys=removed)
    if tags:
        client.add_tags(ResourceArns=[arn], Tags=tag_list(tags))


# -- target groups ------------------------------------------------------------------------------------------------------

# Property to (attribute, default).
_ATTRIBUTES: dict[str, tuple[str, Any]] = {
    "connectionTermination": ("deregistration_delay.connection_termination.enabled", False),
    "deregistrationDelay": ("deregistration_delay.timeout_seconds", 300),
    "lambdaMultiValueHeadersEnabled": ("lambda.multi_value_headers.enabled", False),
    "loadBalancingAlgorithmType": ("load_balancing.algorithm.type", "round_robin"),
    "loadBalancingAnomalyMitigation": ("load_balancing.algorithm.anomaly_mitigation", "off"),
    "loadBalancingCrossZoneEnabled": ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
    "preserveClientIp": ("preserve_client_ip.enabled", ""),
    "proxyProtocolV2": ("proxy_protocol_v2.enabled", False),
    "slowStart": ("slow_start.duration_seconds", 0),
}
_MINIMUM = {"minimumHealthyTargetsCount": "count", "minimumHealthyTargetsPercentage": "percentage"}
_HEALTH = {
    "dnsFailover": "target_group_health.dns_failover.minimum_healthy_targets",
    "unhealthyStateRouting": "target_group_health.unhealthy_state_routing.minimum_healthy_targets",
}
_FAILOVER = {
    "onDeregistration": "target_failover.on_deregistration",
    "onUnhealthy": "target_failover.on_unhealthy",
}
_STATES: dict[str, tuple[str, Any]] = {
    "enableUnhealthyConnectionTermination": ("target_health_state.unhealthy.connection_termination.enabled", True),
    "unhealthyDrainingInterval": ("target_health_state.unhealthy.draining_interval_seconds", 0),
}
_HEALTH_CHECK = {
    "enabled": "HealthCheckEnabled",
    "healthyThreshold": "HealthyThresholdCount",
    "interval": "HealthCheckIntervalSeconds",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
    "timeout": "HealthCheckTimeoutSeconds",
    "unhealthyThreshold": "UnhealthyThresholdCount",
}
# Of Terraform's schema, for a health check block that leaves them out.
_CHECK_DEFAULTS = {
    "enabled": True,
    "healthyThreshold": 3,
    "interval": 30,
    "port": "traffic-port",
    "protocol": "HTTP",
    "unhealthyThreshold": 3,
}
_INTEGERS = ("healthyThreshold", "interval", "timeout", "unhealthyThreshold")


def _attributes(inputs: Properties, names: set[str], *, changes: bool) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for name, (attribute, default) in _ATTRIBUTES.items():
        value = inputs.get(name, default)
        if name in names and value != "" and (changes or str(value) != str(default)):
            attributes[attribute] = value
    if "stickiness" in names and inputs.get("stickiness"):
        stickiness = inputs["stickiness"]
        kind = stickiness["type"]
        attributes["stickiness.enabled"] = stickiness.get("enabled", True)
        attributes["stickiness.type"] = kind
        if kind in ("lb_cookie", "app_cookie"):
            attributes[f"stickiness.{kind}.duration_seconds"] = stickiness.get("cookieDuration", 86400)
        if kind == "app_cookie":
            attributes["stickiness.app_cookie.cookie_name"] = stickiness.get("cookieName", "")
    if "targetGroupHealth" in names:
        for name, attribute in _HEALTH.items():
            block = (inputs.get("targetGroupHealth") or {}).get(name) or {}
            attributes |= {f"{attribute}.{part}": block[key] for key, part in _MINIMUM.items() if key in block}
    for block in inputs.get("targetFailovers") or [] if "targetFailovers" in names else []:
        attributes |= {attribute: block[key] for key, attribute in _FAILOVER.items()}
    for block in inputs.get("targetHealthStates") or [] if "targetHealthStates" in names else []:
        attributes |= {attribute: block[key] for key, (attribute, _) in _STATES.items() if key in block}
    return attributes


def _health_check(inputs: Properties) -> Properties:
    given = inputs.get("healthCheck")
    if not given:
        return {}
    check = {**_CHECK_DEFAULTS, **{key: value for key, value in given.items() if value not in (None, "")}}
    request = {name: check[key] for key, name in _HEALTH_CHECK.items() if key in check}
    for key in _INTEGERS:
        if key in check:
            request[_HEALTH_CHECK[key]] = int(check[key])
    if inputs.get("targetType") == "lambda":
        request.pop("HealthCheckPort", None)
        request.pop("HealthCheckProtocol", None)
    if check.get("matcher"):
        code = "GrpcCode" if inputs.get("protocolVersion") == "GRPC" else "HttpCode"
        request["Matcher"] = {code: check["matcher"]}
    return request


def _create_group(cloud: Cloud, inputs: Properties) -> str:
    for name in ("targetControlPort",):
        if inputs.get(name):
            raise ProviderError(f"TargetGroup: {name} is not supported on the local cloud; leave it out")
    arguments: Properties = {"TargetType": inputs.get("targetType", "instance"), **_health_check(inputs)}
    if arguments["TargetType"] != "lambda":
        arguments |= {"Port": inputs.get("port"), "Protocol": inputs.get("protocol"), "VpcId": inputs.get("vpcId")}
        arguments |= {"ProtocolVersion": inputs.get("protocolVersion"), "IpAddressType": inputs.get("ipAddressType")}
    arguments["Tags"] = tag_list(inputs.get("tagsAll"))
    client = cloud.client("elbv2")
    given = {key: value for key, value in arguments.items() if value not in (None, [])}
    arn = client.create_target_group(Name=inputs["name"], **given)["TargetGroups"][0]["TargetGroupArn"]
    blocks = {"stickiness", "targetFailovers", "targetGroupHealth", "targetHealthStates"}
    attributes = _attributes(inputs, {*_ATTRIBUTES, *blocks}, changes=False)
    if attributes:
        try:
            client.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attribute_list(attributes))
        except Exception:
            client.delete_target_group(TargetGroupArn=arn)
            raise
    return str(arn)


def _read_group(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    client = cloud.client("elbv2")
    group = client.describe_target_groups(TargetGroupArns=[id_])["TargetGroups"][0]
    attributes = attribute_map(client.describe_target_group_attributes(TargetGroupArn=id_)["Attributes"])
    outputs: Properties = {
        "arn": id_,
        "arnSuffix": id_.rpartition(":")[2],
        "healthCheck": _health_check_outputs(group),
        "loadBalancerArns": list(dict.fromkeys(group.get("LoadBalancerArns") or [])),
        "name": group["TargetGroupName"],
        "tagsAll": tags_of(client, id_),
        "targetType": group["TargetType"],
    }
    for name, (attribute, default) in _ATTRIBUTES.items():
        outputs[name] = parsed_attribute(attributes.get(attribute), default)
    for key, name in (
        ("ipAddressType", "IpAddressType"),
        ("port", "Port"),
        ("protocol", "Protocol"),
        ("protocolVersion", "ProtocolVersion"),
        ("vpcId", "VpcId"),
    ):
        if group.get(name) is not None:
            outputs[key] = group[name]
    return outputs | _attribute_blocks(attributes, known)


def _health_check_outputs(group: Properties) -> Properties:
    check = {key: group[name] for key, name in _HEALTH_CHECK.items() if group.get(name) is not None}
    matcher = group.get("Matcher") or {}
    check["matcher"] = matcher.get("HttpCode") or matcher.get("GrpcCode") or ""
    return check


def _attribute_blocks(attributes: dict[str, str], known: Properties) -> Properties:
    blocks: Properties = {}
    if kind := attributes.get("stickiness.type"):
        blocks["stickiness"] = {
            "cookieDuration": int(attributes.get(f"stickiness.{kind}.duration_seconds", 0)),
            "cookieName": attributes.get("stickiness.app_cookie.cookie_name", ""),
            "enabled": attributes.get("stickiness.enabled") == "true",
            "type": kind,
        }
    health = {}
    for name, attribute in _HEALTH.items():
        found = {key: attributes.get(f"{attribute}.{part}") for key, part in _MINIMUM.items()}
        given = {key: value for key, value in found.items() if value is not None}
        if given and "minimumHealthyTargetsCount" in given and name == "unhealthyStateRouting":
            given["minimumHealthyTargetsCount"] = int(given["minimumHealthyTargetsCount"])  # type: ignore[assignment]
        if given:
            health[name] = given
    if health:
        blocks["targetGroupHealth"] = health
    if _FAILOVER["onUnhealthy"] in attributes:
        blocks["targetFailovers"] = [{key: attributes.get(attribute, "") for key, attribute in _FAILOVER.items()}]
    if any(attribute in attributes for attribute, _ in _STATES.values()):
        states = {key: parsed_attribute(attributes.get(attribute), default) for key, (attribute, default) in _STATES.items()}
        blocks["targetHealthStates"] = [states]
    return blocks


def _update_group(cloud: Cloud, id_: str, old: Properties, new: Properties, changed: set[str]) -> None:
    client = cloud.client("elbv2")
    if "healthCheck" in changed and new.get("healthCheck"):
        client.modify_target_group(TargetGroupArn=id_, **_health_check(new))
    attributes = _attributes(new, changed, changes=True)
    if attributes:
        client.modify_target_group_attributes(TargetGroupArn=id_, Attributes=attribute_list(attributes))
    if "tagsAll" in changed:
        update_tags(client, id_, old, new)


def _delete_group(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("elbv2").delete_target_group(TargetGroupArn=id_)


def _find_group(cloud: Cloud, inputs: Properties) -> list[str]:
    groups = cloud.client("elbv2").describe_target_groups(Names=[inputs["name"]])["TargetGroups"]
    return [group["TargetGroupArn"] for group in groups]


# -- targets ------------------------------------------------------------------------------------------------------------


def _target(inputs: Properties) -> Properties:
    target: Properties = {"Id": inputs["targetId"]}
    if inputs.get("port"):
        target["Port"] = int(inputs["port"])
    if inputs.get("availabilityZone"):
        target["AvailabilityZone"] = inputs["availabilityZone"]
    return target


def _attachment_id(inputs: Properties) -> str:
    parts = (inputs["targetGroupArn"], inputs["targetId"], inputs.get("port"), inputs.get("availabilityZone"))
    return ",".join(str(part) for part in parts if part)


def _register(cloud: Cloud, inputs: Properties) -> Created:
    if inputs.get("quicServerId"):
        raise ProviderError("TargetGroupAttachment: quicServerId is not supported on the local cloud; leave it out")
    cloud.client("elbv2").register_targets(TargetGroupArn=inputs["targetGroupArn"], Targets=[_target(inputs)])
    return Created(_attachment_id(inputs), dict(inputs))


def _read_attachment(cloud: Cloud, id_: str, known: Properties) -> Properties | None:
    if "targetGroupArn" not in known:
        arn, target, port, zone = (*id_.split(","), "", "", "")[:4]
        if not target:
            raise ProviderError(f"{id_!r} is no id to import by; write the target group's ARN, the target, and its port")
        known = {"targetGroupArn": arn, "targetId": target}
        known |= {"port": int(port)} if port.isdecimal() else {"availabilityZone": port} if port else {}
        known |= {"availabilityZone": zone} if zone else {}
    wanted = _target(known)
    health = cloud.client("elbv2").describe_target_health(TargetGroupArn=known["targetGroupArn"], Targets=[wanted])
    for item in health["TargetHealthDescriptions"]:
        gone = item["TargetHealth"].get("Reason") in ("Target.DeregistrationInProgress", "Target.NotRegistered")
        if not gone and item["Target"].get("Port") == wanted.get("Port", item["Target"].get("Port")):
            return {key: known[key] for key in ("availabilityZone", "port", "targetGroupArn", "targetId") if key in known}
    return None


def _deregister(cloud: Cloud, id_: str, known: Properties) -> None:
    cloud.client("elbv2").deregister_targets(TargetGroupArn=known["targetGroupArn"], Targets=[_target(known)])


def _find_attachment(cloud: Cloud, inputs: Properties) -> list[str]:
    return [_attachment_id(inputs)] if _read_attachment(cloud, "", inputs) else []


def _get_target_group(cloud: Cloud, arguments: Properties) -> Properties:
    if not arguments.get("arn") and not arguments.get("name"):
        raise ProviderError("getTargetGroup: give arn or name")
    arn = arguments.get("arn") or _find_group(cloud, arguments)[0]
    outputs = _read_group(cloud, arn, {}) or {}
    tags = outputs.pop("tagsAll")
    return {
        **outputs,
        "deregistrationDelay": str(outputs["deregistrationDelay"]),
        "id": arn,
        "region": cloud.region,
        "tags": tags,
    }


RESOURCE_TYPES = (
    ResourceType(
        token="aws:lb/targetGroup:TargetGroup",
        service="elbv2",
        create=_create_group,
        read=_read_group,
        update=_update_group,
        delete=_delete_group,
        find=_find_group,
        name=AutoName(max_length=32),
        replace_on=(
            "ipAddressType",
            "name",
            "namePrefix",
            "port",
            "protocol",
            "protocolVersion",
            "targetControlPort",
            "targetType",
            "vpcId",
        ),
        computed=("arn", "arnSuffix", "loadBalancerArns"),
        sticky=(
            "connectionTermination",
            "healthCheck",
            "ipAddressType",
            "loadBalancingAlgorithmType",
            "loadBalancingAnomalyMitigation",
            "loadBalancingCrossZoneEnabled",
            "preserveClientIp",
            "protocolVersion",
            "stickiness",
            "targetFailovers",
            "targetGroupHealth",
            "targetHealthStates",
        ),
        local=("namePrefix",),
        defaults={
            "deregistrationDelay": 300,
            "lambdaMultiValueHeadersEnabled": False,
            "proxyProtocolV2": False,
            "slowStart": 0,
            "targetType": "instance",
        },
        absent=("TargetGroupNotFound",),
        tagged=True,
        limits="no targetControlPort; a changed GRPC matcher is not kept",
    ),
    ResourceType(
        token="aws:lb/targetGroupAttachment:TargetGroupAttachment",
        service="elbv2",
        create=_register,
        read=_read_attachment,
        delete=_deregister,
        find=_find_attachment,
        required=("targetGroupArn", "targetId"),
        absent=("InvalidTarget", "TargetGroupNotFound"),
        limits="one port for each target of a group; no quicServerId",
    ),
)

FUNCTIONS = (Function(token="aws:lb/getTargetGroup:getTargetGroup", service="elbv2", call=_get_target_group),)
